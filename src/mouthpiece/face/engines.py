"""Finding mouth engines, and a renderer that lays their mouths over the mesh engine's pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mouthpiece.errors import NotConfigured
from mouthpiece.face.base import BasePicture, FaceRenderer, MouthEngine, Patch
from mouthpiece.face.camera import Camera
from mouthpiece.face.mesh_face import MeshFace, MeshRenderer
from mouthpiece.face.scenery import Scenery
from mouthpiece.media import REST, Look, MouthPose, Pcm, Picture

GROUP: Final = "mouthpiece.engines"
"""Entry points of this group name functions of a path to the engine's file that return a ``MouthEngine``."""
BUILT_IN: Final = {"wav2lip": "mouthpiece.face.wav2lip:open_engine"}
PATIENCE: Final = 8
"""Pictures over which a budget is judged: one slow picture is the machine's, eight are the engine's."""

FADE: Final = 6
"""Pictures over which the last mouth of an engine that was left out gives way to the mesh's."""

PAUSE_S: Final = 60.0
"""Seconds for which nobody new tries an engine that was left out."""

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
        return cast(Opener, getattr(import_module(module), attribute))(file)
    except NotConfigured:
        raise
    except ImportError as error:
        remedy = f"install what it needs ({error.name}): pip install 'mouthpiece[engines]'"
        raise NotConfigured(what=f"engine {name}", remedy=remedy) from error
    except Exception as error:  # a stranger's code may raise anything
        remedy = f"it does not open ({type(error).__name__}: {error}): ask its makers"
        raise NotConfigured(what=f"engine {name}", remedy=remedy) from error


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds a picture may take, the clock that says so, and who is told when an engine is left out."""

    seconds: float
    clock: Clock
    tell: Callable[[str], None]


class EngineRenderer:
    """A mesh renderer whose mouth an engine redraws while it speaks; see ``face.base.FaceRenderer``.

    An engine that raises, or whose mean over ``PATIENCE`` pictures exceeds the budget, is left out for good: the mesh
    goes on without it, at first through what the engine drew last, and somebody is told once.
    """

    def __init__(self, mesh: MeshRenderer, engine: MouthEngine, state: object, budget: Budget) -> None:
        """``state``: what the engine prepared of the face that ``mesh`` draws."""
        self._mesh = mesh
        self._engine: MouthEngine | None = engine
        self._budget = budget
        self._state = state
        self._spent: list[float] = []
        self._pose = REST
        self._heard: Pcm | None = None
        self._out: NDArray[np.uint8] | None = None
        self._last: Patch | None = None  # what it drew for the picture before, while there is such a thing
        self._left = FADE
        mesh.retouch = self._retouched

    @property
    def engine(self) -> MouthEngine | None:
        """The engine, None once it was left out."""
        return self._engine

    def aim(self, camera: Camera) -> None:
        """Look through another camera from the next picture on."""
        self._mesh.aim(camera)
        if self._engine is None:
            self._last = None  # the mouth is elsewhere now

    def hear(self, pcm: Pcm) -> None:
        """The sound of the next picture: ``info.window`` samples. Without it the mesh draws the mouth."""
        self._heard = pcm

    def draw(self, pose: MouthPose = REST, seconds: float = 0.0) -> Picture:
        """As the mesh draws, with the engine's mouth where there is sound."""
        self._pose = pose
        try:
            return self._mesh.draw(pose, seconds)
        finally:
            self._heard = None

    def _retouched(self, picture: Picture) -> Picture:
        if self._engine is None:
            return self._faded(picture)
        if self._heard is None or self._pose == REST:
            self._last = None
            return picture
        base = BasePicture(picture, *self._mesh.outlines())
        began = self._budget.clock()
        try:
            patch = self._engine.step(self._state, self._pose, self._heard, base)
            retouched = self._copy(picture)
            lay(patch, retouched)
        except Exception as error:  # whatever a stranger's engine throws or gives, the session goes on
            self._leave_out(f"failed ({error})")
            return self._faded(picture)
        self._last = patch
        self._judge(self._budget.clock() - began)
        return retouched

    def _faded(self, picture: Picture) -> Picture:
        """The picture under what the engine drew last, which is seen less with each picture."""
        self._left -= 1
        if self._last is None or self._left <= 0:
            self._last = None
            return picture
        faded = self._copy(picture)
        lay(replace(self._last, alpha=self._last.alpha * np.float32(self._left / FADE)), faded)
        return faded

    def _copy(self, picture: Picture) -> Picture:
        """The mesh draws again only where the person can be; a patch must not stay beyond that."""
        if self._out is None:
            self._out = np.empty_like(picture.data)
        np.copyto(self._out, picture.data)
        return Picture(self._out)

    def _judge(self, spent: float) -> None:
        self._spent = [*self._spent[-(PATIENCE - 1) :], spent]
        mean = sum(self._spent) / len(self._spent)
        if len(self._spent) == PATIENCE and mean > self._budget.seconds:
            self._leave_out(f"takes {1000 * mean:.0f} ms a picture where {1000 * self._budget.seconds:.0f} are allowed")

    def _leave_out(self, why: str) -> None:
        name = self._engine.info.name if self._engine else ""
        self._engine = None
        self._budget.tell(f"engine {name} {why}: the mesh engine draws the mouth from here on")


class MouthMaker:
    """An opened engine of one process and what it keeps of each face: makes renderers whose mouths it redraws.

    A renderer that left it out tells the others: for ``PAUSE_S`` the mesh draws alone for everybody who begins then.
    """

    def __init__(self, engine: MouthEngine, budget: Budget) -> None:
        self.info = engine.info
        self._engine = engine
        self._budget = Budget(budget.seconds, budget.clock, self._left_out)
        self._tell = budget.tell
        self._states: WeakKeyDictionary[MeshFace, object] = WeakKeyDictionary()
        self._paused_until = float("-inf")

    def prepare(self, face: MeshFace) -> None:
        """Let the engine see a face before its first picture. It may take its time."""
        if face not in self._states:
            try:
                self._states[face] = self._engine.prepare(face.pack)
            except Exception as error:  # as in step
                self._left_out(f"engine {self.info.name} cannot use face {face.name} ({error}): the mesh engine does")

    def renderer(self, face: MeshFace, look: Look, scenery: Scenery | None = None) -> FaceRenderer:
        """A renderer of the face; with the engine if it has seen the face and is not paused."""
        mesh = face.renderer(look, scenery)
        if face not in self._states or self._budget.clock() < self._paused_until:
            return mesh
        return EngineRenderer(mesh, self._engine, self._states[face], self._budget)

    def _left_out(self, why: str) -> None:
        self._paused_until = self._budget.clock() + PAUSE_S
        self._tell(why)


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
