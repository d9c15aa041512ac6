"""One voice conversation: a livekit-agents session without a room, between a microphone and a mouth.

What is ours here: sound in and out, the words for the lips and for the transcript, what happens when a provider fails,
and when it is over. Turn taking, interruption and speculation are the library's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from typing import Any, Final, Literal

from livekit.agents import AgentSession, llm, stt, tts
from livekit.agents.voice import (
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    UserTranscriptionTimeoutEvent,
)
from livekit.agents.voice.agent_session import SessionConnectOptions

from mouthpiece.agent.avatar import NO_MIND, Avatar
from mouthpiece.agent.base import Caption, Fault, Finished, Line, Mouth, Plan, Said, StateChanged, Tell
from mouthpiece.agent.cast import Cast
from mouthpiece.agent.ears import MicrophoneInput, SpeechDetector
from mouthpiece.agent.endpointing import MIN_DELAY_S, PatientDetector
from mouthpiece.agent.mouth import SpeechOutput
from mouthpiece.agent.turns import TurnClock
from mouthpiece.agent.vigil import Vigil
from mouthpiece.media import Pcm
from mouthpiece.providers.cloud import PATIENCE

log = logging.getLogger(__name__)

NEVER: Final = 1_000_000
"""Provider failures after which the library would give the conversation up: a provider may come back."""

NO_EARS: Final = "I am sorry, I cannot understand you at the moment. Please try again."

WORDS_S: Final = 1.5
"""Speech in which there must be words, and not only a laugh or a noise in the room."""

REST_S: Final = 5.0
"""After which a speech-to-speech model that failed is called again."""

QUIET_S: Final = 20.0
"""Between two apologies for the same failing part."""


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
        self._vigil = Vigil(cast.answer_s, self._unanswered)
        self._session: AgentSession[None] = _session(plan, cast, SpeechDetector(cast.executor, self._spoken))
        self._agent = Avatar(plan, cast, self._vigil.answered, self._failed)
        self._broken = False  # the line to a speech-to-speech mind
        self._mending: asyncio.Task[None] | None = None
        self._spoke_at = self._tried_at = time.monotonic()  # either side; the user
        self._quiet = asyncio.Event()  # the user is not speaking
        self._quiet.set()
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
        self._vigil.answered()
        self._closed = True
        await self._cast.close()

    # --- what is said first ------------------------------------------------------------------------------------------
    def _say_first(self) -> None:
        for notice in self._plan.notices:
            self._say_embedded(notice)
        first = self._plan.first_message
        if first and not self._plan.history and not self._silent:
            if isinstance(self._cast.mind, llm.RealtimeModel) and self._cast.voice is None:
                self._session.generate_reply(instructions=f"Greet the user with exactly these words: {first}")
                self._vigil.ask()
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
        session.on("user_transcription_timeout", self._unheard)
        session.on("conversation_item_added", self._item)
        session.on("error", self._error)

    def _user_state(self, event: UserStateChangedEvent) -> None:
        self._spoke_at = time.monotonic()
        speaking = event.new_state == "speaking"
        self._tried_at = self._spoke_at if speaking else self._tried_at
        (self._quiet.clear if speaking else self._quiet.set)()
        self._turns.user(speaking=speaking)
        self._tell(StateChanged("user", "speaking" if speaking else "listening"))
        if speaking and self._silent:
            self._mouth.skip()  # nobody else takes the turns here

    def _spoken(self, seconds: float | None) -> None:
        if isinstance(self._cast.mind, llm.RealtimeModel):  # another kind fails by itself
            self._vigil.spoken(seconds)

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

    # --- what goes wrong ---------------------------------------------------------------------------------------------
    def _error(self, event: ErrorEvent) -> None:
        error = event.error
        reason = str(getattr(error, "error", error))[:300]
        recovers, kind = getattr(error, "recoverable", False), getattr(error, "type", "")
        if kind == "stt_error" and not recovers:
            self._apologise("ears", reason, NO_EARS)
        elif kind == "realtime_model_error":  # also when it dials again by itself: the answer was lost
            self._vigil.answered()
            self._apologise("mind", reason, NO_MIND)
            if not recovers:
                self._mend(REST_S)

    def _unheard(self, event: UserTranscriptionTimeoutEvent) -> None:
        """The ears hang: there was speech, and no words of it came."""
        if event.speech_duration >= WORDS_S:
            self._apologise("ears", f"no words for {self._cast.answer_s:g} s", NO_EARS)

    def _unanswered(self) -> None:
        """A speech-to-speech model hangs. While the avatar speaks, the user need not have asked anything."""
        if self._session.agent_state != "speaking":
            self._hung(f"no answer for {self._cast.answer_s:g} s")

    def _failed(self, stage: Literal["mind", "voice"], error: Exception) -> None:
        """A part failed in the middle of an answer. Unless the mind speaks itself, the answer says so."""
        if stage == "mind" and isinstance(self._cast.mind, llm.RealtimeModel):
            self._hung(str(error))
        else:
            self._tell(Fault(stage, str(error)[:300]))

    def _hung(self, reason: str) -> None:
        log.warning("the speech-to-speech model hangs: %s", reason)
        self._tell(Fault("mind", reason))
        self._mend(0.0, sorry=True)

    def _mend(self, rest_s: float, *, sorry: bool = False) -> None:
        """Call a speech-to-speech model again. What comes on the old line is not heard any more."""
        self._broken = True
        self._agent.hang_up()
        if self._mending is None or self._mending.done():
            self._mending = self._spawn(self._call_again(rest_s, sorry=sorry))

    async def _call_again(self, rest_s: float, *, sorry: bool) -> None:
        """A new line, with what was said so far. Only when it is there is the user asked to try again."""
        mind = self._cast.mind
        assert isinstance(mind, llm.RealtimeModelFallbackAdapter), "which every mind of that kind is made with"
        while self._broken:
            if rest_s:
                await asyncio.sleep(rest_s)
                await self._said_out()  # a new line begins with an interruption
            self._broken = False
            await mind.restart_session()
            rest_s = REST_S
        self._agent.take_up()
        if sorry:
            await self._say_when_quiet(NO_MIND)

    async def _said_out(self) -> None:
        speech = self._session.current_speech
        if speech is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REST_S):
                    await speech.wait_for_playout()

    def _apologise(self, stage: Literal["ears", "mind"], reason: str, words: str) -> None:
        """Say sorry, but not over and over, nor to somebody who has not tried again."""
        self._tell(Fault(stage, reason))
        now = time.monotonic()
        last = self._apologies.get(stage)
        if last is None or (now - last >= QUIET_S and self._tried_at > last):
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

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Session(AgentSession[None]):
    """The library's session, which closes when a speech-to-speech model fails, however often others may."""

    def _on_error(self, error: llm.LLMError | stt.STTError | tts.TTSError | llm.RealtimeModelError) -> None:
        if error.type != "realtime_model_error":
            super()._on_error(error)


def _session(plan: Plan, cast: Cast, detector: SpeechDetector) -> AgentSession[None]:
    """The library's session, with nothing that reaches the network by itself."""
    realtime = isinstance(cast.mind, llm.RealtimeModel)
    more: dict[str, Any] = {name: part for name, part in (("stt", cast.ears), ("tts", cast.voice)) if part is not None}
    if cast.mind is not None:
        more["llm"] = cast.mind
    return _Session(
        vad=detector,
        turn_handling={
            "turn_detection": "realtime_llm"
            if realtime
            else PatientDetector(plan.language, cast.patience_s, cast.judging),
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
        transcription_timeout=cast.answer_s,
        conn_options=SessionConnectOptions(PATIENCE, PATIENCE, PATIENCE, max_unrecoverable_errors=NEVER),
        **more,
    )
