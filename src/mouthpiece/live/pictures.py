"""One session's pictures: its own canvas while it speaks, the shared face while it rests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from mouthpiece.face.camera import Camera, between, camera_of
from mouthpiece.live.idle import IdleShare
from mouthpiece.live.painter import Canvas, Easel, Painted, Stroke
from mouthpiece.live.stats import Stats
from mouthpiece.media import SAMPLE_RATE, TICK, EncodedPicture, Look
from mouthpiece.session.events import Frame

REST_BEFORE_SHARING: Final = SAMPLE_RATE // 2
"""Samples at rest after which a session asks for the shared face."""

LONGEST_GLIDE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Costume:
    """How a look is drawn: new canvases of one's own, and the shared face at rest."""

    canvas: Callable[[], Canvas]
    share: IdleShare


@dataclass(slots=True)
class Glide:
    """A camera on its way; ``start`` is set at its first picture. Lengths in samples."""

    origin: Camera
    target: Camera
    length: int
    start: int | None = None

    def at(self, sample: int) -> tuple[Camera, bool]:
        """Where it is, and whether it has arrived."""
        if self.start is None:
            self.start = sample
        done = sample - self.start
        return between(self.origin, self.target, done / self.length if self.length else 1.0), done >= self.length


class Outlet(Protocol):
    """Where a session's pictures go."""

    def picture(self, packet: EncodedPicture) -> None:
        """Send one picture."""

    def picture_failed(self, error: Exception) -> None:
        """The face cannot be drawn; nothing follows."""


class Pictures:
    """Chooses who draws, and keeps a session's media time strictly increasing across the change.

    Own and shared pictures show the same moment of the face's life, which runs on the worker's ticks from the share's
    ``origin`` on; the session's clock was zero at the tick given to ``begin``.
    """

    def __init__(
        self, look: Look, costume: Callable[[Look], Costume], easel: Easel, outlet: Outlet, stats: Stats
    ) -> None:
        self._look = look
        self._costume = costume
        worn = costume(look)
        self._new_canvas, self._share = worn.canvas, worn.share
        self._canvas = self._new_canvas()
        self._camera: Camera | None = None
        self._glide: Glide | None = None
        self._easel = easel
        self._outlet = outlet
        self._stats = stats
        self._start = 0
        self._own = True
        self._joining = False
        self._rest_since: int | None = None
        self._key = True
        self._last = -1
        self._closed = False

    def begin(self, start_tick: int) -> None:
        """The session's clock starts at this tick, and with it a face's life that is nobody else's."""
        self._start = start_tick
        if self._share.private:
            self._share.origin = start_tick

    def frame(self, frame: Frame, due: float) -> None:
        """A picture of the session is due."""
        if not frame.resting:
            self._wake()
            self._rest_since = None
        elif self._rest_since is None:
            self._rest_since = frame.sample
        if frame.hold:
            self._hold()
        moving = self._glide
        if moving is not None:
            self._pan(moving, frame.sample)
        if self._own and (moving is not None or self._key or not frame.hold):
            self._paint(frame, due)
            self._share_if_rested(frame)

    def aim(self, camera: Camera, glide_s: float) -> None:
        """Move the camera there within so many seconds, 0: at once. The session draws for itself meanwhile."""
        origin = self._camera or camera_of(self._look.camera)
        self._glide = Glide(origin, camera, round(min(max(glide_s, 0.0), LONGEST_GLIDE_S) * SAMPLE_RATE))

    @property
    def look(self) -> Look:
        """What is shown now, or will be when the camera has arrived."""
        return self._look if self._glide is None else replace(self._look, camera=self._glide.target.values())

    def dress(self, background: str, foreground: str) -> None:
        """Other pictures behind and before the face, from a key frame on."""
        self._wear(replace(self._look, background=background, foreground=foreground))
        self._easel.discard(self._canvas)
        bitrate, self._canvas = self._canvas.bitrate, self._new_canvas()
        self._canvas.bitrate = bitrate
        self._key = True

    def _wear(self, look: Look) -> None:
        """From now on this look: alone at first, then with those who look at the same."""
        self._share.leave(self)
        private, origin = self._share.private, self._share.origin
        worn = self._costume(look)
        if private:
            worn.share.origin = origin
        self._key = self._key or not self._own
        self._look, self._new_canvas, self._share = look, worn.canvas, worn.share
        self._own, self._joining, self._rest_since = True, False, None

    def _pan(self, glide: Glide, sample: int) -> None:
        self._camera, arrived = glide.at(sample)
        self._wake()
        self._rest_since = None
        if arrived:
            self._glide = None
            self._wear(replace(self._look, camera=glide.target.values()))

    def want_key(self) -> None:
        """A viewer cannot decode."""
        if self._own:
            self._key = True
        else:
            self._share.want_key()

    def bitrate(self, bits_per_second: int) -> None:
        """Aim at this bitrate while the session draws for itself."""
        self._canvas.bitrate = bits_per_second

    def close(self) -> None:
        """Draw no more. Idempotent."""
        if not self._closed:
            self._closed = True
            self._share.leave(self)
            self._easel.discard(self._canvas)

    # --- Viewer -----------------------------------------------------------------------------------------------------
    def show_idle(self, tick: int, packet: EncodedPicture) -> None:
        """See ``idle.Viewer``."""
        if self._own:
            self._own = self._joining = False
            self._easel.discard(self._canvas)
            bitrate, self._canvas = self._canvas.bitrate, self._new_canvas()
            self._canvas.bitrate = bitrate
        self._send(replace(packet, sample=(tick - self._start) * TICK))

    def idle_failed(self, error: Exception) -> None:
        """See ``idle.Viewer``."""
        self._outlet.picture_failed(error)

    # ----------------------------------------------------------------------------------------------------------------
    def _wake(self) -> None:
        """Speech: leave the shared face and go on alone, from a key frame of one's own."""
        if self._joining or not self._own:
            self._share.leave(self)
            self._key = self._key or not self._own
            self._own, self._joining = True, False

    def _hold(self) -> None:
        """The video stands still: look at nothing, but be ready with a key frame."""
        self._wake()
        self._rest_since = None

    def _paint(self, frame: Frame, due: float) -> None:
        seconds = ((self._start - self._share.origin) * TICK + frame.sample) / SAMPLE_RATE
        stroke = Stroke(frame.pose, seconds, frame.sample, due, self._key, self._camera, frame.sound)
        self._key = False
        self._easel.paint(self._canvas, stroke, lambda painted: self._painted(painted, stroke))

    def _share_if_rested(self, frame: Frame) -> None:
        rested = self._rest_since is not None and frame.sample - self._rest_since >= REST_BEFORE_SHARING
        if rested and not self._joining:
            self._joining = True
            self._share.join(self)

    def _painted(self, painted: Painted, stroke: Stroke) -> None:
        if isinstance(painted, Exception):
            self._outlet.picture_failed(painted)
        elif painted is None:
            self._stats.late_pictures += 1
            self._key = self._key or stroke.key
        elif self._own:
            self._stats.pictures += 1
            self._stats.picture_lateness.add(max(0.0, time.monotonic() - stroke.due))
            self._send(painted)

    def _send(self, packet: EncodedPicture) -> None:
        if not self._closed and packet.sample > self._last:
            self._last = packet.sample
            self._outlet.picture(packet)
