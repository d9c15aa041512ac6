"""One thread that draws and encodes for all sessions of a worker.

Drawing and encoding release the GIL, so the event loop keeps sending sound meanwhile. A picture that would come more
than 40 ms late is dropped before it is drawn, and counted. The queue serves what is due first, with a handicap of its
own usual cost, so that one expensive session falls behind before it holds up cheap ones.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from mouthpiece.codec.base import VideoEncoder
from mouthpiece.face.base import Aimed, FaceRenderer, Hearing
from mouthpiece.face.camera import Camera
from mouthpiece.live.stats import Stats
from mouthpiece.media import EncodedPicture, MouthPose, Pcm

TOO_LATE_S: Final = 0.040


@dataclass(frozen=True, slots=True)
class Stroke:
    """One picture to make: this mouth at ``seconds`` of the face's life, ``sample`` of the session, due at ``due``."""

    pose: MouthPose
    seconds: float
    sample: int
    due: float
    key: bool = False
    camera: Camera | None = None  # None: as the look says, or as it was
    sound: Pcm | None = None  # what is heard around it, for engines that listen


class Canvas:
    """A renderer and an encoder, made when the first picture is drawn. Used by the painter's thread only."""

    def __init__(
        self, renderer: Callable[[], FaceRenderer], encoder: Callable[[int], VideoEncoder], bitrate: int
    ) -> None:
        self._make_renderer = renderer
        self._make_encoder = encoder
        self._renderer: FaceRenderer | None = None
        self._encoder: VideoEncoder | None = None
        self._opened_at = self.bitrate = bitrate
        self._last = -1
        self.cost_s = 0.003
        """Running mean of what a picture costs, in CPU-seconds."""

    def paint(self, stroke: Stroke, stats: Stats) -> EncodedPicture | None:
        """Draw and encode; None when a later picture was already made."""
        if stroke.sample <= self._last:
            return None
        self._last = stroke.sample
        started = time.thread_time()
        if self._renderer is None:
            self._renderer = self._make_renderer()
        if stroke.camera is not None and isinstance(self._renderer, Aimed):
            self._renderer.aim(stroke.camera)
        if stroke.sound is not None and isinstance(self._renderer, Hearing):
            self._renderer.hear(stroke.sound)
        picture = self._renderer.draw(stroke.pose, stroke.seconds)
        drawn = time.thread_time()
        packet = self._tuned_encoder().encode(picture, stroke.sample, key=stroke.key)
        done = time.thread_time()
        stats.draw_s += drawn - started
        stats.encode_s += done - drawn
        self.cost_s += 0.1 * (done - started - self.cost_s)
        return packet

    def close(self) -> None:
        """Free the encoder and the renderer; a later picture makes new ones."""
        if self._encoder is not None:
            self._encoder.close()
        self._encoder = self._renderer = None

    def _tuned_encoder(self) -> VideoEncoder:
        if self._encoder is None:
            self._opened_at = self.bitrate
            self._encoder = self._make_encoder(self.bitrate)
        elif self.bitrate != self._opened_at:
            self._opened_at = self.bitrate
            self._encoder.set_bitrate(self.bitrate)
        return self._encoder


Painted = EncodedPicture | Exception | None
"""A picture; None when it was dropped for being late; or what went wrong."""

Deliver = Callable[[Painted], None]
"""Called on the event loop."""


def try_paint(canvas: Canvas, stroke: Stroke, stats: Stats) -> Painted:
    """Paint; a failure is a value, so that it ends one session and not the thread."""
    try:
        return canvas.paint(stroke, stats)
    except Exception as error:
        return error


class Easel(Protocol):
    """Where pictures are made: the painter's thread, or inline in tests."""

    def paint(self, canvas: Canvas, stroke: Stroke, deliver: Deliver) -> None:
        """Make a picture and hand it to ``deliver`` on the event loop, unless it is too late."""

    def discard(self, canvas: Canvas) -> None:
        """Close a canvas when its last picture is made."""


@dataclass(order=True, slots=True)
class _Job:
    rank: float
    number: int
    work: Callable[[], None] = field(compare=False)


class Painter:
    """The thread. ``post`` hands results back to the event loop (``loop.call_soon_threadsafe``)."""

    def __init__(self, post: Callable[[Callable[[], None]], object], stats: Stats, name: str = "painter") -> None:
        self._post = post
        self._stats = stats
        self._jobs: list[_Job] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Pictures in the queue."""
        return len(self._jobs)

    def paint(self, canvas: Canvas, stroke: Stroke, deliver: Deliver) -> None:
        """See ``Easel``."""

        def work() -> None:
            painted: Painted = None
            if time.monotonic() <= stroke.due + TOO_LATE_S:
                painted = try_paint(canvas, stroke, self._stats)
            self._post(lambda: deliver(painted))

        self._add(stroke.due + canvas.cost_s, work)

    def discard(self, canvas: Canvas) -> None:
        """See ``Easel``."""
        self._add(time.monotonic() + 2 * TOO_LATE_S, canvas.close)

    def close(self) -> None:
        """Finish what is queued and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _add(self, rank: float, work: Callable[[], None]) -> None:
        with self._wake:
            heapq.heappush(self._jobs, _Job(rank, next(self._numbers), work))
            self._wake.notify()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            job.work()

    def _next(self) -> _Job | None:
        with self._wake:
            while not self._jobs and not self._closing:
                self._wake.wait()
            return heapq.heappop(self._jobs) if self._jobs else None
