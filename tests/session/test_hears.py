"""What an engine from outside hears with each picture, and what that costs: the line is as long as it looks ahead."""

from __future__ import annotations

import numpy as np
import pytest
from tests.session.test_engine import S, engine, only, played, run, speech

from mouthpiece.media import TICK, Pcm
from mouthpiece.session.events import Frame, Sound

BEFORE, AFTER = 400, 3_400
HEARS = (BEFORE, AFTER)


def frames_with_sound(events: list[object]) -> list[Frame]:
    return [event for event in events if isinstance(event, Frame) and event.sound is not None]


def expected(sound: Pcm, sample: int) -> Pcm:
    padded = np.pad(sound, (BEFORE, AFTER))
    return padded[sample : sample + BEFORE + AFTER]


@pytest.mark.parametrize("fps", [25, 30])
def test_each_picture_brings_the_sound_around_its_own_moment(fps: int) -> None:
    e, said = engine(hears=HEARS, fps=fps), speech(2 * S)
    events = run(e, 0.5)
    e.push(said.tobytes())
    events += run(e, 3.0)
    sound, heard = played(events), frames_with_sound(list(events))
    assert len(heard) > 1.9 * fps
    for frame in heard:
        assert frame.sound is not None
        assert np.array_equal(frame.sound, expected(sound, frame.sample)), frame.n


def test_speech_that_is_there_at_once_waits_for_nothing() -> None:
    e, said = engine(hears=HEARS), speech(S)
    run(e, 1.0)
    e.push(said.tobytes())
    assert np.array_equal(played(run(e, 1.0)), said)


def test_a_sender_in_real_time_is_delayed_by_what_is_heard_ahead() -> None:
    waits = []
    for hears in ((0, 0), HEARS):
        e, said = engine(hears=hears), speech(2 * S)
        run(e, 1.0)
        events = []
        for at in range(0, len(said), TICK):
            e.push(said[at : at + TICK].tobytes())
            events += e.advance(e.now + TICK)
        sound = played(events)
        start = int(np.flatnonzero(sound)[0])
        assert np.array_equal(sound[start:], said[: len(sound) - start]), "nothing is lost or out of order"
        waits.append(start)
    assert waits[0] <= 80 * 16
    assert AFTER - TICK <= waits[1] <= AFTER + 2 * TICK


def test_after_a_skip_nothing_of_the_old_is_heard_ahead() -> None:
    e = engine(hears=HEARS)
    e.push(speech(2 * S).tobytes())
    run(e, 0.6)
    now = e.now
    e.skip()
    events = run(e, 0.5)
    for frame in frames_with_sound(list(events)):
        assert frame.sound is not None
        assert not frame.sound[max(0, BEFORE - (frame.sample - now)) :].any()


def test_nobody_who_does_not_listen_is_given_sound() -> None:
    e = engine()
    e.push(speech(S).tobytes())
    events = run(e, 1.0)
    assert only(Sound, events)
    assert not frames_with_sound(list(events))
