"""When a turn is over: by what the detector says, look by look, and by the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from livekit import rtc
from livekit.agents.language import LanguageCode
from livekit.agents.voice.turn import _StreamingTurnDetector, _StreamingTurnDetectorStream
from livekit.local_inference import EOT_MAX_SAMPLES

from mouthpiece.agent.endpointing import FINISHED_S, FLOOR, MIN_DELAY_S, SECOND_LOOK_S, PatientDetector, _Stream, wait
from mouthpiece.media import Pcm

THRESHOLD = 0.36


@pytest.mark.parametrize(
    ("looks", "silence"),
    [
        ([0.6], 0.0),  # surely finished: the library's own delay is all
        ([0.4], FINISHED_S),
        ([0.3, 0.31], FINISHED_S),
        ([0.3, 0.2], 0.8),
        ([0.1, 0.25], 0.8),
        ([0.1, 0.1], 1.6),  # plainly broken off
    ],
)
def test_the_less_finished_it_sounds_the_longer_it_is_waited_for(looks: list[float], silence: float) -> None:
    assert wait(looks, THRESHOLD, 0.8) == silence


@dataclass
class Judge:
    """Stands for the model: says what a test tells it to, and keeps what it was given."""

    says: list[float]
    heard: list[Pcm] = field(default_factory=list)

    def __call__(self, pcm: Pcm) -> float:
        self.heard.append(pcm)
        return self.says.pop(0)


Make = Callable[..., tuple[_Stream, Judge]]


@pytest.fixture
def stream() -> Iterator[Make]:
    """With its clock far ahead: every silence has lasted long enough."""
    with ThreadPoolExecutor(1) as executor:

        def make(*says: float, patience_s: float = 0.0) -> tuple[_Stream, Judge]:
            judge = Judge(list(says))
            times = iter(range(0, 10_000, 10))
            return _Stream(PatientDetector("en", patience_s, executor), judge, lambda: float(next(times))), judge

        yield make


def frame(pcm: Pcm) -> rtc.AudioFrame:
    return rtc.AudioFrame(pcm.tobytes(), 16_000, 1, len(pcm))


async def test_it_is_what_the_library_takes_for_a_detector(stream: Make) -> None:
    it, _ = stream()
    assert isinstance(PatientDetector("en", 0.65, ThreadPoolExecutor(1)), _StreamingTurnDetector)
    assert isinstance(it, _StreamingTurnDetectorStream)
    assert await it.supports_language(None)
    assert 0 < (await it.unlikely_threshold(LanguageCode("de")) or 0) < 1


@pytest.mark.parametrize(("says", "looks"), [((0.9,), 1), ((0.4,), 1), ((0.2, 0.9), 2), ((0.01, 0.01), 2)])
async def test_an_answer_means_that_the_turn_is_over(stream: Make, says: tuple[float, ...], looks: int) -> None:
    it, judge = stream(*says)
    event = await it.predict()
    assert event.end_of_turn_probability == 1.0
    assert len(judge.heard) == looks
    await it.aclose()


async def test_a_voice_that_goes_on_calls_it_off(stream: Make) -> None:
    it, _ = stream(0.01, 0.01, patience_s=30.0)
    it._clock = lambda: 0.0  # the silence has only begun
    asked = it.predict()
    it.cancel_inference()
    assert (await asked).end_of_turn_probability == 0.0
    again = it.predict()
    it.flush("turn committed")
    assert (await again).end_of_turn_probability == 0.0
    await it.aclose()
    assert it.prediction_timeout > 60


async def test_the_model_hears_the_last_of_a_turn_above_the_floor_of_a_room(stream: Make) -> None:
    it, judge = stream(0.9, 0.9, 0.9)
    await it.predict()
    assert len(judge.heard[-1]) == 0
    it.push_audio(frame(np.full(16_000, 32_767, np.int16)))
    for _ in range(50):
        it.push_audio(frame(np.zeros(320, np.int16)))
    await it.predict()
    heard = judge.heard[-1]
    assert len(heard) == EOT_MAX_SAMPLES
    assert heard[: EOT_MAX_SAMPLES - 16_000].min() > 32_000, "never wraps around"
    assert np.std(heard[-16_000:]) == pytest.approx(FLOOR, rel=0.1)
    it.flush()
    await it.predict()
    assert len(judge.heard[-1]) == 0, "the turn is over"
    assert MIN_DELAY_S > SECOND_LOOK_S, "the second look may still be in time"
    await it.aclose()


async def test_the_model_itself_looks(stream: Make) -> None:
    it, _ = stream()
    real = it._detector.stream()
    real.push_audio(frame(np.zeros(32_000, np.int16)))
    real._clock = it._clock
    assert (await real.predict()).end_of_turn_probability == 1.0
    await real.aclose()
