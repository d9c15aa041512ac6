"""A second look at what was heard, inside the look-ahead: each frame in the light of those around it.

The network tells of frames that are to come as well, so a frame and its neighbours can be weighed without waiting.
Closures have two witnesses, the gate and the viseme of their own; their mean, smoothed over three frames, is right
more often than either. Articulators move slowly: theirs are smoothed over five.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.visemes import PP, Heard

Array = NDArray[np.float32]

CLOSURE: Final = (0.25, 0.5, 0.25)
"""Weights of the frame before, the frame, and the one after."""
SHAPE: Final = (0.1, 0.2, 0.4, 0.2, 0.1)
LINE: Final = 0.36
"""The smoothed mean at which a closure is as likely as not: it is told as one half."""
_PAST: Final = len(SHAPE) // 2
_VECTOR, _MATRIX = "float32[::1]", "float32[:,::1]"


@numba.njit(f"{_MATRIX}({_MATRIX}, {_VECTOR})", nogil=True, cache=True)
def _smoothed(rows: Array, kernel: Array) -> Array:
    """Rows (n, k) after the first half of the kernel; the last row stands for those that follow it."""
    half, last = len(kernel) // 2, len(rows) - 1
    out = np.zeros((len(rows) - half, rows.shape[1]), np.float32)
    for i in range(len(out)):
        for j in range(len(kernel)):
            for k in range(rows.shape[1]):
                out[i, k] += kernel[j] * rows[min(i + j, last), k]
    return out


_CLOSURE, _SHAPE = np.array(CLOSURE, np.float32) * np.float32(0.5 / LINE), np.array(SHAPE, np.float32)


class Steady:
    """Weighs the frames of one stream."""

    def __init__(self, silence: Heard) -> None:
        self._before = _witnesses(silence)[:_PAST]
        self._shapes = silence.shape[:_PAST]

    def step(self, heard: Heard) -> Heard:
        """The same, weighed; the first two frames are told for good and remembered."""
        now = _witnesses(heard)
        closures, shapes = np.concatenate((self._before[-1:], now)), np.concatenate((self._shapes, heard.shape))
        self._before, self._shapes = now[:_PAST], heard.shape[:_PAST]
        closure = np.minimum(_smoothed(closures, _CLOSURE)[:, 0], np.float32(1))
        return Heard(heard.visemes, closure, heard.tuck, _smoothed(shapes, _SHAPE), heard.phones)


def _witnesses(heard: Heard) -> Array:
    return np.asarray((heard.closure + heard.visemes[:, PP])[:, None] / np.float32(2), np.float32)
