"""A viewer's voice in, as it arrives: packets in order, decoded at once.

The WebRTC library's own way waits for four packets before the first, keeps whatever delay a lost packet has caused for
ever (up to a third of a second), and decodes in a thread per peer. A conversation needs the voice now: here a packet
waits only while an earlier one may still come, at most 40 ms, and is decoded on the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import numpy as np

from mouthpiece.codec.opus import OpusDecoder
from mouthpiece.media import Pcm

WAIT: Final = 2
"""Packets that may wait for an earlier one."""
RESTART: Final = 100
"""A jump of more packets than this, either way, is a new stream."""
CONCEALED: Final = 5
"""Lost packets that are filled with silence; a longer gap is left out, the speaker may as well have paused."""


class Packet(Protocol):
    """What is needed of an RTP packet."""

    @property
    def sequence_number(self) -> int:
        """16 bits."""
        ...

    @property
    def timestamp(self) -> int:
        """32 bits, of the 48 kHz clock."""
        ...


class Reorder:
    """RTP packets in any order to payloads in order; None stands for a packet that was lost."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._waiting: dict[int, bytes] = {}

    def push(self, sequence: int, payload: bytes) -> Iterator[bytes | None]:
        """Take a packet; yield what can be played now."""
        if self._next is None or self._jump(sequence) > RESTART:
            self._next, self._waiting = sequence, {}
        if _ahead(sequence, self._next) < 0:
            return  # too late: its time was played as silence
        self._waiting[sequence] = payload
        yield from self._ready()
        if len(self._waiting) > WAIT:
            yield from self._skip()
            yield from self._ready()

    def _jump(self, sequence: int) -> int:
        return 0 if self._next is None else abs(_ahead(sequence, self._next))

    def _ready(self) -> Iterator[bytes]:
        while self._next is not None and self._next in self._waiting:
            yield self._waiting.pop(self._next)
            self._next = (self._next + 1) & 0xFFFF

    def _skip(self) -> Iterator[None]:
        """Give up on the packets before the first that waits."""
        first = self._next or 0
        lost = min(_ahead(sequence, first) for sequence in self._waiting)
        self._next = (first + lost) & 0xFFFF
        yield from [None] * min(lost, CONCEALED)


def _ahead(sequence: int, reference: int) -> int:
    """How far ``sequence`` is ahead of ``reference``, -32768..32767 (RFC 1982)."""
    return (sequence - reference + 0x8000 & 0xFFFF) - 0x8000


class Mirror:
    """RTP timestamps of packets on their way back: as far apart as they came, the first at ``start``.

    A packet that comes after a later one is not sent back: its time is over.
    """

    def __init__(self, start: int) -> None:
        self._next = start
        self._last: int | None = None

    def place(self, timestamp: int) -> int | None:
        """Where a packet with this timestamp (32 bits) goes, in the same clock without its limit; None: nowhere."""
        step = 0 if self._last is None else (timestamp - self._last + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        if step < 0 or (step == 0 and self._last is not None):
            return None
        self._last = timestamp
        self._next += step
        return self._next


class MicrophoneBuffer:
    """Stands where the WebRTC library keeps its jitter buffer: takes each packet, gives nothing back.

    ``heard`` is told the sound, and ``came`` (payload, RTP timestamp) every packet as it came.
    """

    def __init__(self, heard: Callable[[Pcm], None], came: Callable[[bytes, int], None] | None = None) -> None:
        self._heard = heard
        self._came = came
        self._reorder = Reorder()
        self._decoder = OpusDecoder()
        self._last = np.zeros(320, np.int16)

    def add(self, packet: Packet) -> tuple[bool, None]:
        """Called by the library with every packet of the stream; the payload is in ``_data``."""
        payload = bytes(getattr(packet, "_data", b""))
        if self._came is not None and payload:
            self._came(payload, packet.timestamp)
        for part in self._reorder.push(packet.sequence_number, payload):
            pcm = np.zeros_like(self._last) if part is None else self._decoder.decode(part)
            if pcm.size:
                self._last = pcm
                self._heard(pcm)
        return False, None
