"""Moods: what an emotion adds to a resting face, how it holds the head, and how lively it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mouthpiece.errors import InvalidEmotion
from mouthpiece.face.idle import USUAL, Manner


@dataclass(frozen=True, slots=True)
class Mood:
    """An emotion: weights of the basis at rest, radians of roll and pitch, and the manner of its idle life."""

    shapes: Mapping[str, float] = field(default_factory=dict)
    roll: float = 0.0
    pitch: float = 0.0  # positive looks down
    manner: Manner = USUAL


MOODS: Final[Mapping[str, Mood]] = {
    "natural": Mood({"smile": 0.07}),
    "happy": Mood(
        {"smile": 0.75, "cheek": 0.85, "squint_r": 0.25, "squint_l": 0.25, "brow_up": 0.22, "stretch": 0.15},
        roll=0.02,
        pitch=-0.015,
        manner=Manner(blinks=1.15, away=0.40, sway=1.35, brows=1.5),
    ),
    "angry": Mood(
        {
            "brow_down": 1.55,
            "squint_r": 0.55,
            "squint_l": 0.55,
            "frown": 0.85,
            "press": 0.35,
            "sneer": 0.55,
            "cheek": 0.15,
            "look_down": -0.10,
        },
        pitch=0.045,
        manner=Manner(blinks=0.55, away=0.12, sway=0.45, brows=0.3, breath=1.5),
    ),
    "doubtful": Mood(
        {
            "brow_up": 0.50,
            "brow_skew": 0.95,
            "brow_inner_up": 0.25,
            "squint_r": 0.45,
            "squint_l": 0.10,
            "frown": 0.45,
            "shift": 0.75,
            "smile_skew": 0.30,
            "press": 0.20,
        },
        roll=-0.055,
        pitch=0.010,
        manner=Manner(blinks=1.2, away=0.80, sway=0.8, brows=1.4),
    ),
    "curious": Mood(
        {"brow_up": 0.95, "brow_inner_up": 0.20, "wide_r": 0.75, "wide_l": 0.75, "smile": 0.22, "brow_skew": -0.15},
        roll=0.060,
        pitch=-0.025,
        manner=Manner(blinks=0.8, away=0.45, sway=1.25, brows=2.2, gaze_y=0.02),
    ),
    "sad": Mood(
        {"brow_inner_up": 1.05, "frown": 0.85, "squint_r": 0.15, "squint_l": 0.15, "look_down": 0.20},
        roll=-0.02,
        pitch=0.040,
        manner=Manner(blinks=1.1, away=0.65, sway=0.55, brows=0.5, gaze_y=0.10),
    ),
}


def mood(emotion: str) -> Mood:
    """What an emotion does.

    Raises:
        InvalidEmotion: no such emotion.
    """
    if emotion not in MOODS:
        raise InvalidEmotion(emotion=emotion)
    return MOODS[emotion]
