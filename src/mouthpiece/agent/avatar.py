"""The agent of a conversation: what the mind says, by the chosen voice, with words for the lips and the transcript."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import replace
from typing import Final, Literal

from livekit import rtc
from livekit.agents import Agent, ModelSettings, llm
from livekit.agents.types import FlushSentinel
from livekit.agents.voice.io import TimedString

from mouthpiece.agent.base import Plan
from mouthpiece.agent.cast import Cast
from mouthpiece.agent.mouth import LIPS, SPOKEN
from mouthpiece.agent.script import Splitter, Spoken
from mouthpiece.agent.vigil import in_time
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.speech import EmbeddedTTS

log = logging.getLogger(__name__)

NO_MIND: Final = "I am sorry, my language model does not answer at the moment. Please try again."
NO_VOICE: Final = "I am sorry, my own voice does not work at the moment."
_SORRY: Final = NO_MIND.partition(". ")[0]

PIECE: Final = SAMPLE_RATE // 25
"""Samples of one piece of the embedded voice's sound: 40 ms."""

Failed = Callable[[Literal["mind", "voice"], Exception], None]


class Avatar(Agent):
    """The agent whose every sentence is read by the embedded voice first: for the lips, and for the transcript."""

    def __init__(self, plan: Plan, cast: Cast, answering: Callable[[], None], failed: Failed) -> None:
        """``answering`` is told whenever a mind that speaks itself has said something."""
        super().__init__(instructions=plan.instructions, chat_ctx=_history(plan))
        self._cast = cast
        self._answering = answering
        self._failed = failed
        self._line: object | None = object()
        self._spoken: Spoken | None = None  # of the answer that a mind which speaks itself has begun

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[llm.ChatChunk | str | FlushSentinel, None]:
        """The chosen mind; when it fails, the answer is an apology. Also when it was asked before the turn was over."""
        try:
            chunks = Agent.default.llm_node(self, chat_ctx, tools, model_settings)
            async for chunk in in_time(chunks, self._cast.answer_s):
                yield chunk
        except Exception as error:
            log.warning("the language model failed: %r", error)
            self._failed("mind", error)
            yield NO_MIND

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The chosen voice; when it fails, the embedded one says sorry and what is left."""
        if isinstance(self._cast.voice, EmbeddedTTS):
            async for frame in self._read_all(text):
                yield frame
            return
        spoken, unspoken = Spoken(), [""]
        try:
            noted = self._noted(text, spoken, unspoken)
            first = await anext(noted, "")
            if first.startswith(_SORRY):  # a mind that failed says so in the embedded voice
                async for frame in self.embedded(NO_MIND):
                    yield frame
                return
            async for frame in _at_our_rate(Agent.default.tts_node(self, _again(first, noted), model_settings)):
                unspoken.clear()
                spoken.sound_s += frame.duration
                yield _marked(frame, spoken)
            spoken.whole = True
        except Exception as error:
            log.warning("the voice failed, the embedded one takes over: %s", error)
            self._failed("voice", error)
            rest = "".join([*unspoken, *[piece async for piece in text]]) if unspoken else ""
            spoken.forget()
            async for frame in self.embedded(f"{NO_VOICE} {rest}", spoken):
                yield frame

    # --- a mind that speaks itself ------------------------------------------------------------------------------------
    def hang_up(self) -> None:
        """Nothing more is taken from the line that it speaks on."""
        self._line = None

    def take_up(self) -> None:
        """Listen to a new line."""
        self._line = object()

    def realtime_audio_output_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Its sound, marked with the words that ``transcription_node`` gets beside it."""
        self._spoken = Spoken()
        return self._said_by_itself(audio, self._spoken, self._line)

    async def _said_by_itself(
        self, audio: AsyncIterable[rtc.AudioFrame], spoken: Spoken, line: object | None
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        try:
            async for frame in _at_our_rate(in_time(audio, self._cast.answer_s)):
                if line is None or line is not self._line:
                    return
                self._answering()
                spoken.sound_s += frame.duration
                yield _marked(frame, spoken)
        except TimeoutError:
            if line is self._line:
                self._failed("mind", TimeoutError("it fell silent in the middle of an answer"))
            return
        spoken.whole = True

    async def transcription_node(
        self, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
    ) -> AsyncGenerator[str | TimedString, None]:
        """The words of an answer. Those of a mind that speaks itself are read for the lips and the transcript."""
        spoken, self._spoken = self._spoken, None
        async for piece in text if spoken is None else self._noted(text, spoken, []):
            yield piece

    async def _read_all(self, text: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The embedded voice, sentence by sentence as they come."""
        spoken, splitter = Spoken(), Splitter()
        async for piece in text:
            for sentence in splitter.push(piece):
                async for frame in self._read_out(sentence, spoken):
                    yield frame
        for sentence in splitter.rest():
            async for frame in self._read_out(sentence, spoken):
                yield frame
        spoken.whole = True

    async def _noted(self, text: AsyncIterable[str], spoken: Spoken, unspoken: list[str]) -> AsyncGenerator[str, None]:
        """Whole sentences, each read before it is passed on: the lips know it before its sound comes."""
        splitter = Splitter()

        async def note(sentences: list[str]) -> AsyncGenerator[str, None]:
            for sentence in sentences:
                spoken.add((await self._cast.read(sentence)).sentence)
                unspoken.append(sentence)
                yield sentence

        async for piece in text:
            async for sentence in note(splitter.push(piece)):
                yield sentence
        async for sentence in note(splitter.rest()):
            yield sentence

    async def embedded(self, text: str, spoken: Spoken | None = None) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The embedded voice."""
        spoken = spoken or Spoken()
        splitter = Splitter()
        for sentence in [*splitter.push(text), *splitter.rest()]:
            async for frame in self._read_out(sentence, spoken):
                yield frame
        spoken.whole = True

    async def _read_out(self, text: str, spoken: Spoken) -> AsyncGenerator[rtc.AudioFrame, None]:
        read = await self._cast.read(text)
        spoken.add(replace(read.sentence, lips=()))  # the lips are told exactly
        for start in range(0, len(read.pcm), PIECE):
            piece = read.pcm[start : start + PIECE]
            frame = rtc.AudioFrame(piece.astype("<i2").tobytes(), SAMPLE_RATE, 1, len(piece))
            if start == 0:
                frame.userdata[LIPS] = read.exact
            spoken.sound_s += frame.duration
            yield _marked(frame, spoken)


def _history(plan: Plan) -> llm.ChatContext:
    history = llm.ChatContext.empty()
    for line in plan.history:
        history.add_message(role=line.role, content=line.content, created_at=line.timestamp)
    return history


def _marked(frame: rtc.AudioFrame, spoken: Spoken) -> rtc.AudioFrame:
    frame.userdata[SPOKEN] = spoken
    return frame


async def _again(first: str, rest: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    """What was taken already, and the rest."""
    yield first
    async for piece in rest:
        yield piece


async def _at_our_rate(frames: AsyncIterable[rtc.AudioFrame]) -> AsyncGenerator[rtc.AudioFrame, None]:
    """At 16 kHz, whatever the voice gives."""
    resampler: rtc.AudioResampler | None = None
    async for frame in frames:
        if frame.sample_rate == SAMPLE_RATE:
            yield frame
            continue
        resampler = resampler or rtc.AudioResampler(frame.sample_rate, SAMPLE_RATE, num_channels=frame.num_channels)
        for piece in resampler.push(frame):
            yield piece
    if resampler is not None:
        for piece in resampler.flush():
            yield piece
