"""The user's voice on its way into the conversation."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from livekit import rtc
from livekit.agents.voice import io

from mouthpiece.media import SAMPLE_RATE, Pcm

UNHEARD: Final = 250
"""Pieces of 20 ms that may wait: a loop that is five seconds late has lost the conversation anyway."""


class MicrophoneInput(io.AudioInput):
    """Takes 16 kHz sound as it arrives; the oldest is dropped, and counted, when nobody listens."""

    def __init__(self) -> None:
        super().__init__(label="mouthpiece microphone")
        self._waiting: deque[rtc.AudioFrame] = deque(maxlen=UNHEARD)
        self._news = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Pieces that were never heard."""

    def push(self, pcm: Pcm) -> None:
        """One more piece."""
        self.dropped += len(self._waiting) == UNHEARD
        self._waiting.append(rtc.AudioFrame(pcm.astype("<i2").tobytes(), SAMPLE_RATE, 1, len(pcm)))
        self._news.set()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._news.set()

    async def __anext__(self) -> rtc.AudioFrame:
        """The next piece."""
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
