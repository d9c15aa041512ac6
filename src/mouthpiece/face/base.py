"""What every face engine offers: a loaded face, a renderer of it for one canvas, and engines that redraw its mouth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.camera import Camera
from mouthpiece.media import Look, MouthPose, Pcm, Picture


class FaceRenderer(Protocol):
    """Draws one session's pictures. Not thread-safe; drawing releases the GIL."""

    def draw(self, pose: MouthPose, seconds: float) -> Picture:
        """The face with this mouth at ``seconds`` of its idle life.

        Pure in (look, pose, seconds): the same arguments give the same picture, in any order of calls. The picture
        is a view, valid until the next call.
        """
        ...


@runtime_checkable
class Aimed(Protocol):
    """A renderer whose camera can be moved while it draws."""

    def aim(self, camera: Camera) -> None:
        """Look through another camera from the next picture on."""


@runtime_checkable
class Hearing(Protocol):
    """A renderer that draws the next picture by what is heard with it."""

    def hear(self, pcm: Pcm) -> None:
        """The sound around the next picture's moment, as long as its engine asks for."""


class Face(Protocol):
    """An immutable loaded face, shared by every session that shows it."""

    @property
    def face_id(self) -> str:
        """The id that requests name."""
        ...

    @property
    def name(self) -> str:
        """The name for people."""
        ...

    def renderer(self, look: Look) -> FaceRenderer:
        """A renderer for this look's canvas, mood and seed."""
        ...

    def lively(self, look: Look, seconds: float) -> bool:
        """Whether idle life moves fast at this moment (a blink, a glance), so that it deserves the full frame rate."""
        ...


# --- engines from outside ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a mouth engine declares of itself before it runs.

    ``window`` samples of 16 kHz sound are given with each picture, the first ``before`` of them before the picture's
    own moment; ``latency_ms`` is how far the window reaches beyond that moment.
    """

    name: str
    window: int
    before: int
    latency_ms: int
    device: str
    licence: str

    @property
    def hears(self) -> tuple[int, int]:
        """Samples before and after the picture's moment."""
        return self.before, self.window - self.before


@dataclass(frozen=True, slots=True)
class BasePicture:
    """The mesh engine's picture, and where on it the face's outline and the mouth are, in canvas pixels (n, 2)."""

    picture: Picture
    outline: NDArray[np.float32]
    mouth: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Patch:
    """What an engine redraws: rows and columns of the canvas, and how much of the base it covers.

    ``region`` is top, bottom, left, right, all even; ``rgb`` uint8 (h, w, 3); ``alpha`` (h, w) in 0..1.
    """

    region: tuple[int, int, int, int]
    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]


class MouthEngine(Protocol):
    """Redraws the mouth of the mesh engine's pictures: a neural network, a remote machine, whatever.

    Head, eyes, background and idle life stay the mesh's; an engine that fails or is too slow is left out.
    """

    @property
    def info(self) -> EngineInfo:
        """What it needs and what it may be used for."""
        ...

    def prepare(self, pack: Any) -> Any:  # noqa: ANN401 - an engine's state is its own; the pack is face.pack.Pack
        """What the engine keeps of one face, made once and shared by its sessions."""
        ...

    def step(self, state: Any, pose: MouthPose, pcm: Pcm, base: BasePicture) -> Patch:  # noqa: ANN401
        """The mouth for one picture; ``pcm`` is ``info.window`` samples."""
        ...
