"""When a turn is over: by what the detector says, look by look, and by the clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from livekit import rtc
from livekit.agents.voice.turn import TurnDetectionEvent, _StreamingTurnDetector, _StreamingTurnDetectorStream

from mouthpiece.agent.endpointing import FLOOR, MIN_DELAY_S, SECOND_LOOK_S, PatientDetector, _Stream, wait

THRESHOLD = 0.36


@pytest.mark.parametrize(
    ("looks", "silence"),
    [
        ([0.4], 0.0),  # sounds finished: the library's own delay is all
        ([0.3], SECOND_LOOK_S),
        ([0.3, 0.31], 0.0),
        ([0.3, 0.2], 0.8),
        ([0.1, 0.25], 0.8),
        ([0.1, 0.1], 1.6),  # plainly broken off
    ],
)
def test_the_less_finished_it_sounds_the_longer_it_is_waited_for(looks: list[float], silence: float) -> None:
    assert wait(looks, THRESHOLD, 0.8) == silence


@dataclass
class Detector:
    """Stands for the library's stream: says what a test tells it to, and keeps what it was given."""

    says: list[float]
    asked: int = 0
    heard: list[rtc.AudioFrame] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    model = "twin"
    provider = "twin"

    async def unlikely_threshold(self, language: object) -> float:
        return THRESHOLD

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        self.asked += 1
        answer: asyncio.Future[TurnDetectionEvent] = asyncio.get_running_loop().create_future()
        answer.set_result(TurnDetectionEvent("eot_prediction", self.says.pop(0), 0.0))
        return answer

    def cancel_inference(self) -> None:
        self.calls.append("cancel")

    def flush(self, reason: str | None = None) -> None:
        self.calls.append("flush")

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self.heard.append(frame)

    def end_input(self) -> None:
        self.calls.append("end")

    async def aclose(self) -> None:
        self.calls.append("close")


def stream(*says: float, patience_s: float = 0.0) -> tuple[_Stream, Detector]:
    """With its clock far ahead: every silence has lasted long enough."""
    detector = Detector(list(says))
    times = iter(range(0, 10_000, 10))
    return _Stream(PatientDetector("en", patience_s), detector, lambda: float(next(times))), detector  # type: ignore[arg-type]


async def test_it_is_what_the_library_takes_for_a_detector() -> None:
    it, _ = stream()
    assert isinstance(PatientDetector("en", 0.65), _StreamingTurnDetector)
    assert isinstance(it, _StreamingTurnDetectorStream)
    assert await it.supports_language(None)


@pytest.mark.parametrize(("says", "looks"), [((0.9,), 1), ((0.2, 0.9), 2), ((0.01, 0.01), 2)])
async def test_an_answer_means_that_the_turn_is_over(says: tuple[float, ...], looks: int) -> None:
    it, detector = stream(*says)
    event = await it.predict()
    assert event.end_of_turn_probability == 1.0
    assert detector.asked == looks
    await it.aclose()


async def test_a_voice_that_goes_on_calls_it_off() -> None:
    it, detector = stream(0.01, 0.01, patience_s=30.0)
    it._clock = lambda: 0.0  # the silence has only begun
    asked = it.predict()
    it.cancel_inference()
    assert (await asked).end_of_turn_probability == 0.0
    again = it.predict()
    it.flush("turn committed")
    assert (await again).end_of_turn_probability == 0.0
    await it.aclose()
    assert detector.calls[-2:] == ["cancel", "close"]
    assert it.prediction_timeout > 60


async def test_the_detector_hears_the_floor_of_a_room_under_the_voice() -> None:
    it, detector = stream()
    it.push_audio(rtc.AudioFrame(bytes(32_000), 16_000, 1, 16_000))
    (frame,) = detector.heard
    assert np.std(np.frombuffer(frame.data, np.int16)) == pytest.approx(FLOOR, rel=0.1)
    loudest = np.full(320, 32_767, np.int16)
    it.push_audio(rtc.AudioFrame(loudest.tobytes(), 16_000, 1, 320))
    assert np.frombuffer(detector.heard[-1].data, np.int16).min() > 32_000, "never wraps around"
    assert MIN_DELAY_S > SECOND_LOOK_S, "the second look may still be in time"
    await it.aclose()
