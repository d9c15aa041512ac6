"""What was heard, corrected by the words that are known to be said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from mouthpiece.lipsync.align import Aligner, Array
from mouthpiece.lipsync.articulation import BILABIAL, LABIODENTAL, SHAPE_OF, VISEME_OF, Word
from mouthpiece.lipsync.visemes import VISEMES, Heard
from mouthpiece.lipsync.weights import TO_VISEME

_SWAY: Final = 1 / 15
"""Most that the weight of the text may change in 10 ms: from all to nothing in 150 ms, which no viewer sees."""
_SIZES: Final = np.bincount(VISEME_OF, minlength=len(VISEMES))
_FROM_VISEME: Final[Array] = np.ascontiguousarray((TO_VISEME / _SIZES).T, np.float32)
_SURER: Final = np.float32(1.75)
"""How much surer known text makes a closure: that there is one is certain, only its instant is not. Found on speech
apart from all that is scored."""
_BILABIAL, _LABIODENTAL = BILABIAL.astype(np.float32), LABIODENTAL.astype(np.float32)


class Informed:
    """Blends the known text into what is heard, as far as it fits. With no words expected it changes nothing."""

    def __init__(self) -> None:
        self._aligner = Aligner()
        self._weight = 0.0

    def expect(self, words: Sequence[Word]) -> None:
        """Words that will be said next, after those already expected."""
        self._aligner.expect(words)

    def forget(self) -> None:
        """The expected words will not be said."""
        self._aligner.forget()

    @property
    def weight(self) -> float:
        """Share of the text in what is shown now, 0 to 1."""
        return self._weight

    def step(self, heard: Heard) -> Heard:
        """One step of the recogniser, blended."""
        if not self._aligner.expecting and self._weight == 0.0:
            return heard
        frames = len(heard.phones)
        guessed = heard.visemes[frames:] @ _FROM_VISEME
        phones = self._aligner.step(np.concatenate([heard.phones, guessed]), frames)
        return _blend(heard, phones, self._weights(frames, len(phones)))

    def _weights(self, frames: int, n: int) -> Array:
        wanted = self._aligner.trust if self._aligner.expecting else 0.0
        weights = np.empty((n, 1), np.float32)
        for i in range(n):
            if i < frames:
                self._weight += min(max(wanted - self._weight, -_SWAY), _SWAY)
            weights[i] = self._weight
        return weights


def _blend(heard: Heard, phones: Array, weight: Array) -> Heard:
    """``weight`` (n, 1) of the known phones, (n, 41), and the rest of what was heard."""
    share = weight[:, 0]

    def mixed(known: Array, told: Array, w: Array) -> Array:
        return known * w + told * (1 - w)

    return Heard(
        mixed(phones @ TO_VISEME, heard.visemes, weight),
        mixed(np.minimum(phones @ _BILABIAL * _SURER, np.float32(1)), heard.closure, share),
        mixed(phones @ _LABIODENTAL, heard.tuck, share),
        mixed(phones @ SHAPE_OF, heard.shape, weight),
        heard.phones,
    )
