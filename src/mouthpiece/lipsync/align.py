"""Known text laid over the sound as it comes: which of the expected phones is being said right now.

A forward pass over a chain of states (Rabiner 1989, hidden Markov model, left to right), one step every 10 ms, with
the network's phone posteriors as emissions: no lag of its own beyond the network's. Every phone lasts at least two
frames; between words there may be silence; a phone may be left out, and a listener that lost the thread may take it
up again at a later word, both at a price. How well the text fits is measured against the best that any text could
do; ``trust`` falls to zero where it does not fit, so that the caller falls back to sound alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.articulation import PHONES, SIL, Word, spoken_shapes

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Number = float | np.float32

_SILENCE_STATE, _FIRST, _SECOND = 0, 1, 2
_WINDOW = 240
"""States looked at ahead of the oldest likely one: some eight seconds of speech."""
_MOST = 120_000
"""States that are kept at most, over an hour of speech: of words that never come, the oldest are given up."""
_SPENT = 512
"""States left behind at which they are let go of: seldom, because what remains is copied."""
_SHARPNESS = 0.8
"""Weight of the emissions: neighbouring frames are not independent. Found on training voices."""
_LEAVE = np.log(1 / 5)
_STAY = np.log(4 / 5)
_TO_PAUSE = np.log(0.05)
_SKIP = -14.0
_JUMP = -45.0
_LOST = np.float32(-1e9)
_DEAD = np.float32(-60)
"""States with a score below this, where the best has 0, are given up in the frame: a jump costs less."""
_GONE = np.float32(-30)
"""States with a score this far below the best, before the first likelier one, are left behind."""
_MEMORY = float(np.exp(-1 / 80))
"""Fit is remembered over 80 frames of speech (800 ms)."""
_FITS, _FITS_NOT = -0.85, -1.2
"""Mean log likelihood a frame, against the best free choice, at which text is trusted fully, and not at all."""


@numba.njit("float32(float32, float32)", nogil=True, cache=True)
def _add(a: Number, b: Number) -> Number:
    """log(exp(a) + exp(b))."""
    high, low = max(a, b), min(a, b)
    if low < high - np.float32(20):
        return high
    grown: Number = high + np.log(np.float32(1) + np.exp(low - high))
    return grown


@numba.njit("void(float32[::1], float32[::1], int64[:,::1])", nogil=True, cache=True)
def _advance(score: Array, emission: Array, states: Ints) -> None:
    """One frame: scores of the states from those before, summed over the ways in (in place), 0 for the best.

    ``states`` (n, 3): phone, kind, and whether a word starts there. States that nothing likely leads to are left out.
    """
    n = len(score)
    best = score.max()
    for s in range(n - 1, -1, -1):
        here = score[s] > _DEAD or (s > 0 and score[s - 1] > _DEAD) or states[s, 2]
        if not (here or (s > 1 and score[s - 2] > _DEAD) or (s > 2 and score[s - 3] > _DEAD)):
            score[s] = _LOST
            continue
        kind = states[s, 1]
        way = score[s] + np.float32(_STAY) if kind != _FIRST else _LOST
        if s > 0:
            step = score[s - 1] + np.float32(_LEAVE if states[s - 1, 1] != _FIRST else 0.0)
            way = _add(way, step + np.float32(_TO_PAUSE if kind == _SILENCE_STATE else 0.0))
        if kind == _FIRST and s > 1 and states[s - 1, 1] == _SILENCE_STATE:
            way = _add(way, score[s - 2] + np.float32(_LEAVE))
        if kind == _FIRST and s > 2:
            way = _add(way, score[s - 3] + np.float32(_SKIP))
        if states[s, 2]:
            way = _add(way, best + np.float32(_JUMP))
        score[s] = max(way, _LOST) + emission[states[s, 0]]
    score -= score.max()


@numba.njit("void(float32[::1], float32[::1], int64[:,::1], float32[::1])", nogil=True, cache=True)
def _look_back(later: Array, emission: Array, states: Ints, score: Array) -> None:
    """The backward pass of ``_advance`` (without jumps): from scores of what follows a frame to those of one earlier.

    ``emission`` is the later frame's, ``score`` the earlier frame's forward scores; in place.
    """
    n = len(later)
    for s in range(n):
        later[s] += emission[states[s, 0]]
    for s in range(n):
        if score[s] < _DEAD:
            later[s] = _LOST
            continue
        kind = states[s, 1]
        way = later[s] + np.float32(_STAY) if kind != _FIRST else _LOST
        leave = np.float32(_LEAVE if kind != _FIRST else 0.0)
        if s + 1 < n:
            way = _add(way, later[s + 1] + leave + np.float32(_TO_PAUSE if states[s + 1, 1] == _SILENCE_STATE else 0.0))
        if s + 2 < n and states[s + 2, 1] == _FIRST and states[s + 1, 1] == _SILENCE_STATE:
            way = _add(way, later[s + 2] + np.float32(_LEAVE))
        if s + 3 < n and states[s + 3, 1] == _FIRST:
            way = _add(way, later[s + 3] + np.float32(_SKIP))
        later[s] = way
    later -= later.max()


@numba.njit("float32[:,::1](float32[::1], float32[:,::1], int64[:,::1], int64)", nogil=True, cache=True)
def _shares(score: Array, heard: Array, states: Ints, final: int) -> Array:
    """How likely each state is in each frame, in the light of all frames, shape (frames, states), each sum 1.

    ``heard`` (frames, 41) emissions; ``score`` is left as after ``final`` frames.
    """
    frames, n = len(heard), len(score)
    scores = np.empty((frames, n), np.float32)
    for i in range(frames):
        scores[i] = score if i == 0 else scores[i - 1]
        _advance(scores[i], heard[i], states)
    score[:] = scores[final - 1]
    later = np.zeros(n, np.float32)
    for i in range(frames - 1, -1, -1):
        before = scores[i - 1].copy() if i > 0 else score
        scores[i] += later
        if i > 0:
            _look_back(later, heard[i], states, before)
        best, total = scores[i].max(), np.float32(0)
        for s in range(n):
            away = scores[i, s] - best
            scores[i, s] = np.exp(away) if away > _GONE else np.float32(0)
            total += scores[i, s]
        scores[i] /= total
    return scores


@numba.njit("float32[:,::1](float32[:,::1], int64[::1], int64)", nogil=True, cache=True)
def _by_phone(share: Array, phones: Ints, count: int) -> Array:
    """Shares of states added up by their phones, shape (frames, ``count``)."""
    out = np.zeros((len(share), count), np.float32)
    for i in range(len(share)):
        for s in range(len(phones)):
            out[i, phones[s]] += share[i, s]
    return out


class Aligner:
    """Follows the expected words of one session through its sound."""

    def __init__(self) -> None:
        self._states = np.array([[SIL, _SILENCE_STATE, 0]], np.int64)
        self._shown = np.array([SIL])
        self._score = np.zeros(1, np.float32)
        self._low = 0
        self._fit = 0.0
        self.trust = 0.0

    def expect(self, words: Sequence[Word]) -> None:
        """Words that will be said after those already expected.

        Of more than an hour of speech that was not heard, the oldest are forgotten.
        """
        said = [w.phones for w in words if w.phones]
        if not said:
            return
        if not self.expecting:
            self._fit, self.trust = _FITS, 1.0
        states = np.array([row for phones in said for row in _word_states(phones)], np.int64)
        shown = spoken_shapes(np.array([p for phones in said for p in (*phones, SIL)]))
        lasting = np.concatenate([np.repeat([2, 1], [len(phones), 1]) for phones in said])
        self._states = np.concatenate([self._states, states])
        self._shown = np.concatenate([self._shown, np.repeat(shown, lasting)])
        self._score = np.concatenate([self._score, np.full(len(states), _LOST, np.float32)])
        self._let_go(max(self._low, len(self._states) - _MOST))

    def forget(self) -> None:
        """The expected words will not be said."""
        self.__init__()  # type: ignore[misc]

    def step(self, posteriors: Array, final: int) -> Array:
        """Hear phone posteriors of frames in a row, shape (n, 41); the first ``final`` of them are told for good.

        Returns the weights of the phones that are shown in these frames, shape (n, 41): of each frame in the light of
        all. Only the final ones are remembered.
        """
        window = slice(self._low, self._low + _WINDOW)
        states, score = self._states[window], self._score[window]
        heard = emissions(posteriors)
        share = _shares(score, heard, states, final)
        said = _by_phone(share[:final], np.ascontiguousarray(states[:, 0]), len(PHONES))
        prices = np.einsum("fp,fp->f", said, heard[:final]) - heard[:final].max(axis=1)
        for price, silent in zip(prices.tolist(), posteriors[:final, SIL].tolist(), strict=True):
            self._judge(price / _SHARPNESS, 1.0 - silent)
        shown = _by_phone(share, self._shown[window], len(PHONES))
        self._low += max(0, int((score > _GONE).argmax()) - 4)
        if self._low >= _SPENT:
            self._let_go(self._low)
        return shown

    def _let_go(self, spent: int) -> None:
        """Drop so many of the oldest states; the window never looks back at those that were left behind."""
        self._states, self._shown = self._states[spent:].copy(), self._shown[spent:].copy()
        self._score = self._score[spent:].copy()
        self._low = max(0, self._low - spent)

    @property
    def expecting(self) -> bool:
        """Whether any words are expected."""
        return len(self._states) > 1

    def _judge(self, price: float, spoken: float) -> None:
        self._fit += (price - self._fit) * (1.0 - _MEMORY) * spoken  # silence fits every text
        self.trust = min(max((self._fit - _FITS_NOT) / (_FITS - _FITS_NOT), 0.0), 1.0)


def _word_states(phones: tuple[int, ...]) -> list[tuple[int, int, int]]:
    states = [(p, kind, int(i == 0 and kind == _FIRST)) for i, p in enumerate(phones) for kind in (_FIRST, _SECOND)]
    return [*states, (SIL, _SILENCE_STATE, 0)]


def emissions(posterior: Array) -> Array:
    """Scores of the phones for one frame, with room for mistakes."""
    return np.asarray(_SHARPNESS * np.log(posterior + np.float32(0.01)), np.float32)
