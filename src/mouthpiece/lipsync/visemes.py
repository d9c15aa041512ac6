"""The fifteen visemes, what each looks like, and the plain values in which they are said.

The set and its order are those of the Oculus lip-sync reference: silence, nine consonant shapes, five vowels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.media import MOUTH_SHAPES, MouthPose

VISEMES: Final = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")
"""Their names, in the order of every array of visemes."""

SIL, PP, FF = (VISEMES.index(name) for name in ("sil", "PP", "FF"))
VOWELS: Final = frozenset({"aa", "E", "ih", "oh", "ou"})

SHAPES: Final = MOUTH_SHAPES[:12]
"""The fields of ``MouthPose`` that are mouth shapes (the rest is prosody)."""

# Articulatory targets, set by eye on the mesh face: one full jaw_open is 12 mm at the incisors.
_TARGETS: Final[dict[str, dict[str, float]]] = {
    "sil": {},
    "PP": {"jaw_open": 0.16, "mouth_close": 0.16, "press": 0.75},
    "FF": {"jaw_open": 0.20, "tuck": 0.80, "upper_up": 0.25},
    "TH": {"jaw_open": 0.26, "lower_down": 0.25, "upper_up": 0.20, "tongue_up": 0.25, "tongue_out": 0.9},
    "DD": {"jaw_open": 0.22, "stretch": 0.20, "lower_down": 0.30, "upper_up": 0.20, "tongue_up": 0.8},
    "kk": {"jaw_open": 0.30, "stretch": 0.10, "lower_down": 0.25, "upper_up": 0.15},
    "CH": {"jaw_open": 0.14, "funnel": 0.75, "pucker": 0.15, "lower_down": 0.25, "upper_up": 0.25},
    "SS": {"jaw_open": 0.10, "stretch": 0.45, "lower_down": 0.45, "upper_up": 0.30},
    "nn": {"jaw_open": 0.24, "stretch": 0.15, "lower_down": 0.20, "upper_up": 0.15, "tongue_up": 1.0},
    "RR": {"jaw_open": 0.20, "funnel": 0.45, "pucker": 0.30},
    "aa": {"jaw_open": 0.85, "stretch": 0.10, "lower_down": 0.30, "upper_up": 0.25},
    "E": {"jaw_open": 0.48, "stretch": 0.50, "lower_down": 0.35, "upper_up": 0.25},
    "ih": {"jaw_open": 0.26, "stretch": 0.65, "lower_down": 0.35, "upper_up": 0.25, "smile": 0.15},
    "oh": {"jaw_open": 0.52, "funnel": 0.60, "pucker": 0.30},
    "ou": {"jaw_open": 0.14, "funnel": 0.22, "pucker": 0.90},
}

TABLE: Final[NDArray[np.float32]] = np.array(
    [[_TARGETS[viseme].get(shape, 0.0) for shape in SHAPES] for viseme in VISEMES], np.float32
)
"""Mouth shapes of every viseme at full weight, shape (15, 12)."""
TABLE.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the sound of several frames of 10 ms in a row was heard as, float32, the oldest frame first.

    ``visemes`` (n, 15) probabilities in the order of ``VISEMES``; ``closure`` and ``tuck`` (n,) the probabilities that
    the lips are shut (p, b, m), and that the lower lip is at the teeth (f, v), a half being the best line between yes
    and no; ``shape`` (n, 6) in the order of ``articulation.ARTICULATORS``; ``phones`` (2, 41) probabilities of the
    first two frames in the order of ``articulation.PHONES``.
    """

    visemes: NDArray[np.float32]
    closure: NDArray[np.float32]
    tuck: NDArray[np.float32]
    shape: NDArray[np.float32]
    phones: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What was heard in a whole sound, a frame every 10 ms.

    ``visemes``, ``closure``, ``tuck`` and ``shape`` as in ``Heard``, and ``presence`` (n,) of the voice, 0 to 1.
    """

    visemes: NDArray[np.float32]
    closure: NDArray[np.float32]
    tuck: NDArray[np.float32]
    shape: NDArray[np.float32]
    presence: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TimedViseme:
    """A viseme that is known to fill ``start`` .. ``end`` (samples), at ``weight`` 0..1 of its full shape."""

    start: int
    end: int
    viseme: str
    weight: float = 1.0


_GAP_MM: Final = {
    "jaw_open": 12.0,
    "mouth_close": -12.0,
    "lower_down": 3.2,
    "upper_up": 2.8,
    "funnel": 4.6,
    "tuck": -3.3,
}
GAP: Final[NDArray[np.float32]] = np.array([_GAP_MM.get(shape, 0.0) for shape in SHAPES], np.float32)
"""What each shape adds to the gap between the inner lips, in millimetres on an adult's face, shape (12,)."""
GAP.setflags(write=False)


def lip_gap(pose: MouthPose) -> float:
    """Gap between the inner lips in the middle of the mouth, in millimetres, never negative."""
    return max(0.0, float(pose.array()[: len(SHAPES)] @ GAP))
