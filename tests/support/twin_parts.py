"""Parts of a conversation that do what a test says: ears that know the words, minds and voices that fail."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, llm, stt, tts
from livekit.agents.language import LanguageCode
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer

from mouthpiece.providers.chat import TextLLM
from mouthpiece.providers.sphinx import Gate


class KnowingEars(stt.STT[str]):
    """Hear when somebody has spoken, and know the words beforehand."""

    def __init__(self, *words: str) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self.words = list(words)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        return _Knowing(stt=self, conn_options=conn_options, sample_rate=16_000)

    async def _recognize_impl(
        self, buffer: AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        raise NotImplementedError


class _Knowing(stt.RecognizeStream):
    async def _run(self) -> None:
        assert isinstance(self._stt, KnowingEars)
        gate = Gate()
        async for item in self._input_ch:
            pieces = gate.push(bytes(item.data)) if isinstance(item, rtc.AudioFrame) else []
            if "end" in pieces and self._stt.words:
                data = stt.SpeechData(LanguageCode("en"), self._stt.words.pop(0), confidence=1.0)
                kind = stt.SpeechEventType.FINAL_TRANSCRIPT
                self._event_ch.send_nowait(stt.SpeechEvent(kind, uuid.uuid4().hex, [data]))


class ScriptedMind(TextLLM):
    """Says ``answers``, the last of them ever after. None: hangs after a word, for good."""

    def __init__(self, *answers: str | Exception | None) -> None:
        super().__init__()
        self.answers = list(answers)
        self.contexts: list[llm.ChatContext] = []

    async def pieces(self, chat_ctx: llm.ChatContext, timeout_s: float) -> AsyncIterator[str]:
        self.contexts.append(chat_ctx.copy())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        for word in (answer or "Well,").split(" "):
            yield word + " "
        if answer is None:
            await asyncio.Event().wait()


class BrokenVoice(tts.TTS[str]):
    """Says ``seconds`` of a hum, then fails."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=24_000, num_channels=1)
        self.seconds = seconds

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return _Breaking(tts=self, input_text=text, conn_options=conn_options)


class _Breaking(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, BrokenVoice)
        output_emitter.initialize(request_id="1", sample_rate=24_000, num_channels=1, mime_type="audio/pcm")
        if self._tts.seconds:
            output_emitter.push(b"\x00\x10\x00\xf0" * round(12_000 * self._tts.seconds))
            output_emitter.flush()
            await asyncio.sleep(0)
        raise APIConnectionError("the line went dead")
