"""Which part of which segment was played, in virtual time."""

from __future__ import annotations

import numpy as np
import pytest
from tests.session.test_engine import LOOK, LevelLipSync

from mouthpiece.media import TICK
from mouthpiece.session.engine import Engine, EngineConfig
from mouthpiece.session.events import EndReason, Event, SegmentPlayed, SegmentStarted, Sound


def engine(backlog: int = 300 * 16_000) -> Engine:
    return Engine(EngineConfig(look=LOOK, backlog=backlog), LevelLipSync())


def loud(samples: int) -> bytes:
    return np.full(samples, 8_000, np.int16).tobytes()


def run(it: Engine, ticks: int) -> list[Event]:
    return it.advance(it.now + ticks * TICK)


def segments(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, SegmentStarted | SegmentPlayed)]


def played(events: list[Event]) -> int:
    return sum(int(np.count_nonzero(event.pcm)) for event in events if isinstance(event, Sound))


@pytest.mark.parametrize("length", [1, 319, 320, 321, 5_000, 16_001])
def test_a_segment_is_told_once_with_its_whole_length_when_its_last_sample_was_played(length: int) -> None:
    it = engine()
    it.push(loud(length))
    it.mark()
    before: list[Event] = []
    now = run(it, 1)
    while not any(isinstance(event, SegmentPlayed) for event in now):
        before += now
        now = run(it, 1)
    assert played(before) == length
    assert segments(before) == [SegmentStarted()]
    assert segments(now) == [SegmentPlayed(length, interrupted=False)]
    assert segments(run(it, 100)) == []


def test_segments_that_are_queued_together_are_told_one_by_one() -> None:
    it = engine()
    for length in (1_000, 10, 20, 700):
        it.push(loud(length))
        it.mark()
    told = segments(run(it, 50))
    assert told == [
        one for length in (1_000, 10, 20, 700) for one in (SegmentStarted(), SegmentPlayed(length, interrupted=False))
    ]


def test_skip_tells_every_segment_that_was_not_over_with_what_was_heard_of_it() -> None:
    it = engine()
    for length in (16_000, 8_000):
        it.push(loud(length))
        it.mark()
    it.push(loud(100))  # this one is still open
    heard = played(run(it, 25))
    it.skip()
    assert segments(run(it, 1)) == [
        SegmentPlayed(heard, interrupted=True),
        SegmentPlayed(0, interrupted=True),
        SegmentPlayed(0, interrupted=True),
    ]
    it.mark()  # the end of the open one comes late: it was told already
    assert segments(run(it, 50)) == []


def test_a_skip_after_the_last_sample_is_no_interruption() -> None:
    it = engine()
    it.push(loud(TICK))
    it.mark()
    events = run(it, 1)
    while not played(events):
        events = run(it, 1)
    it.skip()
    assert segments(run(it, 1)) == [SegmentPlayed(TICK, interrupted=False)]


def test_an_empty_segment_is_not_told_and_refused_sound_was_never_in_it() -> None:
    it = engine(backlog=3_200)
    it.mark()
    it.push(b"\x01")
    it.mark()
    assert segments(run(it, 5)) == []
    it = engine(backlog=3_200)
    it.push(loud(5_000))
    it.mark()
    assert SegmentPlayed(3_200, interrupted=False) in run(it, 100)


def test_the_end_of_the_session_tells_what_was_heard() -> None:
    it = engine()
    it.push(loud(16_000))
    it.mark()
    heard = played(run(it, 20))
    it.end(EndReason.SHUTDOWN)
    assert segments(it.advance(it.now)) == [SegmentPlayed(heard, interrupted=True)]
