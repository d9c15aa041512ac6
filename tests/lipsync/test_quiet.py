"""What is no speech does not flap the mouth: generated breath, laughter, music, noise, and a crowd far away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync.visemes import lip_gap
from mouthpiece.media import SAMPLE_RATE, Pcm

from .espeak import say

SECONDS = 6
N = SECONDS * SAMPLE_RATE
TIME = np.arange(N) / SAMPLE_RATE


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)


def noise() -> NDArray[np.float64]:
    return _rng().standard_normal(N)


def breath() -> NDArray[np.float64]:
    """Two slow breaths: noise through a wide resonance."""
    swell = np.clip(np.sin(2 * np.pi * TIME / 3), 0, None) ** 2
    return np.asarray(lfilter([0.1], [1, -1.6, 0.81], noise()) * swell)


def laughter() -> NDArray[np.float64]:
    """Voiceless laughter: puffs of breath, five a second."""
    puffs = np.clip(np.sin(2 * np.pi * 5 * TIME), 0, None) ** 3
    return np.asarray(lfilter([0.1], [1, -1.5, 0.8], noise()) * puffs)


def music() -> NDArray[np.float64]:
    """Chords of a piano, two a second."""
    out = np.zeros(N)
    for beat in range(2 * SECONDS):
        first = beat * SAMPLE_RATE // 2
        t = TIME[: N - first]
        for step in (0, 4, 7):
            root = 220 * 2 ** ((step + beat % 5) / 12)
            out[first:] += sum(np.sin(2 * np.pi * root * h * t) / h for h in (1, 2, 3)) * np.exp(-4 * t)
    return out


def babble() -> NDArray[np.float64]:
    """Six voices at once."""
    out = np.zeros(N)
    for i, voice in enumerate(("en-us+f2", "de+m3", "fr+f4", "es+m1", "it+m7", "ru+f1")):
        pcm = say("La la banana moto no sera familia parma veto. " * 4, voice).pcm.astype(float)
        out += np.roll(np.resize(pcm / pcm.std(), N), i * 7_000)
    return out


def motion(sound: NDArray[np.float64], dbfs: float) -> float:
    """Distance that the lips travel, millimetres a second, in this sound at this level."""
    scaled = sound / np.sqrt((sound**2).mean()) * 32768 * 10 ** (dbfs / 20)
    pcm: Pcm = np.clip(scaled, -32768, 32767).astype(np.int16)
    gap = np.array([lip_gap(pose) for _, pose in open_lipsync().push(pcm)])
    return float(np.abs(np.diff(gap)).sum() / SECONDS)


@pytest.fixture(scope="module")
def speaking() -> float:
    pcm = say("Maybe Papa brought five big apples to my mother, and she likes them very much indeed, you know.").pcm
    gap = np.array([lip_gap(pose) for _, pose in open_lipsync().push(pcm)])
    return float(np.abs(np.diff(gap)).sum() / (len(pcm) / SAMPLE_RATE))


@pytest.mark.parametrize("sound", [noise, breath, laughter, music, babble])
@pytest.mark.parametrize("dbfs", [-45.0, -25.0])
def test_it_moves_a_small_part_of_what_speech_does(
    sound: Callable[[], NDArray[np.float64]], dbfs: float, speaking: float
) -> None:
    assert motion(sound(), dbfs) < 0.2 * speaking
