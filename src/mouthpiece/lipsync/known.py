"""Visemes that the speaker told: laid over what is heard, exactly, while they last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

import numpy as np

from mouthpiece.lipsync.articulation import ARTICULATORS, VISEME_SHAPE
from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.smooth import Array
from mouthpiece.lipsync.track import LEAD, REACH, blend
from mouthpiece.lipsync.visemes import FF, PP, SIL, VISEMES, TimedViseme

SWAY: Final = 1 / 12
"""Most that the weight of the known may change in 10 ms: 120 ms from the one to the other, which no viewer sees."""
_EDGE: Final = 640
"""Samples around known visemes that count as known too: holes this small are not shown."""
_LIP_GAP = ARTICULATORS.index("lip_gap")


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What is known of one pose: ``weight`` 0..1 of it against what is heard; shapes, closure and tuck to be shown."""

    weight: float
    shapes: Array
    closure: float
    tuck: float


class Known:
    """The visemes told for one session, on the clock of the samples that it heard."""

    def __init__(self) -> None:
        self._spans: list[TimedViseme] = []
        self._weight = 0.0

    @property
    def active(self) -> bool:
        """Whether anything is known, or was just now."""
        return bool(self._spans) or self._weight > 0.0

    def cue(self, now: int, visemes: Iterable[TimedViseme]) -> None:
        """Replace all visemes that start at ``now`` or later by these, whose samples count from ``now``."""
        kept = [span for span in self._spans if span.start < now]
        told = [TimedViseme(v.start + now, v.end + now, v.viseme, v.weight) for v in visemes]
        self._spans = [*kept, *told]

    def forget(self) -> None:
        """Nothing is known any more, at once."""
        self._spans, self._weight = [], 0.0

    def pose(self, sample: int, *, jump: bool) -> Told:
        """What to show at ``sample``; call once for every pose, in order. ``jump``: nobody sees the mouth change."""
        at = sample + LEAD
        while self._spans and self._spans[0].end < at - REACH:
            del self._spans[0]
        near = list(takewhile(lambda span: span.start < at + REACH, self._spans))
        wanted = float(any(span.start - _EDGE <= at < span.end + _EDGE for span in near))
        self._weight += wanted - self._weight if jump else min(max(wanted - self._weight, -SWAY), SWAY)
        self._weight = 0.0 if self._weight < 1e-6 else self._weight  # what the subtractions leave
        return Told(self._weight, *blend(near, at))

    def visemes(self, sample: int) -> Array:
        """Weights of the visemes in the 10 ms from ``sample``, shape (15,), sum 1 (silence where nothing is known)."""
        weights = np.zeros(len(VISEMES))
        for span in self._spans:
            weights[VISEMES.index(span.viseme)] += max(0, min(span.end, sample + POSE_STEP) - max(span.start, sample))
        total = weights.sum()
        weights[SIL] += POSE_STEP - total if total < POSE_STEP else 0.0
        return np.asarray(weights / weights.sum())


def shape_of(visemes: Array) -> Array:
    """Articulators of viseme weights, shape (6,); the gap of lips that are shut in a part of the time is smaller."""
    shape = np.asarray(visemes @ VISEME_SHAPE, np.float64)
    shape[_LIP_GAP] *= min(1.0, 2.0 * (1.0 - float(visemes[PP])))
    return shape


def gates_of(visemes: Array) -> tuple[float, float]:
    """How sure closure and tuck are, 0..1."""
    return float(visemes[PP]), float(visemes[FF])
