"""What is measured: visemes, closures as events, closed mouths as a viewer sees them, openness, rounding, timing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from training.lipsync.labels import Labels

Array = NDArray[np.float64]
OPEN = np.array([0, 0, 0.1, 0.25, 0.2, 0.3, 0.2, 0.12, 0.28, 0.33, 0.85, 0.5, 0.28, 0.65, 0.3])
ROUND = np.array([0, 0.1, 0.1, 0, 0, 0, 0.5, 0, 0, 0.4, 0, 0, 0, 0.6, 1.0])
"""How open and how round each viseme looks, 0 to 1: the same for everyone who is scored."""
PP, FF, VOWEL_FROM = 1, 2, 10
SLACK = 3
"""Frames of 10 ms that a closure may be early or late."""
SHUT_MM = 0.3
FPS = 25
LAGS = range(-20, 21)


@dataclass(frozen=True)
class Guess:
    """What a system said about one utterance, on the 10 ms grid.

    ``visemes`` (n, 15) weights; ``gap`` (n,) the lip gap of the rendered face in mm where the system draws one, and
    ``closed`` (n,) its own word on closures where it has one (else: the strongest viseme is PP).
    """

    visemes: Array
    gap: Array | None = None
    closed: NDArray[np.bool_] | None = None
    opening: Array | None = None
    rounding: Array | None = None


@dataclass
class Events:
    """Counts of closures: ``hit`` and ``missed`` of the true ones, ``false`` of the told ones."""

    hit: int = 0
    missed: int = 0
    false: int = 0

    @property
    def precision(self) -> float:
        """Share of what was told that was true."""
        return self.hit / max(1, self.hit + self.false)

    @property
    def recall(self) -> float:
        """Share of what was true that was told."""
        return self.hit / max(1, self.hit + self.missed)

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)

    def count(self, true: NDArray[np.bool_], told: NDArray[np.bool_]) -> None:
        """Match runs of at least two frames."""
        wanted, found = runs(true), runs(told)
        hits = _near(wanted, found)
        self.hit += hits
        self.missed += len(wanted) - hits
        self.false += len(found) - _near(found, wanted)


def _near(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> int:
    """How many of ``some`` have one of ``others`` (both in order, apart) within the slack."""
    starts = [begin for begin, _ in others]
    before = ((bisect_left(starts, end + SLACK), begin) for begin, end in some)
    return sum(n > 0 and others[n - 1][1] > begin - SLACK for n, begin in before)


def runs(mask: NDArray[np.bool_], shortest: int = 2) -> list[tuple[int, int]]:
    """Begin and end of every run of True that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]


@dataclass
class Tally:
    """Gathers the score of a system over many utterances."""

    truth: list[NDArray[np.int64]] = field(default_factory=list)
    told: list[NDArray[np.int64]] = field(default_factory=list)
    curves: list[tuple[Array, Array, Array, Array]] = field(default_factory=list)
    products: Array = field(default_factory=lambda: np.zeros(len(LAGS)))
    closures: Events = field(default_factory=Events)
    labiodentals: Events = field(default_factory=Events)
    seen: list[bool] = field(default_factory=list)
    spurious: int = 0
    drawn_minutes: float = 0.0

    def add(self, truth: Labels, guess: Guess) -> None:
        """Score one utterance."""
        n = min(len(truth.visemes), len(guess.visemes))
        true, weights = truth.visemes[:n], guess.visemes[:n]
        told = weights.argmax(1)
        self.truth.append(true)
        self.told.append(told)
        self.closures.count(true == PP, (told == PP) if guess.closed is None else guess.closed[:n])
        self.labiodentals.count(true == FF, told == FF)
        self._add_curves(true, guess, n)
        if guess.gap is not None:
            self._add_drawn(true, guess.gap[:n])

    def _add_curves(self, true: NDArray[np.int64], guess: Guess, n: int) -> None:
        open_true, round_true = gaussian_filter1d(OPEN[true], 3.0), gaussian_filter1d(ROUND[true], 3.0)
        opening = guess.visemes[:n] @ OPEN if guess.opening is None else guess.opening[:n]
        rounding = guess.visemes[:n] @ ROUND if guess.rounding is None else guess.rounding[:n]
        opening, rounding = gaussian_filter1d(opening, 1.5), gaussian_filter1d(rounding, 1.5)
        self.curves.append((open_true, opening, round_true, rounding))
        if n > 100:
            a, b = open_true - open_true.mean(), opening - opening.mean()
            self.products += [float(a[max(0, -s) : n - max(0, s)] @ b[max(0, s) : n + min(0, s)]) for s in LAGS]

    def _add_drawn(self, true: NDArray[np.int64], gap: Array) -> None:
        """Does a picture at 25 a second show each closure shut (all phases of the pictures count)?"""
        every = 100 // FPS
        shut = gap <= SHUT_MM
        for begin, end in runs(true == PP, 3):
            around = np.arange(max(0, begin - 2), min(len(gap), end + 2))
            phases = [around[around % every == phase] for phase in range(every)]
            self.seen += [bool(shut[p].any()) for p in phases if len(p)]
        may_shut = np.isin(true, [0, PP, FF])
        self.spurious += sum(not may_shut[max(0, a - 3) : b + 3].any() for a, b in runs(shut))
        self.drawn_minutes += float((true > 0).sum()) / 6000

    def offset_ms(self) -> float:
        """How late the opening is, ms, by the peak of its cross-correlation with the truth."""
        peak = int(self.products.argmax())
        if not 0 < peak < len(LAGS) - 1:
            return LAGS[peak] * 10.0
        a, b, c = self.products[peak - 1 : peak + 2]
        return float(LAGS[peak] * 10 + 5 * (a - c) / (a - 2 * b + c))

    def result(self) -> dict[str, float]:
        """All figures by name."""
        true, told = np.concatenate(self.truth), np.concatenate(self.told)
        curves = [np.concatenate(c) for c in zip(*self.curves, strict=True)]
        spoken = true > 0
        out = {
            "accuracy": float((true == told).mean()),
            "accuracy_speech": float((true == told)[spoken].mean()),
            "closure_precision": self.closures.precision,
            "closure_recall": self.closures.recall,
            "closure_f1": self.closures.f1,
            "labiodental_f1": self.labiodentals.f1,
            "openness": correlation(curves[0], curves[1]),
            "rounding": correlation(curves[2], curves[3]),
            "offset_ms": self.offset_ms(),
        }
        if self.seen:
            out["closures_seen"] = float(np.mean(self.seen))
            out["spurious_per_minute"] = self.spurious / self.drawn_minutes
        return out


def correlation(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Pearson's correlation; 0 where one of them never changes."""
    x, y = np.asarray(a), np.asarray(b)
    return float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else 0.0
