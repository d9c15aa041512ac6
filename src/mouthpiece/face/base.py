"""What every face engine offers: a loaded face, and a renderer of it for one canvas."""

from __future__ import annotations

from typing import Protocol

from mouthpiece.media import Look, MouthPose, Picture


class FaceRenderer(Protocol):
    """Draws one session's pictures. Not thread-safe; drawing releases the GIL."""

    def draw(self, pose: MouthPose, seconds: float) -> Picture:
        """The face with this mouth at ``seconds`` of its idle life.

        Pure in (look, pose, seconds): the same arguments give the same picture, in any order of calls. The picture
        is a view, valid until the next call.
        """
        ...


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
