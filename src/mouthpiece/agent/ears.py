"""The user's voice on its way into the conversation, and how much of it was speech."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, cast

from livekit import rtc
from livekit.agents import inference, vad
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


class SpeechDetector(inference.VAD):
    """The library's, which also tells ``spoken`` when speech begins (None) and ends: how many seconds it was.

    Counted in samples: by the clock of a busy machine it may have been half or twice as long.
    """

    def __init__(self, executor: Executor, spoken: Callable[[float | None], None]) -> None:
        super().__init__(model="silero", min_silence_duration=0.25, executor=executor)
        self._spoken = spoken

    def stream(self) -> vad.VADStream:
        """Listen to one voice."""
        return cast(vad.VADStream, _Telling(super().stream(), self._spoken))


class _Telling:
    """A stream that tells of what it gives."""

    def __init__(self, inner: vad.VADStream, spoken: Callable[[float | None], None]) -> None:
        self._inner = inner
        self._spoken = spoken

    def __getattr__(self, name: str) -> object:
        found: object = getattr(self._inner, name)
        return found

    def __aiter__(self) -> _Telling:
        return self

    async def __anext__(self) -> vad.VADEvent:
        event = await self._inner.__anext__()
        if event.type == vad.VADEventType.START_OF_SPEECH:
            self._spoken(None)
        elif event.type == vad.VADEventType.END_OF_SPEECH:
            self._spoken(event.speech_duration)
        return event
