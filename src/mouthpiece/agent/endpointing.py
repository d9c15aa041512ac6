"""When the user's turn is over: the library's turn detector, asked more than once.

The detector hears how a sentence sounds, and is right about two times in three. One look and two delays (0.3 s when it
sounds finished, else the longest that anybody pauses) left every third finished sentence without an answer for seconds.
Here a turn that does not sound finished is looked at again after more silence, and waited for step by step: a sure end
hardly at all, a likely one a little longer than people breathe, an unlikely one for ``patience_s``, and a sentence that
was plainly broken off for twice as long.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np
from livekit import local_inference, rtc
from livekit.agents import inference
from livekit.agents.language import LanguageCode
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.agents.voice.turn import TurnDetectionEvent

from mouthpiece.media import Pcm

MIN_DELAY_S: Final = 0.38
"""Silence after which a turn is taken that is surely finished."""

FIRST_LOOK_S: Final = 0.22
"""Silence at which the library asks for the first time: 0.2 s, in windows of 32 ms."""

SECOND_LOOK_S: Final = 0.32
SURE: Final = 1.4
"""Of the detector's threshold, at the first look. In 61 recorded and read turns, in English and Russian, one in six of
their pauses sounds like that, and of the ends of English turns seven in ten; one in two of the pauses passes the
threshold, or the second look."""

FINISHED_S: Final = 0.5
"""Silence after which a likely end is believed: who only breathed has gone on by then."""

LIKELY: Final = 0.83
"""Of the detector's threshold: enough at the second look, when a pause within a sentence is mostly over already."""

BROKEN_OFF: Final = (0.35, 0.6)
"""Of the detector's threshold, at the first and the second look: below both, the sentence is not at its end."""

FLOOR: Final = 8.0
"""Standard deviation of the noise that the detector hears beside the voice: -72 dB. It was trained on rooms; after the
digital silence of a noise gate it takes finished sentences for unfinished ones (median 0.31 instead of 0.42)."""


def wait(looks: Sequence[float], threshold: float, patience_s: float) -> float:
    """Seconds of silence after which the turn is over, by what the detector said; 0: at once. Pure.

    There is a second look where the first one was below the threshold.
    """
    if looks[0] >= threshold * SURE:
        return 0.0
    if looks[0] >= threshold or looks[-1] >= threshold * LIKELY:
        return FINISHED_S
    broken_off = all(look < share * threshold for look, share in zip(looks, BROKEN_OFF, strict=True))
    return 2 * patience_s if broken_off else patience_s


@dataclass(frozen=True, slots=True)
class PatientDetector:
    """A turn detector for ``AgentSession``: says that a turn is over when it is, and nothing before.

    ``language`` is BCP 47; ``patience_s`` the silence after which an unlikely end is believed. The library's model
    looks at the sound in ``executor``: its own stream would do it in any thread that is free, next to the media.
    """

    language: str
    patience_s: float
    executor: Executor

    @property
    def model(self) -> str:
        """The model that listens."""
        return "turn-detector-v1-mini"

    @property
    def provider(self) -> str:
        """Who made it."""
        return "livekit"

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> _Stream:
        """Listen to one voice."""
        return _Stream(self, local_inference.EOT().predict)


class Lately:
    """The last 1.2 s of a voice: all that the model looks at."""

    def __init__(self) -> None:
        self._pieces: deque[Pcm] = deque()
        self._samples = 0
        self._noise = np.random.default_rng(0)

    def push(self, pcm: Pcm) -> None:
        """More of it, 16 kHz."""
        self._pieces.append(pcm)
        self._samples += len(pcm)
        while self._samples - len(self._pieces[0]) >= local_inference.EOT_MAX_SAMPLES:
            self._samples -= len(self._pieces.popleft())

    def forget(self) -> None:
        """It belongs to a turn that is over."""
        self._pieces.clear()
        self._samples = 0

    def sound(self) -> Pcm:
        """As the model shall hear it, in a room that is never quite silent."""
        pcm = np.concatenate([np.zeros(0, np.int16), *self._pieces])[-local_inference.EOT_MAX_SAMPLES :]
        return np.clip(pcm + self._noise.normal(0, FLOOR, len(pcm)), -32_768, 32_767).astype(np.int16)


class _Stream:
    """One voice. The library asks once in each silence, and calls it off when the voice is heard again."""

    def __init__(
        self, detector: PatientDetector, judge: Callable[[Pcm], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._detector = detector
        self._judge_sound = judge
        self._clock = clock
        self._thresholds = inference.TurnDetector(version="v1-mini")
        self._lately = Lately()
        self._language = LanguageCode(detector.language)
        self._asked: asyncio.Future[TurnDetectionEvent] | None = None
        self._judging: asyncio.Task[None] | None = None

    # --- what it is --------------------------------------------------------------------------------------------------
    @property
    def model(self) -> str:
        """The model that listens."""
        return self._detector.model

    @property
    def provider(self) -> str:
        """Who made it."""
        return self._detector.provider

    @property
    def is_fallback(self) -> bool:
        """It has none."""
        return False

    @property
    def prediction_timeout(self) -> float:
        """Longer than it ever waits."""
        return 2 * self._detector.patience_s + 1.0

    async def unlikely_threshold(self, language: LanguageCode | None) -> float | None:
        """An answer is always more than that: it comes when the turn is over."""
        return await self._thresholds.unlikely_threshold(language)

    async def backchannel_threshold(self, language: LanguageCode | None) -> float | None:
        """The small model knows none."""
        return None

    async def supports_language(self, language: LanguageCode | None) -> bool:
        """All: without a threshold of its own, a language has the English one."""
        return True

    # --- what it hears -----------------------------------------------------------------------------------------------
    def push_audio(self, frame: rtc.AudioFrame) -> None:
        """More of the voice."""
        self._lately.push(np.frombuffer(frame.data, np.int16))

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        """A silence has begun. The future's answer comes when the turn is over."""
        self.cancel_inference()
        asked: asyncio.Future[TurnDetectionEvent] = asyncio.get_running_loop().create_future()
        self._asked = asked
        self._judging = asyncio.create_task(self._judge(asked, self._clock() - FIRST_LOOK_S), name="end-of-turn")
        return asked

    async def _judge(self, asked: asyncio.Future[TurnDetectionEvent], quiet_since: float) -> None:
        threshold = await self.unlikely_threshold(self._language) or 0.0
        looks = [await self._look(quiet_since + FIRST_LOOK_S)]
        if looks[0] < threshold:
            looks.append(await self._look(quiet_since + SECOND_LOOK_S))
        until = quiet_since + wait(looks, threshold, self._detector.patience_s)
        await asyncio.sleep(max(0.0, until - self._clock()))
        if not asked.done():
            asked.set_result(_event(1.0))

    async def _look(self, at: float) -> float:
        """How finished it sounds then, 0..1."""
        await asyncio.sleep(max(0.0, at - self._clock()))
        loop = asyncio.get_running_loop()
        return float(await loop.run_in_executor(self._detector.executor, self._judge_sound, self._lately.sound()))

    def cancel_inference(self, *, timed_out: bool = False) -> None:
        """The voice is heard again, or the turn was taken: nobody waits any more."""
        if self._judging is not None:
            self._judging.cancel()
            self._judging = None
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(_event(0.0))
        self._asked = None

    def flush(self, reason: str | None = None) -> None:
        """What was heard belongs to a turn that is over."""
        self.cancel_inference()
        self._lately.forget()

    def end_input(self) -> None:
        """No more will come."""
        self.cancel_inference()

    async def aclose(self) -> None:
        """End."""
        judging = self._judging
        self.cancel_inference()
        if judging is not None:
            await asyncio.gather(judging, return_exceptions=True)


def _event(probability: float) -> TurnDetectionEvent:
    return TurnDetectionEvent("eot_prediction", probability, time.time())
