"""The second look: frames weighed by those around them, the same in pieces of any size."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.lipsync.neural import Recognizer
from mouthpiece.lipsync.steady import Steady
from mouthpiece.lipsync.visemes import PP, SIL, Heard
from mouthpiece.lipsync.weights import load_weights

LINE = load_weights().closure_line


def heard(closure: list[float], viseme: list[float]) -> Heard:
    n = len(closure)
    visemes = np.zeros((n, 15), np.float32)
    visemes[:, PP] = viseme
    visemes[:, SIL] = 1 - visemes[:, PP]
    zeros = np.zeros(n, np.float32)
    return Heard(
        visemes, np.array(closure, np.float32), zeros, np.zeros((n, 6), np.float32), np.zeros((2, 41), np.float32)
    )


SILENCE = heard([0.0] * 6, [0.0] * 6)


def test_what_lasts_is_told_and_a_single_frame_is_doubted() -> None:
    lasting = Steady(SILENCE).step(heard([0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0])).closure
    single = Steady(SILENCE).step(heard([0, 0.7, 0, 0, 0, 0], [0, 0.5, 0, 0, 0, 0])).closure
    assert lasting[2] == 1.0
    assert lasting.max() > 0.5 > single.max()


def test_the_line_between_yes_and_no_is_one_half() -> None:
    assert Steady(SILENCE).step(heard([LINE] * 6, [LINE] * 6)).closure[2:5] == pytest.approx(0.5)


def test_both_witnesses_count() -> None:
    one = Steady(SILENCE).step(heard([0.7] * 6, [0.0] * 6)).closure[3]
    both = Steady(SILENCE).step(heard([0.7] * 6, [0.7] * 6)).closure[3]
    assert one < 0.5 < both


def test_the_frames_before_are_remembered() -> None:
    steady = Steady(SILENCE)
    steady.step(heard([1.0] * 6, [1.0] * 6))
    after = steady.step(SILENCE).closure
    assert after[0] == pytest.approx(0.25 * 0.5 / LINE)
    assert not after[1:].any()


def test_silence_stays_silence() -> None:
    silence = Recognizer().silence
    told = Steady(silence).step(silence)
    assert told.closure.max() < 0.1
    assert np.allclose(told.shape, silence.shape, atol=0.05)
