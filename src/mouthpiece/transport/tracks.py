"""Tracks that hand ready packets to the WebRTC library's senders, through short queues that never block."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Literal

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from mouthpiece.codec.packet import RtpPayload

SOUND_QUEUE: Final = 25
"""Packets (half a second). The sender empties the queue in the same turn of the loop; it fills only when it died."""
PICTURE_QUEUE: Final = 12


class PacketTrack(MediaStreamTrack):
    """An outgoing stream of encoded packets. One sender reads it."""

    def __init__(self, kind: Literal["audio", "video"], limit: int) -> None:
        self.kind = kind
        super().__init__()
        self._queue: deque[RtpPayload] = deque()
        self._limit = limit
        self._filled = asyncio.Event()
        self._sent_pts: int | None = None
        self.dropped = 0

    @property
    def sent_pts(self) -> int | None:
        """RTP timestamp, less the random origin, of the packet that left last; None before the first."""
        return self._sent_pts

    def put(self, packet: RtpPayload) -> bool:
        """Queue a packet; False when the queue was full and everything in it, this one included, was dropped."""
        if len(self._queue) >= self._limit:
            self.dropped += len(self._queue) + 1
            self._queue.clear()
            return False
        self._queue.append(packet)
        self._filled.set()
        return True

    async def recv(self) -> RtpPayload:
        """The next packet, as soon as there is one. Raises MediaStreamError when the track has ended."""
        while not self._queue:
            if self.readyState != "live":
                raise MediaStreamError
            self._filled.clear()
            await self._filled.wait()
        packet = self._queue.popleft()
        self._sent_pts = packet.pts
        return packet

    def stop(self) -> None:
        """End the track. Idempotent."""
        super().stop()
        self._filled.set()
