"""Faces at rest, drawn once for everybody who looks at the same one.

The idle life of a look is a pure function of time, so all idle sessions of one look and codec share one renderer and
one encoder, and a session that begins to speak goes on from the very same pose. A session joins at a key frame; key
frames are made for joiners and for viewers that cannot decode, at most once a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from mouthpiece.live.painter import Canvas, Easel, Painted, Stroke
from mouthpiece.live.stats import Stats
from mouthpiece.media import REST, SAMPLE_RATE, TICK, EncodedPicture

CALM_EVERY: Final = 4
"""Ticks between pictures while nothing moves fast: 12.5 a second."""

LIVELY_EVERY: Final = 2
"""Ticks between pictures in a blink or a glance: 25 a second."""

KEY_EVERY: Final = 50
"""Ticks between forced key frames at the least: one second."""


class Viewer(Protocol):
    """A session that looks at a shared idle face."""

    def show_idle(self, tick: int, packet: EncodedPicture) -> None:
        """A picture of the shared face, for tick ``tick``."""

    def idle_failed(self, error: Exception) -> None:
        """The face cannot be drawn."""


class IdleShare:
    """One face at rest and those who look at it. Lives on the event loop."""

    def __init__(
        self, new_canvas: Callable[[], Canvas], lively: Callable[[float], bool], easel: Easel, stats: Stats
    ) -> None:
        self._new_canvas = new_canvas
        self._canvas = new_canvas()
        self._lively = lively
        self._easel = easel
        self._stats = stats
        self.private = False
        """Whether the life begins with its only session instead of the worker."""
        self._viewers: set[Viewer] = set()
        self._joining: set[Viewer] = set()
        self._key_wanted = True
        self._keyed_at = -KEY_EVERY
        self._drawn_at = -CALM_EVERY
        self.origin = 0
        """Tick at which the face's life began: the worker's first, or that of the only session that looks."""

    @property
    def empty(self) -> bool:
        """Whether nobody looks any more."""
        return not (self._viewers or self._joining)

    def join(self, viewer: Viewer) -> None:
        """Begin to look at the next key frame, which is asked for."""
        self._joining.add(viewer)
        self._key_wanted = True

    def leave(self, viewer: Viewer) -> None:
        """Look away at once; the last one out frees the encoder. Idempotent."""
        was_empty = self.empty
        self._joining.discard(viewer)
        self._viewers.discard(viewer)
        if self.empty and not was_empty:
            self._easel.discard(self._canvas)
            self._canvas = self._new_canvas()
            self._keyed_at, self._key_wanted = -KEY_EVERY, True

    def want_key(self) -> None:
        """Somebody cannot decode."""
        self._key_wanted = True

    def tick(self, k: int, due: float) -> None:
        """Draw if somebody looks and a picture is due at tick ``k``."""
        if self.empty:
            return
        seconds = (k - self.origin) * TICK / SAMPLE_RATE
        if k - self._drawn_at < (LIVELY_EVERY if self._lively(seconds) else CALM_EVERY):
            return
        self._drawn_at = k
        key = self._key_wanted and k - self._keyed_at >= KEY_EVERY
        if key:
            self._key_wanted, self._keyed_at = False, k
        stroke = Stroke(REST, seconds, k * TICK, due, key=key)
        self._easel.paint(self._canvas, stroke, lambda painted: self._painted(k, painted))

    def _painted(self, k: int, painted: Painted) -> None:
        if isinstance(painted, Exception):
            for viewer in (*self._viewers, *self._joining):
                viewer.idle_failed(painted)
        elif painted is None:
            self._stats.late_pictures += 1
            self._key_wanted = self._key_wanted or self._keyed_at == k
        else:
            self._stats.idle_pictures += 1
            if painted.key:
                self._viewers |= self._joining
                self._joining.clear()
            for viewer in tuple(self._viewers):
                viewer.show_idle(k, painted)
