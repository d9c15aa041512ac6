"""Step 2: what the mouth does at every 10 ms of an utterance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mouthpiece.lipsync.articulation import BILABIAL, LABIODENTAL, PHONE_ID, SHAPE_OF, SIL, VISEME_OF, spoken_shapes
from training.lipsync.speech import RATE, Utterance

FRAME = 0.01
_COARTICULATION = 2.5
"""Frames (standard deviation) by which articulator targets run into each other: 25 ms."""
_STOPS = (PHONE_ID["p"], PHONE_ID["b"])
_RELEASE_LEVEL = 0.5
"""The burst is where the level has come half of the way (in dB) from its lowest to its highest in the stop."""


@dataclass(frozen=True)
class Labels:
    """Truth on the 10 ms grid, n frames, frame i about the instant (i + 1/2) * 10 ms.

    ``phones`` and ``visemes`` (n,) indices, ``closed`` and ``labiodental`` (n,) 0 or 1, ``shape`` (n, 6) articulators.
    """

    phones: NDArray[np.int64]
    visemes: NDArray[np.int64]
    closed: NDArray[np.float32]
    labiodental: NDArray[np.float32]
    shape: NDArray[np.float32]


def on_grid(times: NDArray[np.float32], values: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """The value that holds at the middle of each of ``n`` frames; silence (0) where none does."""
    middle = (np.arange(n) + 0.5) * FRAME
    at = np.searchsorted(times[:, 0], middle, side="right") - 1
    held = np.clip(at, 0, None)
    return np.where((at >= 0) & (middle < times[held, 1]), values[held], SIL)


def releases(u: Utterance) -> NDArray[np.float32]:
    """End of the lips' closure of each phone, seconds, shape (n,): of p and b the burst, of all others their end."""
    ends = u.times[:, 1].copy()
    frames = u.pcm[: len(u.pcm) // 80 * 80].astype(np.float32).reshape(-1, 80)
    level = 10 * np.log10((frames**2).mean(1) + 10)
    for i in np.flatnonzero(np.isin(u.phones, _STOPS)):
        first, last = int(u.times[i, 0] / 0.005), int(np.ceil(u.times[i, 1] / 0.005)) + 2
        part = level[first:last]
        if len(part) < 6:
            continue
        lowest = int(part[: max(3, len(part) * 3 // 4)].argmin())
        threshold = part[lowest] + _RELEASE_LEVEL * (part[lowest:].max() - part[lowest])
        rises = np.flatnonzero(part[lowest:] > threshold)
        if len(rises):
            ends[i] = min(ends[i], (first + lowest + rises[0]) * 0.005)
    return np.maximum(ends, u.times[:, 0] + 0.02)


@dataclass(frozen=True)
class Timeline:
    """The phones of an utterance in time, ready to be laid on a grid at any speed."""

    times: NDArray[np.float32]
    phones: NDArray[np.int64]
    release: NDArray[np.float32]

    @classmethod
    def of(cls, u: Utterance) -> Timeline:
        """The timeline of an utterance."""
        return cls(u.times, u.phones, releases(u))

    def labels(self, n: int, scale: float = 1.0, offset: float = 0.0) -> Labels:
        """Labels of ``n`` frames when time ran ``scale`` times slower and began ``offset`` seconds later."""
        times = self.times * scale + offset
        shown = spoken_shapes(self.phones)
        phones = on_grid(times, self.phones, n)
        drawn = on_grid(times, shown, n)
        held = np.stack([times[:, 0], self.release * scale + offset], 1)
        closed = BILABIAL[on_grid(held, shown, n)].astype(np.float32)
        shape = gaussian_filter1d(SHAPE_OF[drawn], _COARTICULATION, axis=0)
        shape[:, 1] *= 1 - closed
        return Labels(phones, VISEME_OF[drawn], closed, LABIODENTAL[drawn].astype(np.float32), shape)


def silent(n: int) -> Labels:
    """Labels of ``n`` frames without speech."""
    still = np.zeros(n, np.int64)
    none = np.zeros(n, np.float32)
    return Labels(still, still, none, none, np.repeat(SHAPE_OF[:1], n, 0))


def frames_of(samples: int) -> int:
    """Whole frames in so many samples."""
    return samples * 100 // RATE
