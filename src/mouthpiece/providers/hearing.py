"""The embedded ears as livekit-agents ears: words while they are said, and for good as soon as the speaker pauses."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, stt
from livekit.agents.language import LanguageCode
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer

from mouthpiece.errors import Unavailable
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.sphinx import Gate, Heard, SphinxEars

LANGUAGE: Final = "en-US"
"""All that they understand."""

LONGEST: Final = 60 * SAMPLE_RATE * 2
"""Bytes of an utterance that may wait for a free helper; of a longer one the beginning is lost."""


class EmbeddedSTT(stt.STT[str]):
    """PocketSphinx. The pool is shared and not closed with it."""

    def __init__(self, ears: SphinxEars) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True, offline_recognize=True))
        self.ears = ears

    @property
    def model(self) -> str:
        """The engine."""
        return "pocketsphinx"

    @property
    def provider(self) -> str:
        """Ours."""
        return "mouthpiece"

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        """Listen to one voice."""
        return _Listening(stt=self, conn_options=conn_options, sample_rate=SAMPLE_RATE)

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        heard: list[Heard] = []

        async def note(one: Heard) -> None:
            heard.append(one)

        utterance = Utterance(self.ears, note)
        utterance.feed(at_our_rate(buffer))
        await utterance.finish()
        return _event(heard[-1])


def at_our_rate(buffer: AudioBuffer) -> bytes:
    """Recorded mono sound as PCM16LE at 16 kHz."""
    frame = rtc.combine_audio_frames(buffer)
    if frame.sample_rate != SAMPLE_RATE:
        resampler = rtc.AudioResampler(frame.sample_rate, SAMPLE_RATE, num_channels=frame.num_channels)
        frame = rtc.combine_audio_frames([*resampler.push(frame), *resampler.flush()])
    return bytes(frame.data)


def _event(heard: Heard) -> stt.SpeechEvent:
    kind = stt.SpeechEventType.FINAL_TRANSCRIPT if heard.final else stt.SpeechEventType.INTERIM_TRANSCRIPT
    data = stt.SpeechData(language=LanguageCode(LANGUAGE), text=heard.words, confidence=heard.confidence)
    return stt.SpeechEvent(type=kind, request_id=uuid.uuid4().hex, alternatives=[data])


class Utterance:
    """One utterance: takes sound at once, and brings it to a helper as soon as one is free."""

    def __init__(self, ears: SphinxEars, tell: Callable[[Heard], Awaitable[None]]) -> None:
        self._ears = ears
        self._tell = tell
        self._waiting = bytearray()
        self._news = asyncio.Event()
        self._over = False
        self._task = asyncio.create_task(self._hear(), name="embedded-ears")

    def feed(self, data: bytes) -> None:
        """More sound."""
        self._waiting += data
        del self._waiting[: max(0, len(self._waiting) - LONGEST)]
        self._news.set()

    async def finish(self) -> None:
        """No more comes: wait for the words. Raises Unavailable."""
        self._over = True
        self._news.set()
        await self._task

    async def drop(self) -> None:
        """Nobody wants the words any more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Unavailable):
            await self._task

    async def _hear(self) -> None:
        helper = await self._ears.take()
        try:
            await helper.begin()
            feeding = asyncio.create_task(self._feed(helper.send))
            try:
                while not (heard := await helper.next()).final:
                    await self._tell(heard)
            finally:
                feeding.cancel()
        finally:
            self._ears.give_back(helper)
        await self._tell(heard)

    async def _feed(self, send: Callable[[bytes, bytes], None]) -> None:
        while True:
            data, over = bytes(self._waiting), self._over
            self._waiting.clear()
            self._news.clear()
            if data:
                send(b"A", data)
            if over:
                send(b"E", b"")
                return
            await self._news.wait()


class _Listening(stt.RecognizeStream):
    """One voice, utterance after utterance. The words of a finished one come while the next is being heard."""

    async def _run(self) -> None:
        gate, current = Gate(), None
        finishing: set[asyncio.Task[None]] = set()
        try:
            async for item in self._input_ch:
                pieces = gate.push(bytes(item.data)) if isinstance(item, rtc.AudioFrame) else gate.close()
                for piece in pieces:
                    if isinstance(piece, bytes):
                        if current is not None:
                            current.feed(piece)
                    elif piece == "begin":
                        current = Utterance(self._stt_ears, self._note)
                    elif current is not None:
                        finishing.add(asyncio.create_task(current.finish()))
                        current = None
                self._raise_failed(finishing)
            if current is not None:
                finishing.add(asyncio.create_task(current.finish()))
            await asyncio.gather(*finishing)
        except Unavailable as error:
            raise APIConnectionError(str(error)) from error
        finally:
            for task in finishing:
                task.cancel()
            if current is not None:
                await current.drop()

    @property
    def _stt_ears(self) -> SphinxEars:
        assert isinstance(self._stt, EmbeddedSTT), "made by its stream()"
        return self._stt.ears

    async def _note(self, heard: Heard) -> None:
        if heard.words:
            self._event_ch.send_nowait(_event(heard))

    @staticmethod
    def _raise_failed(finishing: set[asyncio.Task[None]]) -> None:
        for task in [task for task in finishing if task.done()]:
            finishing.discard(task)
            task.result()
