"""Springs and gates."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.lipsync.smooth import CLOSE, JAW, TUCK, Gate, Springs, articulate, smoothstep
from mouthpiece.lipsync.visemes import GAP, SHAPES, TABLE, VISEMES


def test_springs_reach_their_target_without_overshoot() -> None:
    springs, target = Springs(), np.linspace(0.1, 1.0, len(SHAPES))
    track = np.array([springs.step(target) for _ in range(40)])
    assert (np.diff(track, axis=0) > -1e-12).all()
    assert np.allclose(track[-1], target, atol=1e-3)
    assert (track[4] > 0.5 * target).all()  # half way within 50 ms, rounding included
    springs.rest()
    assert not springs.step(np.zeros(len(SHAPES))).any()


@pytest.mark.parametrize("sure", [1, 2, 3, 10])
def test_a_sure_closure_is_shut_for_a_picture_at_least(sure: int) -> None:
    gate = Gate()
    values = [gate.step(1.0) for _ in range(sure)] + [gate.step(-0.7) for _ in range(20)]
    assert values.count(1.0) == (max(sure - 1, Gate.HOLD) if sure > 1 else 0)
    assert values[-1] == 0.0
    assert all(0.0 <= value <= 1.0 for value in values)


def test_a_doubtful_closure_only_narrows() -> None:
    gate = Gate()
    assert max(gate.step(0.4) for _ in range(20)) == pytest.approx(0.4)


def test_a_gate_opens_after_its_longest() -> None:
    gate = Gate(longest=18)
    assert [gate.step(1.0) for _ in range(40)][-1] == 0.0
    assert gate.step(0.0) == 0.0
    assert [gate.step(1.0) for _ in range(3)][-1] == 1.0


@pytest.mark.parametrize("viseme", VISEMES)
def test_closed_lips_leave_no_gap_whatever_they_were(viseme: str) -> None:
    shapes = TABLE[VISEMES.index(viseme)].astype(np.float64)
    shut = articulate(shapes, 1.0, 0.0)
    assert shut[CLOSE] == shut[JAW]
    assert float(shut @ GAP) <= 1e-9


def test_a_tucked_lip_keeps_the_jaw_small() -> None:
    tucked = articulate(TABLE[VISEMES.index("aa")].astype(np.float64), 0.0, 1.0)
    assert tucked[JAW] == pytest.approx(0.2)
    assert tucked[TUCK] == pytest.approx(0.8)


def test_smoothstep_ends_level() -> None:
    assert [smoothstep(x) for x in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]
