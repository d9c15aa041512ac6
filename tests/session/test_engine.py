"""The session engine in virtual time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.base import Weights
from mouthpiece.lipsync.script import Script
from mouthpiece.lipsync.visemes import TimedViseme
from mouthpiece.media import REST, SAMPLE_RATE, TICK, Look, MouthPose, Pcm, frame_sample
from mouthpiece.session.engine import Engine, EngineConfig
from mouthpiece.session.events import Backlogged, Ended, EndReason, Event, Frame, Silent, Sound, Spoke

LOOK = Look("mia")
S = SAMPLE_RATE


class LevelLipSync:
    """A lip-sync engine whose jaw is the exact sample at the pose's own instant, so that any shift shows."""

    lookahead = 960
    told: Sequence[Weights] = ()

    def __init__(self) -> None:
        self._heard = np.zeros(0, np.int16)
        self._next = 0
        self._base = 0
        self.pushed = 0
        self.interrupted_at: list[int] = []
        self.cued: dict[int, tuple[int, str]] = {}
        self.expected: list[tuple[int, Word]] = []

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        self._heard = np.concatenate((self._heard, pcm))
        self.pushed += len(pcm)
        out = []
        while self._next + self.lookahead <= self.pushed:
            level = abs(int(self._heard[self._next - self._base])) / 32768
            out.append((self._next, MouthPose(jaw_open=level) if level else REST))
            self._next += 160
        self._heard = self._heard[max(0, self._next - self._base - 160) :]
        self._base = self.pushed - len(self._heard)
        return out

    def cue(self, visemes: Sequence[TimedViseme]) -> None:
        now = self.pushed
        self.cued = {start: v for start, v in self.cued.items() if start < now}
        self.cued |= {v.start + now: (v.end + now, v.viseme) for v in visemes}

    def expect(self, words: Sequence[Word]) -> None:
        self.expected += [(self.pushed, word) for word in words]

    def interrupt(self) -> None:
        self.interrupted_at.append(self.pushed)
        self._heard[:] = 0


def engine(**rules: object) -> Engine:
    return Engine(EngineConfig(LOOK, **rules), LevelLipSync())  # type: ignore[arg-type]


def speech(samples: int, seed: int = 1) -> Pcm:
    """Loud, and never zero, so that every lost or added sample shows."""
    return np.random.default_rng(seed).integers(2_000, 30_000, samples, np.int16)


def played(events: Iterable[Event]) -> Pcm:
    return np.concatenate([e.pcm for e in events if isinstance(e, Sound)] or [np.zeros(0, np.int16)])


def only(kind: type[Event], events: Iterable[Event]) -> list[Event]:
    return [e for e in events if isinstance(e, kind)]


def run(e: Engine, seconds: float) -> list[Event]:
    """Advance tick by tick, as the live driver does."""
    out: list[Event] = []
    for now in range(e.now + TICK, e.now + int(seconds * S) + 1, TICK):
        out += e.advance(now)
    return out


def assert_pictures_match_their_sound(events: list[Event]) -> None:
    """Every frame's jaw is the level of the very sample that is played at its instant (on the 10 ms pose grid)."""
    sound = played(events)
    first = next(ev.sample for ev in events if isinstance(ev, Sound))
    for frame in (ev for ev in events if isinstance(ev, Frame)):
        grid = range(frame.sample // 160 * 160, frame.sample + 1)
        levels = {abs(int(sound[s - first])) / 32768 for s in grid}
        assert frame.pose.jaw_open in levels, f"frame {frame.n} does not show its own sound"


def test_speech_sent_at_once_plays_from_the_next_tick_whole_and_in_order() -> None:
    e, said = engine(), speech(2 * S)
    run(e, 1.0)
    e.push(said.tobytes())
    events = run(e, 3.0)
    assert np.array_equal(played(events)[: len(said)], said), "first word clipped, last word cut, or changed"
    assert not played(events)[len(said) :].any()
    assert_pictures_match_their_sound(events)


@pytest.mark.parametrize("piece", [1, 3, 641, 6_000, 200_000])
def test_pieces_of_any_size_make_the_same_session(piece: int) -> None:
    e, said = engine(), speech(S + 77)
    data = said.tobytes()
    for i in range(0, len(data), piece):
        e.push(data[i : i + piece])
    events = run(e, 2.5)
    assert np.array_equal(played(events)[: len(said)], said)
    assert_pictures_match_their_sound(events)


def test_real_time_sender_with_jitter_is_heard_without_gaps() -> None:
    e, said = engine(), speech(10 * S)
    rng = random.Random(4)
    arrivals = sorted((i * TICK + rng.uniform(0, 0.050) * S, i) for i in range(len(said) // TICK))
    arrivals = [
        (max(t for t, _ in arrivals[: k + 1]), i) for k, (_, i) in enumerate(sorted(arrivals, key=lambda a: a[1]))
    ]
    events: list[Event] = []
    for now in range(TICK, 12 * S, TICK):
        while arrivals and arrivals[0][0] <= now:
            _, i = arrivals.pop(0)
            e.push(said[i * TICK : (i + 1) * TICK].tobytes())
        events += e.advance(now)
    sound = played(events)
    loud = np.flatnonzero(sound)
    assert np.array_equal(sound[loud], said), "samples were lost or doubled"
    gaps = loud[-1] - loud[0] + 1 - len(said)
    assert gaps <= 2 * TICK, f"{gaps} samples of silence were put into running speech"
    assert_pictures_match_their_sound(events)


@pytest.mark.parametrize("speed", [0.5, 0.9, 4.0])
def test_slower_and_faster_than_real_time_lose_nothing_and_keep_pictures_with_sound(speed: float) -> None:
    e, said = engine(), speech(4 * S)
    events: list[Event] = []
    sent = 0
    for now in range(TICK, 12 * S, TICK):
        due = min(len(said), int(now * speed))
        e.push(said[sent:due].tobytes())
        sent = due
        events += e.advance(now)
    sound = played(events)
    assert np.array_equal(sound[np.flatnonzero(sound)], said)
    assert_pictures_match_their_sound(events)


def test_slow_sender_gets_longer_stretches_as_it_goes_on() -> None:
    e, said = engine(), speech(6 * S)
    loud: list[bool] = []
    sent = 0
    for now in range(TICK, 12 * S, TICK):
        due = min(len(said), now // 2)
        e.push(said[sent:due].tobytes())
        sent = due
        loud += [bool(ev.pcm.any()) for ev in e.advance(now) if isinstance(ev, Sound)]
    starts = [i for i in range(1, len(loud)) if loud[i] and not loud[i - 1]]
    half = len(loud) // 2
    assert len([i for i in starts if i < half]) > len([i for i in starts if half <= i < 2 * half]) >= 1


def test_speak_and_silent_alternate_once_per_change() -> None:
    e = engine()
    for _ in range(3):
        e.push(speech(S // 2).tobytes())
        events = run(e, 2.0)
        changes = [ev for ev in events if isinstance(ev, Spoke | Silent)]
        assert [type(ev) for ev in changes] == [Spoke, Silent]
        assert changes[1].sample - changes[0].sample == pytest.approx(S // 2 + 4800, abs=1)


def test_spoke_marks_the_first_audible_sample() -> None:
    e = engine()
    run(e, 0.5)
    quiet = np.full(1_000, 103, np.int16)
    e.push(np.concatenate((quiet, speech(S))).tobytes())
    start = e.now
    (spoke,) = only(Spoke, run(e, 1.0))
    assert spoke == Spoke(start + 1_000)


def test_short_pause_inside_speech_is_not_silence() -> None:
    e = engine()
    e.push(np.concatenate((speech(S // 4), np.zeros(4_700, np.int16), speech(S // 4))).tobytes())
    assert len(only(Silent, run(e, 2.0))) == 1


def test_zeros_neither_speak_nor_keep_the_session() -> None:
    e = engine(max_idle=2 * S)
    e.push(np.zeros(10 * S, np.int16).tobytes())
    events = run(e, 3.0)
    assert not only(Spoke, events)
    assert only(Ended, events) == [Ended(EndReason.IDLE, e.frames)]
    assert e.now == 2 * S


def test_idle_counts_from_the_last_audible_sample() -> None:
    e = engine(max_idle=2 * S)
    run(e, 1.5)
    e.push(speech(S).tobytes())
    run(e, 5.0)
    assert e.ended is EndReason.IDLE
    assert e.now == pytest.approx(1.5 * S + S + 2 * S, abs=TICK)


def test_maximum_length_ends_even_a_talker() -> None:
    e = engine(max_length=3 * S)
    e.push(speech(10 * S).tobytes())
    events = run(e, 5.0)
    assert events[-1] == Ended(EndReason.MAX, 75)
    assert len(played(events)) == 3 * S
    assert [type(ev) for ev in events if isinstance(ev, Spoke | Silent)] == [Spoke, Silent]


def test_skip_is_silent_at_the_next_tick_and_eases_the_mouth() -> None:
    lipsync = LevelLipSync()
    e = Engine(EngineConfig(LOOK), lipsync)
    e.push(speech(5 * S).tobytes())
    run(e, 1.0)
    e.skip()
    events = run(e, 1.0)
    assert not played(events).any()
    assert len(only(Silent, events)) == 1
    assert len(lipsync.interrupted_at) == 1
    assert e.queued == 0
    assert only(Frame, events)[-1].pose == REST  # type: ignore[union-attr]


def test_skip_while_silent_says_nothing() -> None:
    e = engine()
    e.skip()
    assert not [ev for ev in run(e, 1.0) if isinstance(ev, Spoke | Silent)]


def test_play_immediate_replaces_what_is_queued() -> None:
    e, old, new = engine(), speech(5 * S, seed=1), speech(S, seed=2)
    e.push(old.tobytes())
    run(e, 1.0)
    e.play_immediate(new.tobytes())
    events = run(e, 2.0)
    assert np.array_equal(played(events)[: len(new)], new)
    assert not played(events)[len(new) :].any()
    assert [type(ev) for ev in events if isinstance(ev, Spoke | Silent)] == [Silent, Spoke, Silent]
    assert_pictures_match_their_sound(events)


def test_play_immediate_with_a_head_that_is_continued_by_pushes_is_one_speech() -> None:
    e, new = engine(), speech(3 * S, seed=2)
    e.push(speech(2 * S).tobytes())
    run(e, 0.5)
    e.play_immediate(new[:64_000].tobytes())
    for i in range(64_000, len(new), 3_000):
        e.push(new[i : i + 3_000].tobytes())
    assert np.array_equal(played(run(e, 4.0))[: len(new)], new)


def test_finish_plays_out_what_is_queued_and_takes_no_more() -> None:
    e, said = engine(), speech(S)
    e.push(said.tobytes())
    run(e, 0.1)
    e.finish()
    e.push(speech(S, seed=9).tobytes())
    events = run(e, 5.0)
    assert np.array_equal(played(events)[: len(said) - 1_600], said[1_600:])
    assert not played(events)[len(said) - 1_600 :].any()
    assert isinstance(events[-1], Ended)
    assert events[-1].reason is EndReason.DONE
    assert only(Silent, events), "the end of speech is told before the end of the session"


def test_finish_with_nothing_said_ends_at_once() -> None:
    e = engine()
    run(e, 1.0)
    e.finish()
    assert only(Ended, run(e, 0.1)) == [Ended(EndReason.DONE, e.frames)]


def test_utterance_shorter_than_the_look_ahead_is_played() -> None:
    e, said = engine(), speech(200)
    e.push(said.tobytes())
    sound = played(run(e, 1.0))
    assert np.array_equal(sound[np.flatnonzero(sound)], said)


def test_silence_is_exact_zeros_and_the_face_lives_on() -> None:
    events = run(engine(), 2.0)
    sounds = [ev for ev in events if isinstance(ev, Sound)]
    frames = [ev for ev in events if isinstance(ev, Frame)]
    assert all(s.silent and not s.pcm.any() for s in sounds)
    assert len(frames) == 50
    assert all(f.resting and not f.hold for f in frames)


def test_without_silence_handling_the_video_holds_while_nothing_is_queued() -> None:
    e = engine(handle_silence=False)
    idle = [ev for ev in run(e, 1.0) if isinstance(ev, Frame)]
    assert not idle[0].hold, "the first picture never waits for sound"
    assert all(f.hold for f in idle[1:])
    e.push(np.zeros(S, np.int16).tobytes())
    alive = [ev for ev in run(e, 1.0) if isinstance(ev, Frame)]
    assert not any(f.hold for f in alive), "zeros from the client keep the video alive"
    assert all(ev.silent for ev in run(e, 0.5) if isinstance(ev, Sound)), "the sound track never stops"


def test_a_mouth_that_is_open_does_not_freeze_when_the_queue_runs_dry() -> None:
    e = engine(handle_silence=False)
    e.push(speech(S).tobytes())
    events = run(e, 3.0)
    assert all(f.pose == REST for f in events if isinstance(f, Frame) and f.hold)


def test_backlog_refuses_the_newest_and_says_so_once_an_episode() -> None:
    e, said = engine(backlog=2 * S), speech(5 * S)
    for i in range(0, len(said), 1_000):
        e.push(said[i : i + 1_000].tobytes())
    events = run(e, 3.0)
    assert only(Backlogged, events) == [Backlogged(1_000)]
    assert np.array_equal(played(events)[: 2 * S], said[: 2 * S])
    e.push(speech(3 * S).tobytes())
    assert len(only(Backlogged, run(e, 0.1))) == 1, "a new episode is told again"


@pytest.mark.parametrize("odd", [True, False])
def test_refused_audio_leaves_samples_whole(odd: bool) -> None:
    e, said = engine(backlog=S), speech(2 * S)
    data = said.tobytes()
    e.push(data[: 1 if odd else 2])
    e.push(data[1 if odd else 2 :])
    assert np.array_equal(played(run(e, 2.0))[:S], said[:S])


@pytest.mark.parametrize("fps", [25, 30])
def test_an_hour_without_drift(fps: int) -> None:
    e = engine(fps=fps, max_idle=4000 * S, max_length=4000 * S)
    rng = random.Random(7)
    sounds = frames = 0
    while e.now < 3600 * S:
        if rng.random() < 0.02:
            e.push(speech(rng.randrange(1, S), seed=rng.randrange(1000)).tobytes())
        if rng.random() < 0.005:
            e.skip()
        for event in e.advance(e.now + rng.choice([TICK, 5 * TICK])):
            if isinstance(event, Sound):
                assert event.sample == sounds * TICK
                assert event.pcm.shape == (TICK,)
                sounds += 1
            elif isinstance(event, Frame):
                assert event.n == frames
                assert event.sample == frame_sample(frames, fps)
                assert (sounds - 1) * TICK <= event.sample < sounds * TICK, "a picture left without its sound"
                frames += 1
    assert abs(frames - e.now * fps // S) <= 1


def test_a_dozing_session_costs_the_lip_sync_nothing() -> None:
    lipsync = LevelLipSync()
    e = Engine(EngineConfig(LOOK), lipsync)
    run(e, 10.0)
    assert lipsync.pushed == 0
    e.push(speech(S).tobytes())
    run(e, 10.0)
    assert lipsync.pushed < 2 * S
    said = speech(S, seed=3)
    e.push(said.tobytes())
    events = run(e, 2.0)
    assert np.array_equal(played(events)[:S], said)
    assert_pictures_match_their_sound(events)


def test_nothing_follows_the_end() -> None:
    e = engine()
    e.end(EndReason.CLOSED)
    e.end(EndReason.FAILED)
    e.push(speech(S).tobytes())
    assert run(e, 1.0) == [Ended(EndReason.CLOSED, 0)]
    assert run(e, 1.0) == []


def test_a_late_driver_gets_every_tick_it_missed() -> None:
    e, said = engine(), speech(S)
    e.push(said.tobytes())
    events = e.advance(S)
    assert np.array_equal(played(events), said)
    assert len(only(Frame, events)) == 25


# --- what is said ---------------------------------------------------------------------------------------------------
PHONES = tuple(TimedViseme(start, start + 1_000, "PP") for start in range(0, 20_000, 2_000))


def test_a_script_reaches_the_mouth_at_the_samples_of_its_sound() -> None:
    lipsync = LevelLipSync()
    e = Engine(EngineConfig(LOOK), lipsync)
    run(e, 0.2)
    e.push(speech(24_000).tobytes(), Script(PHONES, (Word((1, 2)),)))
    run(e, 2.0)
    first = min(lipsync.cued)
    assert sorted(start - first for start in lipsync.cued) == [v.start for v in PHONES]
    assert lipsync.expected == [(first, Word((1, 2)))]


def test_a_script_that_comes_before_its_sound_waits_for_it() -> None:
    lipsync = LevelLipSync()
    e = Engine(EngineConfig(LOOK), lipsync)
    e.push(speech(8_000).tobytes())
    e.cue(Script(PHONES[:2]))
    e.push(speech(8_000).tobytes())
    run(e, 2.0)
    assert sorted(start for start in lipsync.cued) == [8_000, 10_000]


def test_a_gap_in_the_sound_moves_what_is_said_after_it() -> None:
    lipsync = LevelLipSync()
    e = Engine(EngineConfig(LOOK), lipsync)
    e.push(speech(8_000).tobytes(), Script(PHONES))
    run(e, 1.0)
    before = lipsync.pushed
    e.push(speech(12_000).tobytes())
    run(e, 2.0)
    late = [start for start in lipsync.cued if start >= 8_000]
    assert len(late) == 6
    assert min(late) > before - 2_000  # what the line was padded with is replaced at most
    assert [start for start in sorted(lipsync.cued) if start < 8_000] == [0, 2_000, 4_000, 6_000]


def test_skip_forgets_what_would_be_said_and_play_immediate_brings_its_own() -> None:
    lipsync = LevelLipSync()
    e = Engine(EngineConfig(LOOK), lipsync)
    e.push(speech(24_000).tobytes(), Script(PHONES))
    run(e, 0.2)
    e.cue(Script(PHONES[:1], (Word((3,)),)))
    e.play_immediate(speech(4_000).tobytes())
    at = lipsync.pushed
    run(e, 1.0)
    assert len([start for start in lipsync.cued if start >= at]) == 1
    assert [word for _, word in lipsync.expected] == [Word((3,))]
    e.skip()
    e.push(speech(8_000).tobytes())
    at = lipsync.pushed
    run(e, 1.0)
    assert not [start for start in lipsync.cued if start >= at]
