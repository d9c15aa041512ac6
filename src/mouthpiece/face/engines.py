"""Finding mouth engines, and a renderer that lays their mouths over the mesh engine's pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from mouthpiece.errors import NotConfigured
from mouthpiece.face.base import BasePicture, MouthEngine, Patch
from mouthpiece.face.mesh_face import MeshFace, MeshRenderer
from mouthpiece.media import REST, Look, MouthPose, Pcm, Picture

GROUP: Final = "mouthpiece.engines"
"""Entry points of this group name functions of a path to the engine's file that return a ``MouthEngine``."""
BUILT_IN: Final = {"wav2lip": "mouthpiece.face.wav2lip:open_engine"}
PATIENCE: Final = 8
"""Pictures over which a budget is judged: one slow picture is the machine's, eight are the engine's."""

Opener = Callable[[str], MouthEngine]
Clock = Callable[[], float]


def known(found: Iterable[EntryPoint] | None = None) -> dict[str, EntryPoint]:
    """Every engine by name: ours, and what installed packages offer (which may replace ours)."""
    ours = {name: EntryPoint(name, place, GROUP) for name, place in BUILT_IN.items()}
    return ours | {point.name: point for point in (entry_points(group=GROUP) if found is None else found)}


def open_engine(name: str, file: str, found: Iterable[EntryPoint] | None = None) -> MouthEngine:
    """An engine by name, with the file that its user supplies.

    Raises:
        NotConfigured: no such engine, a package that it needs is not installed, or its file is missing or not right.
    """
    points = known(found)
    if name not in points:
        raise NotConfigured(what=f"engine {name}", remedy=f"there are {', '.join(sorted(points))}")
    module, _, attribute = points[name].value.partition(":")
    try:
        opener = cast(Opener, getattr(import_module(module), attribute))
    except ImportError as error:
        remedy = f"install what it needs ({error.name}): pip install 'mouthpiece[engines]'"
        raise NotConfigured(what=f"engine {name}", remedy=remedy) from error
    return opener(file)


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds a picture may take, the clock that says so, and who is told when an engine is left out."""

    seconds: float
    clock: Clock
    tell: Callable[[str], None]


class EngineRenderer:
    """A mesh renderer whose mouth an engine redraws while it speaks; see ``face.base.FaceRenderer``.

    An engine that raises, or whose mean over ``PATIENCE`` pictures exceeds the budget, is left out for good: the mesh
    goes on without it and somebody is told once.
    """

    def __init__(self, face: MeshFace, look: Look, engine: MouthEngine, budget: Budget) -> None:
        self._mesh: MeshRenderer = face.renderer(look)
        self._engine: MouthEngine | None = engine
        self._budget = budget
        self._state: Any = engine.prepare(face.pack)
        self._spent: list[float] = []

    @property
    def engine(self) -> MouthEngine | None:
        """The engine, None once it was left out."""
        return self._engine

    def draw(self, pose: MouthPose = REST, seconds: float = 0.0, pcm: Pcm | None = None) -> Picture:
        """As the mesh draws, with the engine's mouth where there is sound: ``pcm`` is ``info.window`` samples."""
        picture = self._mesh.draw(pose, seconds)
        if self._engine is None or pcm is None or pose == REST:
            return picture
        return self._redrawn(self._engine, picture, pose, pcm)

    def _redrawn(self, engine: MouthEngine, picture: Picture, pose: MouthPose, pcm: Pcm) -> Picture:
        base = BasePicture(picture, *self._mesh.outlines())
        began = self._budget.clock()
        try:
            patch = engine.step(self._state, pose, pcm, base)
        except Exception as error:  # whatever a stranger's engine throws, the session goes on
            self._leave_out(f"failed ({error})")
            return picture
        self._judge(self._budget.clock() - began)
        lay(patch, picture)
        return picture

    def _judge(self, spent: float) -> None:
        self._spent = [*self._spent[-(PATIENCE - 1) :], spent]
        mean = sum(self._spent) / len(self._spent)
        if len(self._spent) == PATIENCE and mean > self._budget.seconds:
            self._leave_out(f"takes {1000 * mean:.0f} ms a picture where {1000 * self._budget.seconds:.0f} are allowed")

    def _leave_out(self, why: str) -> None:
        name = self._engine.info.name if self._engine else ""
        self._engine = None
        self._budget.tell(f"engine {name} {why}: the mesh engine draws the mouth from here on")


def lay(patch: Patch, picture: Picture) -> None:
    """Blend a patch into an I420 picture in place (BT.601, limited range)."""
    top, bottom, left, right = patch.region
    r, g, b = (patch.rgb[..., k].astype(np.float32) for k in range(3))
    alpha = patch.alpha.astype(np.float32)
    height, width = picture.height, picture.width
    planes = picture.data.reshape(-1)
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255
    v = 128 + (112.0 * r - 93.786 * g - 18.214 * b) / 255
    _blend(planes[: height * width].reshape(height, width)[top:bottom, left:right], y, alpha)
    size = height * width // 4
    for k, plane in enumerate((u, v)):
        chroma = planes[height * width + k * size :][:size].reshape(height // 2, width // 2)
        _blend(chroma[top // 2 : bottom // 2, left // 2 : right // 2], _halved(plane), _halved(alpha))


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) / 4, np.float32)


def _blend(into: NDArray[np.uint8], values: NDArray[np.float32], alpha: NDArray[np.float32]) -> None:
    mixed = into * (1 - alpha) + values * alpha
    np.copyto(into, mixed.round().clip(0, 255).astype(np.uint8), where=alpha > 0)
