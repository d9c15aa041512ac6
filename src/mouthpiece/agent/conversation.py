"""One voice conversation: a livekit-agents session without a room, between a microphone and a mouth.

What is ours here: sound in and out, the words for the lips and for the transcript, what happens when a provider fails,
and when it is over. Turn taking, interruption and speculation are the library's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from livekit import rtc
from livekit.agents import Agent, AgentSession, ModelSettings, inference, llm, stt, tts
from livekit.agents.types import NOT_GIVEN, FlushSentinel
from livekit.agents.voice import (
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.agents.voice.io import TimedString

from mouthpiece.agent.base import Caption, Fault, Finished, Line, Mouth, Plan, Said, StateChanged, Tell
from mouthpiece.agent.ears import MicrophoneInput
from mouthpiece.agent.endpointing import MIN_DELAY_S, PatientDetector
from mouthpiece.agent.mouth import LIPS, SPOKEN, SpeechOutput
from mouthpiece.agent.script import Sentence, Splitter, Spoken
from mouthpiece.agent.turns import TurnClock
from mouthpiece.lipsync.script import Script
from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.providers.cloud import PATIENCE
from mouthpiece.providers.kinds import Ears, Mind, Voice
from mouthpiece.providers.speech import EmbeddedTTS

log = logging.getLogger(__name__)

NEVER: Final = 1_000_000
"""Provider failures after which the library would give the conversation up: a provider may come back."""

NO_MIND: Final = "I am sorry, my language model does not answer at the moment. Please try again."
NO_EARS: Final = "I am sorry, I cannot understand you at the moment. Please try again."
NO_VOICE: Final = "I am sorry, my own voice does not work at the moment."
_SORRY: Final = NO_MIND.partition(". ")[0]
REST_S: Final = 5.0
"""After which a speech-to-speech model that failed is called again."""

QUIET_S: Final = 20.0
"""Between two apologies for the same failing part."""

PIECE: Final = SAMPLE_RATE // 25
"""Samples of one piece of the embedded voice's sound: 40 ms."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence as the embedded voice reads it: its sound, and exactly what is said in it."""

    sentence: Sentence
    pcm: Pcm
    exact: Script


Read = Callable[[str], Awaitable[Reading]]
"""The embedded voice. A sentence that it cannot read keeps its words, without sound."""


Failed = Callable[[Literal["mind", "voice"], Exception], None]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part. ``voice`` None: the caller sends the avatar's speech, and nothing is answered.

    ``read`` is the embedded voice: it reads every sentence for the lips, and speaks when ``voice`` fails.
    ``executor`` runs the voice activity detector. ``close`` ends what was opened for this conversation only.
    ``patience_s``: how long a turn that does not sound finished is waited for. ``redial`` makes a speech-to-speech
    ``mind`` anew, whose line broke down.
    """

    ears: Ears | None
    mind: Mind | None
    voice: Voice | None
    read: Read
    executor: Executor
    close: Callable[[], Awaitable[None]]
    patience_s: float = 0.6
    redial: Callable[[], Mind] | None = None


class Conversation:
    """See ``base.Talk``."""

    def __init__(self, plan: Plan, cast: Cast, mouth: Mouth, tell: Tell) -> None:
        self._plan = plan
        self._cast = cast
        self._mouth = mouth
        self._tell = tell
        self._microphone = MicrophoneInput()
        self._speech = SpeechOutput(mouth, lambda text, final: tell(Caption("assistant", text, final)))
        self._turns = TurnClock(tell, time.time)
        self._session: AgentSession[None] = _session(plan, cast)
        self._agent = _Avatar(plan, cast, self._failed)
        self._spoke_at = time.monotonic()
        self._quiet = asyncio.Event()  # the user is not speaking
        self._quiet.set()
        self._minds: list[Mind] = []  # made anew
        self._apologies: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    # --- base.Talk --------------------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Begin to listen, and say what is to be said first."""
        self._session.input.audio = self._microphone
        self._session.output.audio = self._speech
        self._follow()
        await self._session.start(agent=self._agent, record=False)
        self._spawn(self._watch_idle())
        self._say_first()

    def hear(self, pcm: Pcm) -> None:
        """The user's voice."""
        self._microphone.push(pcm)

    def played(self, openness: float = 0.0) -> None:
        """One more tick was played."""
        if self._closed:
            return
        self._speech.advance()
        if self._speech.speaking:
            self._spoke_at = time.monotonic()
        self._turns.shown(openness)

    def interrupt(self) -> None:
        """Stop speaking."""
        if self._cast.voice is None and self._cast.mind is None:
            self._mouth.skip()
        elif not self._closed:
            self._session.interrupt(force=True)

    async def close(self) -> None:
        """End. What was being said is told as interrupted."""
        if self._closed:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(RuntimeError):  # nothing was being said
            self._session.interrupt(force=True)
        self._speech.clear_buffer()
        self._microphone.close()
        await self._session.aclose()
        self._closed = True
        for mind in self._minds:
            await mind.aclose()
        await self._cast.close()

    # --- what is said first ------------------------------------------------------------------------------------------
    def _say_first(self) -> None:
        for notice in self._plan.notices:
            self._say_embedded(notice)
        first = self._plan.first_message
        if first and not self._plan.history and not self._silent:
            if isinstance(self._cast.mind, llm.RealtimeModel) and self._cast.voice is None:
                self._session.generate_reply(instructions=f"Greet the user with exactly these words: {first}")
            else:
                self._session.say(first)

    @property
    def _silent(self) -> bool:
        """The caller speaks for the avatar."""
        return self._cast.voice is None and self._cast.mind is None

    def _say_embedded(self, text: str) -> None:
        """In the embedded voice, whatever the avatar's own voice is."""
        self._session.say(text, audio=self._agent.embedded(text), add_to_chat_ctx=False)

    # --- what happens ------------------------------------------------------------------------------------------------
    def _follow(self) -> None:
        session = self._session
        session.on("user_state_changed", self._user_state)
        session.on("agent_state_changed", self._avatar_state)
        session.on("user_input_transcribed", self._transcribed)
        session.on("conversation_item_added", self._item)
        session.on("error", self._error)

    def _user_state(self, event: UserStateChangedEvent) -> None:
        self._spoke_at = time.monotonic()
        speaking = event.new_state == "speaking"
        (self._quiet.clear if speaking else self._quiet.set)()
        self._turns.user(speaking=speaking)
        self._tell(StateChanged("user", "speaking" if speaking else "listening"))
        if speaking and self._silent:
            self._mouth.skip()  # nobody else takes the turns here

    def _avatar_state(self, event: AgentStateChangedEvent) -> None:
        if event.new_state in ("listening", "thinking", "speaking"):
            self._turns.avatar(event.new_state)
            self._tell(StateChanged("assistant", event.new_state))

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        self._tell(Caption("user", event.transcript, event.is_final))
        if event.is_final and self._silent and event.transcript.strip():
            self._tell(Said(Line("user", event.transcript, event.created_at)))

    def _item(self, event: ConversationItemAddedEvent) -> None:
        message = event.item
        if not isinstance(message, llm.ChatMessage) or message.role not in ("user", "assistant"):
            return
        role: Literal["user", "assistant"] = "user" if message.role == "user" else "assistant"
        self._turns.item(role, dict(message.metrics or {}))
        if text := (message.text_content or "").strip():
            self._tell(Said(Line(role, text, message.created_at, message.interrupted)))

    def _error(self, event: ErrorEvent) -> None:
        error = event.error
        reason = str(getattr(error, "error", error))[:300]
        recovers, kind = getattr(error, "recoverable", False), getattr(error, "type", "")
        if kind == "stt_error" and not recovers:
            self._apologise("ears", reason, NO_EARS)
        elif kind == "realtime_model_error":  # also when it dials again by itself: the answer was lost
            self._apologise("mind", reason, NO_MIND)
            if not recovers:
                self._spawn(self._call_again())

    async def _call_again(self) -> None:
        """A speech-to-speech model that failed has hung up: a new line to it, with what was said so far."""
        await asyncio.sleep(REST_S)
        assert self._cast.redial is not None, "every mind of that kind can be made anew"
        self._minds.append(mind := self._cast.redial())
        self._agent = _Avatar(self._plan, self._cast, self._failed, (self._agent.chat_ctx, mind))
        self._session.update_agent(self._agent)

    def _failed(self, stage: Literal["mind", "voice"], error: Exception) -> None:
        """A part failed in the middle of an answer, which says so itself."""
        self._tell(Fault(stage, str(error)[:300]))

    def _apologise(self, stage: Literal["ears", "mind"], reason: str, words: str) -> None:
        """Say sorry, but not over and over."""
        self._tell(Fault(stage, reason))
        now = time.monotonic()
        if now - self._apologies.get(stage, -QUIET_S) >= QUIET_S:
            self._apologies[stage] = now
            self._spawn(self._say_when_quiet(words))

    async def _say_when_quiet(self, words: str) -> None:
        """Not into the user's own words, which would cut it off."""
        await self._quiet.wait()
        self._say_embedded(words)

    async def _watch_idle(self) -> None:
        while (left := self._spoke_at + self._plan.max_idle_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 1.0))
            if self._session.user_state == "speaking":
                self._spoke_at = time.monotonic()
        self._tell(Finished("idle"))

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Session(AgentSession[None]):
    """The library's session, which closes when a speech-to-speech model fails, however often others may."""

    def _on_error(self, error: llm.LLMError | stt.STTError | tts.TTSError | llm.RealtimeModelError) -> None:
        if error.type != "realtime_model_error":
            super()._on_error(error)


def _session(plan: Plan, cast: Cast) -> AgentSession[None]:
    """The library's session, with nothing that reaches the network by itself."""
    realtime = isinstance(cast.mind, llm.RealtimeModel)
    more: dict[str, Any] = {name: part for name, part in (("stt", cast.ears), ("tts", cast.voice)) if part is not None}
    if cast.mind is not None:
        more["llm"] = cast.mind
    return _Session(
        vad=inference.VAD(model="silero", min_silence_duration=0.25, executor=cast.executor),
        turn_handling={
            "turn_detection": "realtime_llm" if realtime else PatientDetector(plan.language, cast.patience_s),
            "endpointing": {"mode": "fixed", "min_delay": MIN_DELAY_S, "max_delay": MIN_DELAY_S},
            "interruption": {
                "mode": "vad",
                "min_duration": 0.3,
                "resume_false_interruption": False,
                "false_interruption_timeout": None,
            },
            "preemptive_generation": {"enabled": True, "preemptive_tts": False},
        },
        user_away_timeout=None,
        aec_warmup_duration=None,
        conn_options=SessionConnectOptions(PATIENCE, PATIENCE, PATIENCE, max_unrecoverable_errors=NEVER),
        **more,
    )


class _Avatar(Agent):
    """The agent whose every sentence is read by the embedded voice first: for the lips, and for the transcript."""

    def __init__(
        self, plan: Plan, cast: Cast, failed: Failed, goes_on: tuple[llm.ChatContext, Mind] | None = None
    ) -> None:
        """``goes_on``: what was said so far, and a mind of its own."""
        said, mind = goes_on or (_history(plan), NOT_GIVEN)
        super().__init__(instructions=plan.instructions, chat_ctx=said, llm=mind)
        self._cast = cast
        self._failed = failed
        self._spoken: Spoken | None = None  # of the answer that a mind which speaks itself has begun

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[llm.ChatChunk | str | FlushSentinel, None]:
        """The chosen mind; when it fails, the answer is an apology. Also when it was asked before the turn was over."""
        try:
            async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
                yield chunk
        except Exception as error:
            log.warning("the language model failed: %s", error)
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
    def realtime_audio_output_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Its sound, marked with the words that ``transcription_node`` gets beside it."""
        self._spoken = Spoken()
        return self._said_by_itself(audio, self._spoken)

    async def _said_by_itself(
        self, audio: AsyncIterable[rtc.AudioFrame], spoken: Spoken
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for frame in _at_our_rate(audio):
            spoken.sound_s += frame.duration
            yield _marked(frame, spoken)
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
