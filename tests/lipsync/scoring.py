"""How good a track of poses is, against phones that are known: closures seen, openness, timing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.visemes import GAP, TABLE, VISEMES, TimedViseme, lip_gap
from mouthpiece.media import MouthPose

Array = NDArray[np.float64]
CLOSED_MM = 0.6
_PICTURE = 4  # poses between pictures at 25 a second
_SLACK = 2  # poses of tolerance at either end of a closure


@dataclass(frozen=True)
class Score:
    """``attained``: share of closures that a picture at 25 a second shows shut, over all four phases of the pictures;
    ``spurious``: closures a minute of speech where none is; ``openness``: correlation of the lip gap with the phones'
    (smoothed) at the best lag, ``lag_ms``, positive when the mouth is late; ``jitter``: mean second difference (mm).
    """

    closures: int
    attained: float
    spurious: float
    openness: float
    lag_ms: float
    jitter: float


def gaps(poses: Sequence[tuple[int, MouthPose]]) -> Array:
    return np.array([lip_gap(pose) for _, pose in poses])


def viseme_track(spans: Sequence[TimedViseme], length: int) -> NDArray[np.int64]:
    """The viseme at every pose."""
    track = np.zeros(length, np.int64)
    for span in spans:
        track[round(span.start / POSE_STEP) : round(span.end / POSE_STEP)] = VISEMES.index(span.viseme)
    return track


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def correlation_at_lags(a: Array, b: Array, lags: range) -> dict[int, float]:
    """Correlation of ``a[t]`` with ``b[t + lag]``."""
    n = min(len(a), len(b))
    pairs = {lag: (a[max(0, -lag) : n - max(0, lag)], b[max(0, lag) : n + min(0, lag)]) for lag in lags}
    return {lag: float(np.corrcoef(x, y)[0, 1]) for lag, (x, y) in pairs.items()}


def score(talks: Sequence[tuple[Sequence[TimedViseme], Sequence[tuple[int, MouthPose]]]]) -> Score:
    """Score poses (from sample 0 on) against the visemes that were spoken, over several pieces of speech."""
    hits, spurious, seconds = [], 0, 0.0
    wanted, seen, jitter = [], [], []
    for spans, poses in talks:
        gap, truth = gaps(poses), viseme_track(spans, len(poses))
        shut = gap <= CLOSED_MM
        for begin, end in runs(truth == VISEMES.index("PP")):
            window = np.arange(max(0, begin - _SLACK), min(len(gap), end + _SLACK))
            phases = [window[window % _PICTURE == phase] for phase in range(_PICTURE)]
            hits += [bool(shut[phase].any()) for phase in phases if len(phase)]
        closing = np.isin(truth, [VISEMES.index(v) for v in ("sil", "PP", "FF")])
        spurious += sum(not closing[max(0, begin - 3) : end + 3].any() for begin, end in runs(shut) if end - begin > 1)
        seconds += float((truth > 0).mean()) * len(truth) / 100
        wanted.append(gaussian_filter1d((TABLE @ GAP).astype(np.float64)[truth], 3.0))
        seen.append(gap)
        jitter.append(np.abs(np.diff(gap, 2)).mean())
    lags = correlation_at_lags(np.concatenate(wanted), np.concatenate(seen), range(-20, 21))
    best = max(list(lags)[1:-1], key=lags.__getitem__)
    before, after = lags[best] - lags[best - 1], lags[best] - lags[best + 1]
    return Score(
        closures=len(hits) // _PICTURE,
        attained=float(np.mean(hits)),
        spurious=60 * spurious / seconds,
        openness=lags[best],
        lag_ms=10.0 * best + 5.0 * (before - after) / (before + after),
        jitter=float(np.mean(jitter)),
    )
