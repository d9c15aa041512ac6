"""The sound of an agent, as it comes over LiveKit: one byte stream a segment, much faster than it is played."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mouthpiece.codec.resample import Downmix
from mouthpiece.transport.base import RoomListener

log = logging.getLogger(__name__)

IDLE_S: Final = 10.0
"""A stream that says nothing for so long has lost its end."""
AT_HAND_S: Final = 0.05
RATES: Final = range(8_000, 192_001)
CHANNELS: Final = range(1, 9)


class Stream(Protocol):
    """A byte stream that comes in pieces of any length."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces."""
        ...


@dataclass(slots=True)
class _Segment:
    stream: Stream
    rate: int
    channels: int
    heard: bool = False  # the listener got some of it
    cleared: bool = False  # what still comes is not wanted


class Segments:
    """Reads one stream after the other and hands the sound on as PCM16LE at 16 kHz, mono.

    A segment ends with its stream, or when a newer one comes (its sender never overlaps them, so the end was lost), or
    after ten silent seconds. After ``clear`` the rest of every stream that is known by then is thrown away; ``unheard``
    is called for each of those of which nothing had been handed on.
    """

    def __init__(self, listener: RoomListener, unheard: Callable[[], None], idle_s: float = IDLE_S) -> None:
        self._listener = listener
        self._unheard = unheard
        self._idle_s = idle_s
        self._waiting: deque[_Segment] = deque()
        self._current: _Segment | None = None
        self._news = asyncio.Event()  # a stream was opened, or cleared

    def opened(self, stream: Stream, attributes: Mapping[str, str]) -> None:
        """The speaker opened a stream. One in a format that is not understood is logged and not read."""
        try:
            rate, channels = int(attributes["sample_rate"]), int(attributes["num_channels"])
        except (KeyError, ValueError):
            rate = channels = 0
        if rate not in RATES or channels not in CHANNELS:
            log.warning("an agent's audio stream has no usable sample_rate and num_channels: %s", dict(attributes))
            return
        self._waiting.append(_Segment(stream, rate, channels))
        self._news.set()

    def clear(self) -> None:
        """The speaker was interrupted."""
        for segment in (self._current, *self._waiting):
            if segment is not None:
                segment.cleared = True
        self._listener.on_clear()
        self._news.set()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            self._current = self._waiting.popleft()
            try:
                await self._read(self._current)
            except ConnectionError as error:  # the room is gone, or the sender is
                log.info("an agent's audio stream broke: %s", error)
            finally:
                self._current = None
            self._listener.on_segment_end()

    async def _read(self, segment: _Segment) -> None:
        ear = Downmix(segment.rate, segment.channels)
        pieces = aiter(segment.stream)
        while not (segment.cleared and segment.heard):
            if (piece := await self._next(segment, pieces)) is None:
                break
            if not segment.cleared:
                self._hand_on(segment, ear.hear(piece))
            elif not segment.heard:
                segment.heard = True
                self._unheard()
        if not segment.cleared:
            self._hand_on(segment, ear.rest())

    def _hand_on(self, segment: _Segment, data: bytes) -> None:
        if data:
            segment.heard = True
            self._listener.on_segment_sound(data)

    async def _next(self, segment: _Segment, pieces: AsyncIterator[bytes]) -> bytes | None:
        """The next piece; None at the end, or when no more is to be waited for. A piece that is there comes first."""
        # What came before the next stream was opened is at hand by then: it needs a few rounds of the loop, no more.
        coming = asyncio.ensure_future(anext(pieces, None))
        try:
            while True:
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                try:
                    done, _ = await asyncio.wait(
                        {coming, news},
                        timeout=AT_HAND_S if self._waiting else self._idle_s,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    news.cancel()
                if coming in done:
                    return coming.result()
                if not done or (segment.cleared and segment.heard):
                    return None
        finally:
            coming.cancel()
