"""Idle life: natural rates, random access, no repetition, no jumps."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.face.idle import Life, Manner, blink, life

FPS = 50


def blinks(seed: int, seconds: float) -> np.ndarray:
    shut = np.array([blink(seed, k / FPS) for k in range(int(seconds * FPS))]) > 0.5
    return np.nonzero(shut[1:] & ~shut[:-1])[0] / FPS


def test_blinks_come_at_a_natural_rate() -> None:
    times = blinks(4, 600)
    assert 12 * 10 < len(times) < 24 * 10
    gaps = np.diff(times)
    assert gaps.max() < 12
    assert gaps.std() > 0.8  # not a metronome
    assert 0.04 < (gaps < 0.6).mean() < 0.2  # some doubles


def test_intervals_are_skewed_as_those_of_people() -> None:
    gaps = np.concatenate([np.diff(blinks(seed, 900)) for seed in (1, 2, 3)])
    single = gaps[gaps > 0.6]
    assert single.mean() > 1.06 * np.median(single)  # a long tail to the right
    assert np.quantile(single, 0.9) > 2.5 * np.quantile(single, 0.1)


def test_a_manner_changes_rates() -> None:
    calm, quick = Manner(blinks=0.5), Manner(blinks=1.5)
    shut = [np.mean([blink(4, k / 25, manner.blinks) > 0.5 for k in range(25 * 300)]) for manner in (calm, quick)]
    assert shut[1] > 2 * shut[0]
    steady = [life(4, k * 0.3, manner=Manner(away=0.0)) for k in range(600)]
    assert np.corrcoef([v.yaw for v in steady], [v.gaze_x for v in steady])[0, 1] > 0.99


def test_stressed_syllables_nod_in_changing_directions() -> None:
    moved = [(life(6, 7.0 * k, emphasis=0.5), life(6, 7.0 * k)) for k in range(40)]
    nods = np.array([a.pitch - b.pitch for a, b in moved])
    turns = np.array([a.yaw - b.yaw for a, b in moved])
    assert nods.min() > 0.01
    assert nods.std() > 0.003
    assert turns.min() < -0.003 < 0.003 < turns.max()


def test_a_resting_face_is_awake() -> None:
    """Postures are held and changed, lips meet now and then, nothing of it jumps."""
    lives = [life(3, k / FPS) for k in range(120 * FPS)]
    assert 0.01 < np.mean([v.press > 0.1 for v in lives]) < 0.3
    for name in ("lips", "skew", "lids", "press"):
        values = np.array([getattr(v, name) for v in lives])
        assert np.ptp(values) > 0.05
        assert np.abs(np.diff(values)).max() < 0.08


def test_a_blink_closes_fast_and_opens_slower() -> None:
    start = blinks(4, 30)[0]
    shape = np.array([blink(4, start - 0.2 + k / 1000) for k in range(600)])
    assert shape.max() == 1.0
    assert 0.2 < (shape > 0).mean() * 0.6 < 0.3  # 250 ms in all


def test_any_moment_in_any_order() -> None:
    moments = [0.0, 10_800.32, 5.5, -1.0, 86_400.0]
    assert [life(9, t) for t in moments] == [life(9, t) for t in reversed(moments)][::-1]


def test_hours_do_not_repeat() -> None:
    track = np.array([(life(1, k * 0.5).yaw, life(1, k * 0.5).pitch) for k in range(4000)])
    for lag in (10, 60, 120, 600, 1200):
        assert abs(np.corrcoef(track[lag:, 0], track[:-lag, 0])[0, 1]) < 0.35


@pytest.mark.parametrize("seed", [0, 1, -7, 2**40])
def test_motion_is_small_and_smooth(seed: int) -> None:
    lives = [life(seed, 3600 + k / FPS) for k in range(60 * FPS)]
    for name in ("yaw", "pitch", "roll", "x", "y", "z", "breath"):
        values = np.array([getattr(v, name) for v in lives])
        assert np.abs(np.diff(values)).max() < 0.08 * max(1e-3, np.ptp(values))
    assert max(abs(v.yaw) for v in lives) < 0.08
    assert max(abs(v.gaze_x) for v in lives) < 0.55


def test_the_eyes_stay_on_the_viewer() -> None:
    """Turning the head turns the eyes back (vestibulo-ocular reflex)."""
    lives = [life(2, k * 0.31) for k in range(2000)]
    assert np.corrcoef([v.yaw for v in lives], [v.gaze_x for v in lives])[0, 1] > 0.4


def test_emphasis_nods_and_lifts_the_brows() -> None:
    calm, stressed = life(0, 12.0), life(0, 12.0, emphasis=0.5)
    assert stressed.pitch > calm.pitch + 0.02
    assert stressed.brow > calm.brow + 0.2
    assert isinstance(calm, Life)
