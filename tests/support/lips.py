"""Whether a mouth moves with its sound, judged on what a client received."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP = 0.02
MAX_LAG = 0.4


@dataclass(frozen=True)
class Fit:
    """Correlation of mouth motion with loudness at its best lag; lag > 0: the mouth is late. Seconds."""

    correlation: float
    lag: float


def fit(
    seen_at: NDArray[np.float64],
    mouths: NDArray[np.float64],
    heard_at: NDArray[np.float64],
    rms: NDArray[np.float64],
    max_lag: float = MAX_LAG,
) -> Fit:
    """``mouths``: one small grey picture of the mouth a frame, shape (n, pixels); ``rms``: one loudness a packet.

    Speech must come in bursts with pauses: it is the bursts that are compared. ``max_lag`` is how far they may be
    apart: more than usual where sound and video leave the page by separate elements, which a busy machine parts.
    """
    motion = np.abs(np.diff(mouths, axis=0)).mean(1)
    start, end = max(seen_at[1], heard_at[0]), min(seen_at[-1], heard_at[-1])
    grid = np.arange(start, end, STEP)
    moving = _smooth(np.interp(grid, seen_at[1:], motion))
    loud = _smooth(np.interp(grid, heard_at, rms))
    lags = range(-round(max_lag / STEP), round(max_lag / STEP) + 1)
    scores = [float(np.corrcoef(*_shifted(moving, loud, lag))[0, 1]) for lag in lags]
    best = int(np.argmax(scores))
    return Fit(scores[best], lags[best] * STEP)


def _smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel = np.hanning(17)
    return np.convolve(np.log1p(x / (np.median(x) + 1e-9)), kernel / kernel.sum(), "same")


def _shifted(
    moving: NDArray[np.float64], loud: NDArray[np.float64], lag: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n = len(loud)
    return (moving[lag:], loud[: n - lag]) if lag >= 0 else (moving[: n + lag], loud[-lag:])
