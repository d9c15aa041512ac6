"""Predicted against measured lips: recordings of real speakers whose mouths were measured, picture by picture.

A folder holds pairs ``NAME.wav`` (16 kHz, mono) and ``NAME.json`` with ``fps``, ``cols`` and ``frames`` (rows); the
column ``inner_gap`` is the gap between the inner lips.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from benchmarks.lipsync.score import correlation

LAGS = range(-8, 9)
"""Pictures by which sound and picture of a clip may be apart."""


def measured(path: Path) -> tuple[NDArray[np.float64], float]:
    """Measured lip gaps, and pictures a second."""
    data = json.loads(path.read_text())
    column = data["cols"].index("inner_gap")
    return np.array([row[column] for row in data["frames"]]), float(data["fps"])


def best_correlation(folder: Path, opening_of: Callable[[NDArray[np.int16]], NDArray[np.float64]]) -> dict[str, float]:
    """By clip, the correlation at the best lag; ``opening_of`` tells the opening every 10 ms."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        gap, fps = measured(path)
        rate, pcm = wavfile.read(path.with_suffix(".wav"))
        if rate != 16_000 or pcm.ndim != 1:
            raise ValueError(f"{path.stem}: the sound must be mono at 16 kHz")
        opening = opening_of(pcm)
        at = ((np.arange(len(gap)) + 0.5) / fps * 100).astype(int)
        seen = opening[at[at < len(opening)]]
        found[path.stem] = max(_at_lag(gap[: len(seen)], seen, lag) for lag in LAGS)
    return found


def _at_lag(a: NDArray[np.float64], b: NDArray[np.float64], lag: int) -> float:
    n = min(len(a), len(b))
    return correlation(a[max(0, -lag) : n - max(0, lag)], b[max(0, lag) : n + min(0, lag)])
