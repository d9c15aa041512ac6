"""What every lip-sync engine offers to the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.visemes import TimedViseme
from mouthpiece.media import MouthPose, Pcm

Weights = NDArray[np.float32]
"""Weights of the visemes in the order of ``VISEMES``, shape (15,), sum 1."""

POSE_STEP = 160
"""Samples between mouth poses (10 ms: 100 poses a second)."""


class LipSync(Protocol):
    """Streaming audio to mouth poses, for one session.

    Sound is pushed in playout order, gaps as zeros, so sample 0 is the first sample ever pushed. Poses come back in
    order, one for every ``POSE_STEP`` samples, each with the sample that it belongs to. A pose is complete once
    ``lookahead`` further samples were pushed: after pushing ``n`` samples in all, every pose at ``s + lookahead <= n``
    has been returned.
    """

    @property
    def lookahead(self) -> int:
        """Samples of future sound a pose needs, network, smoothing and animation together (at most 960: 60 ms)."""
        ...

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        """Feed the next samples, any number of them; return the poses that are now complete."""
        ...

    @property
    def told(self) -> Sequence[Weights]:
        """Weights of the visemes of each pose that the last ``push`` returned; empty where they are not known."""
        ...

    def cue(self, visemes: Sequence[TimedViseme]) -> None:
        """Exact visemes of the sound that is pushed next, counted from its first sample.

        They take the place of all that were told for that sample and later; none: nothing is known of what comes.
        """
        ...

    def expect(self, words: Sequence[Word]) -> None:
        """Words that will be heard next, after those already expected; where they do not fit they change nothing."""
        ...

    def interrupt(self) -> None:
        """Speech was cut off: the next poses ease to a closed mouth, whatever was heard. The sample count goes on."""
        ...
