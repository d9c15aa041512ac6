"""Moods: what a resting face adds to its neutral, as weights of the basis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mouthpiece.errors import InvalidEmotion

MOODS: Final[Mapping[str, Mapping[str, float]]] = {
    "natural": {"smile": 0.05},
    "happy": {"smile": 0.60, "squint_r": 0.30, "squint_l": 0.30, "brow_up": 0.12},
    "angry": {"brow_down": 1.0, "squint_r": 0.35, "squint_l": 0.35, "frown": 0.35, "press": 0.12},
    "doubtful": {"brow_inner_up": 0.45, "frown": 0.35, "shift": 0.45, "squint_r": 0.25, "squint_l": 0.10},
    "curious": {"brow_up": 0.60, "wide_r": 0.50, "wide_l": 0.50, "smile": 0.15},
    "sad": {"brow_inner_up": 0.80, "frown": 0.55},
}

TILT: Final[Mapping[str, float]] = {"curious": 0.035, "doubtful": -0.030}
"""Radians of head roll that belong to a mood."""


def mood(emotion: str) -> Mapping[str, float]:
    """Shape weights of an emotion.

    Raises:
        InvalidEmotion: no such emotion.
    """
    if emotion not in MOODS:
        raise InvalidEmotion(emotion=emotion)
    return MOODS[emotion]
