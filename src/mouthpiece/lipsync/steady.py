"""A second look at what was heard, inside the look-ahead: each frame in the light of those around it.

The network tells of frames that are to come as well, so a frame and its neighbours can be weighed without waiting.
Closures have two witnesses, the gate and the viseme of their own; their weighed mean, smoothed over three frames, is
right more often than either. Where it counts as a closure was found on speech apart from all that is scored, and comes
with the weights. Articulators move slowly: theirs are smoothed over five.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.visemes import PP, Heard
from mouthpiece.lipsync.weights import load_weights

Array = NDArray[np.float32]

CLOSURE: Final = (0.25, 0.5, 0.25)
"""Weights of the frame before, the frame, and the one after."""
GATE: Final = np.float32(0.25)
"""What the gate weighs; the viseme weighs the rest. Found on the same speech."""
SHAPE: Final = (0.1, 0.2, 0.4, 0.2, 0.1)
_PAST: Final = len(SHAPE) // 2


@cache
def _band(kernel: tuple[float, ...], rows: int) -> Array:
    """The matrix that smooths ``rows`` rows into those after the first half of the kernel.

    The last row stands for those that follow it.
    """
    half = len(kernel) // 2
    band = np.zeros((rows - half, rows), np.float32)
    for i in range(rows - half):
        for j, weight in enumerate(kernel):
            band[i, min(i + j, rows - 1)] += weight
    return band


class Steady:
    """Weighs the frames of one stream."""

    def __init__(self, silence: Heard) -> None:
        self._before = witnesses(silence)[:_PAST]
        self._shapes = silence.shape[:_PAST]

    def step(self, heard: Heard) -> Heard:
        """The same, weighed; the first two frames are told for good and remembered."""
        now = witnesses(heard)
        closures, shapes = np.concatenate((self._before[-1:], now)), np.concatenate((self._shapes, heard.shape))
        self._before, self._shapes = now[:_PAST], heard.shape[:_PAST]
        closure, shape = _band(CLOSURE, len(closures)) @ closures, _band(SHAPE, len(shapes)) @ shapes
        return Heard(heard.visemes, likely(closure), heard.tuck, shape, heard.phones)


def steady_all(heard: Heard) -> Heard:
    """As ``Steady`` with all frames of a sound at once; the first and the last stand for those beyond them."""
    closure = likely(_smoothed(witnesses(heard)[:, None], CLOSURE)[:, 0])
    return replace(heard, closure=closure, shape=_smoothed(heard.shape, SHAPE))


def _smoothed(rows: Array, kernel: tuple[float, ...]) -> Array:
    half = len(kernel) // 2
    padded = np.pad(rows, ((half, half), (0, 0)), mode="edge")
    out = np.zeros_like(rows)
    for j, weight in enumerate(kernel):
        out += np.float32(weight) * padded[j : j + len(rows)]
    return out


def witnesses(heard: Heard) -> Array:
    """The weighed mean of what gate and viseme say of closed lips, by frame."""
    said = heard.visemes[:, PP]
    return np.asarray(said + GATE * (heard.closure - said), np.float32)


def likely(closure: Array) -> Array:
    """How likely the weighed mean makes a closure: the line is told as one half."""
    return np.asarray(np.minimum(closure * np.float32(0.5 / load_weights().closure_line), np.float32(1)), np.float32)
