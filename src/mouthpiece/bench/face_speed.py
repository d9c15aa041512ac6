"""Milliseconds of one thread that a picture costs: sizes, a camera that moves, pictures behind and before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Final

import numpy as np

from mouthpiece.bench.report import Cell
from mouthpiece.face.camera import Camera, between
from mouthpiece.face.inspection import MOUTHS
from mouthpiece.face.mesh_face import MeshFace, MeshRenderer
from mouthpiece.face.scenery import Scenery
from mouthpiece.media import Look

ROUNDS: Final = 3
COLD: Final = np.zeros(24 << 20, np.uint8)
"""Walked between two pictures, this takes a core's caches as other programs do in the 30 ms of a live session."""
POSES: Final = tuple(MOUTHS.values())


@dataclass(frozen=True, slots=True)
class Way:
    """One way to draw a face."""

    name: str
    width: int = 512
    height: int = 512
    camera: bool = False  # glides all the time
    scenery: bool = False  # a picture behind, and one before that covers a third of the canvas

    def look(self, face: MeshFace) -> Look:
        """The look of a session that draws so."""
        return Look(face.face_id, width=self.width, height=self.height, seed=5)


WAYS: Final = (
    Way("512x512"),
    Way("1280x720", 1280, 720),
    Way("1080x1920", 1080, 1920),
    Way("512x512, camera moving", camera=True),
    Way("512x512, background and foreground", scenery=True),
)


@dataclass(slots=True)
class Cost:
    """Milliseconds a picture: at once after the last one, and after others had the caches."""

    tight: float
    cold: float


@dataclass(slots=True)
class Speeds:
    """Costs of every way, by face."""

    of: dict[str, list[Cost]] = field(default_factory=dict)

    def add(self, way: Way, cost: Cost) -> None:
        """One more face."""
        self.of.setdefault(way.name, []).append(cost)

    def tight(self, way: Way) -> float:
        """Mean over the faces."""
        return mean(cost.tight for cost in self.of[way.name])

    def rows(self) -> list[dict[str, Cell]]:
        """For the report."""
        return [
            {
                "canvas": name,
                "ms_a_picture": round(mean(cost.tight for cost in costs), 2),
                "worst_face": round(max(cost.tight for cost in costs), 2),
                "caches_cold": round(mean(cost.cold for cost in costs), 2),
                "share_of_a_core_at_25": round(25 * mean(cost.cold for cost in costs) / 1000, 3),
            }
            for name, costs in self.of.items()
        ]


def cost_of(face: MeshFace, way: Way, pictures: int) -> Cost:
    """The cheapest of some rounds, and the median picture with cold caches."""
    drawer = face.renderer(way.look(face), _scenery(way) if way.scenery else None)
    list(_times(drawer, way, 3))
    tight = min(mean(_times(drawer, way, pictures)) for _ in range(ROUNDS))
    return Cost(1000 * tight, 1000 * median(_times(drawer, way, pictures, _lose_caches)))


def _times(drawer: MeshRenderer, way: Way, pictures: int, before: Callable[[], None] = lambda: None) -> Iterator[float]:
    near = Camera(pos_x=0.2, zoom=1.3, rot_z=4.0)
    for k in range(pictures):
        before()
        began = time.thread_time()
        if way.camera:
            drawer.aim(between(Camera(), near, (k + 1) / (pictures + 1)))
        drawer.draw(POSES[k % len(POSES)], k / 25)
        yield time.thread_time() - began


def _lose_caches() -> None:
    np.add(COLD, 1, out=COLD)


def _scenery(way: Way) -> Scenery:
    rng = np.random.default_rng(1)
    behind = rng.integers(0, 256, (way.height, way.width, 3)).astype(np.uint8)
    before = rng.integers(0, 256, (way.height, way.width, 4)).astype(np.uint8)
    before[: 2 * way.height // 3, :, 3] = 0
    return Scenery(behind, before)
