"""The operator's own ears and voices as livekit-agents parts. They work in threads; their models let go of the GIL."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from livekit.agents import APIConnectionError, APIConnectOptions, stt
from livekit.agents.language import LanguageCode
from livekit.agents.types import NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer

from mouthpiece.errors import NotConfigured
from mouthpiece.media import Pcm
from mouthpiece.providers.hearing import at_our_rate
from mouthpiece.providers.own import OwnEars, OwnVoice, open_ears, open_voice
from mouthpiece.providers.speech import PiecewiseTTS
from mouthpiece.settings import AgentSettings

log = logging.getLogger(__name__)

Part = TypeVar("Part")


def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, "own-speech")


@dataclass(frozen=True, slots=True)
class OwnSpeech:
    """What the operator has of it. Its threads are shared by all conversations."""

    ears: OwnEars | None = None
    voice: OwnVoice | None = None
    executor: ThreadPoolExecutor = field(default_factory=_executor)

    @classmethod
    def of(cls, settings: AgentSettings) -> OwnSpeech:
        """As the settings name it. What is missing is said in the log, and the embedded part takes its place."""
        return cls(_there(open_ears, settings, "ears"), _there(open_voice, settings, "voice"))

    async def warm(self) -> None:
        """Load the models now. One that does not load is said in the log; who asks for it gets its failure."""
        for part in (self.ears, self.voice):
            if part is not None:
                try:
                    await asyncio.get_running_loop().run_in_executor(self.executor, part.open)
                except Exception:  # a stranger's file may raise anything
                    log.exception("%s does not load", part.name)

    def close(self) -> None:
        """End the threads."""
        self.executor.shutdown(wait=False, cancel_futures=True)


def _there(make: Callable[[AgentSettings], Part | None], settings: AgentSettings, what: str) -> Part | None:
    try:
        return make(settings)
    except NotConfigured as fault:
        log.error("%s; the embedded %s takes its place", fault, what)
        return None


class OwnSTT(stt.STT[str]):
    """Ears that hear an utterance when it is over; the library's voice detector cuts them out."""

    def __init__(self, ears: OwnEars, executor: ThreadPoolExecutor, language: str) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._ears = ears
        self._executor = executor
        self._language = language

    @property
    def model(self) -> str:
        """The engine."""
        return self._ears.name

    @property
    def provider(self) -> str:
        """Whose it is."""
        return "own"

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        wanted = language or self._language
        pcm = np.frombuffer(at_our_rate(buffer), np.int16)
        try:
            words = await asyncio.get_running_loop().run_in_executor(self._executor, self._ears.hear, pcm, wanted)
        except Exception as error:  # a stranger's model may raise anything
            raise APIConnectionError(f"{self._ears.name}: {error}", retryable=False) from error
        data = stt.SpeechData(language=LanguageCode(wanted), text=words)
        kind = stt.SpeechEventType.FINAL_TRANSCRIPT
        return stt.SpeechEvent(type=kind, request_id=uuid.uuid4().hex, alternatives=[data])


class OwnTTS(PiecewiseTTS):
    """A voice of one's own."""

    def __init__(self, voice: OwnVoice, executor: ThreadPoolExecutor) -> None:
        super().__init__(voice.rate)
        self.voice = voice
        self.executor = executor

    @property
    def model(self) -> str:
        """The engine."""
        return self.voice.name

    @property
    def provider(self) -> str:
        """Whose it is."""
        return "own"

    async def pieces(self, text: str) -> AsyncIterator[Pcm]:
        """See ``PiecewiseTTS``."""
        pieces = self.voice.say(text)
        loop = asyncio.get_running_loop()

        def following() -> Pcm | None:
            return next(pieces, None)

        try:
            while (pcm := await loop.run_in_executor(self.executor, following)) is not None:
                yield pcm
        except Exception as error:  # a stranger's model may raise anything
            raise APIConnectionError(f"{self.voice.name}: {error}", retryable=False) from error
