"""Lip sync from visemes that are known: speech of a voice that tells its phones.

Each viseme pulls at the mouth around its time: a plateau with exponential skirts, stronger for shapes that speech
cannot do without (dominance blending; Cohen and Massaro 1993). Closures are exact, and the mouth leads the sound by
30 ms, as people's do. Level and silence come from the sound, which is pushed along.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

import numpy as np

from mouthpiece.lipsync.hops import AHEAD, LOOKAHEAD, Hops
from mouthpiece.lipsync.mouth import Mouth
from mouthpiece.lipsync.prosody import Voice
from mouthpiece.lipsync.smooth import Array, scale_opening, smoothstep
from mouthpiece.lipsync.visemes import SHAPES, TABLE, VISEMES, TimedViseme
from mouthpiece.media import SAMPLE_RATE, MouthPose, Pcm

# How strongly a viseme insists on its shape, set by eye on the mesh face.
_STRENGTH: Final = dict(
    zip(VISEMES, (0.6, 2.2, 2.0, 1.0, 0.6, 0.45, 1.3, 0.8, 0.55, 0.9, 1.5, 1.3, 1.2, 1.5, 1.6), strict=True)
)
LEAD: Final = 480
"""Samples by which the mouth is ahead of the sound."""
_PLATEAU = 0.55  # of half the viseme's length
_RISE, _FALL = 0.045 * SAMPLE_RATE, 0.040 * SAMPLE_RATE  # of the skirts before and after
REACH: Final = SAMPLE_RATE // 2
"""Samples beyond which a skirt is nothing."""
_REST_PULL = 0.05
_RAMP = 0.055 * SAMPLE_RATE  # of a closure
_LEAST_HALF_CLOSURE = 0.022 * SAMPLE_RATE
_EARLY_RELEASE = 0.008 * SAMPLE_RATE


def _pull(span: TimedViseme, at: int) -> float:
    half, past = (span.end - span.start) / 2, at - (span.start + span.end) / 2
    beyond = max(0.0, abs(past) - _PLATEAU * half)
    brief = min(1.0, 0.35 + 2 * half / (0.09 * SAMPLE_RATE))
    return _STRENGTH[span.viseme] * brief * float(np.exp(-beyond / (_RISE if past < 0 else _FALL)))


def _shut(span: TimedViseme, at: int) -> float:
    middle = (span.start + span.end) / 2
    first = min(span.start, middle - _LEAST_HALF_CLOSURE)
    last = max(span.end - _EARLY_RELEASE, middle + _LEAST_HALF_CLOSURE)
    return smoothstep((at - first) / _RAMP + 1.0) * smoothstep((last - at) / _RAMP + 1.0)


def blend(spans: Iterable[TimedViseme], at: int) -> tuple[Array, float, float]:
    """Mouth shapes, closure and tuck (0..1) at a sample among these visemes."""
    shapes, pulls, closure, tuck = np.zeros(len(SHAPES)), _REST_PULL, 0.0, 0.0
    for span in spans:
        pull = _pull(span, at)
        shapes += pull * span.weight * TABLE[VISEMES.index(span.viseme)]
        pulls += pull
        if span.viseme == "PP":
            closure = max(closure, _shut(span, at))
        elif span.viseme == "FF":
            tuck = max(tuck, _shut(span, at))
    return shapes / pulls, closure, tuck


class TrackLipSync:
    """Lip sync of one session from timed visemes; see ``base.LipSync`` for the contract.

    Samples of visemes count like those of the poses, from the first sample pushed.
    """

    def __init__(self, visemes: Iterable[TimedViseme] = ()) -> None:
        self._hops = Hops()
        self._spans: list[TimedViseme] = []
        self._voice = Voice(AHEAD)
        self._mouth = Mouth()
        self.tell(visemes)

    def tell(self, visemes: Iterable[TimedViseme]) -> None:
        """Add visemes to come."""
        for viseme in visemes:
            insort(self._spans, viseme, key=lambda span: span.start)

    @property
    def lookahead(self) -> int:
        """60 ms, to know silence; the visemes are known anyway."""
        return LOOKAHEAD

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        """Feed the next samples, any number of them; return the poses that are now complete."""
        poses = []
        for hop in self._hops.cut(pcm):
            self._voice.hear(hop)
            if (sample := self._hops.pose_sample) >= 0:
                poses.append((sample, self._pose(sample)))
        return poses

    def interrupt(self) -> None:
        """Speech was cut off: forget the visemes and ease shut within 100 ms."""
        self._hops.silence()
        self._spans.clear()
        self._voice.interrupt()
        self._mouth.interrupt()

    def _pose(self, sample: int) -> MouthPose:
        at, tone = sample + LEAD, self._voice.now()
        while self._spans and self._spans[0].end < at - REACH:
            del self._spans[0]
        near = takewhile(lambda span: span.start < at + REACH, self._spans)
        shapes, closure, tuck = blend(near, at)
        return self._mouth.show(scale_opening(shapes, tone.gain), closure, tuck, tone)
