"""Pieces of sound of any size, cut into hops of 10 ms, and which pose each hop completes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.media import Pcm

LOOKAHEAD: Final = 960
"""Samples of future sound that a pose needs."""
AHEAD: Final = LOOKAHEAD // POSE_STEP
"""Hops known from the pose of now on, its own included."""


class Hops:
    """Holds what does not fill a hop yet."""

    def __init__(self) -> None:
        self._hop = np.zeros(POSE_STEP, np.int16)
        self._fill = 0
        self.count = 0

    @property
    def pose_sample(self) -> int:
        """Sample of the pose that the last hop completed; negative before the look-ahead is heard."""
        return (self.count - AHEAD) * POSE_STEP

    @property
    def empty(self) -> bool:
        """Whether nothing is held: every sample so far is in a hop."""
        return self._fill == 0

    @property
    def samples(self) -> int:
        """Samples taken in so far."""
        return self.count * POSE_STEP + self._fill

    def cut(self, pcm: Pcm) -> Iterator[Pcm]:
        """Every hop that these samples complete; each is valid until the next."""
        while len(pcm):
            taken = min(POSE_STEP - self._fill, len(pcm))
            self._hop[self._fill : self._fill + taken] = pcm[:taken]
            self._fill, pcm = (self._fill + taken) % POSE_STEP, pcm[taken:]
            if self._fill == 0:
                self.count += 1
                yield self._hop

    def silence(self) -> None:
        """Replace what is held by zeros."""
        self._hop[:] = 0
