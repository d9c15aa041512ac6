"""Idle life: what eyes, lids, brows, head and breath do by themselves. A pure function of seed and time.

Nothing walks from step to step: every motion is looked up in noise hashed from (seed, motion, index), so any moment
can be asked in any order at the same cost, at second 1 and at hour 3, and nothing repeats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_MASK: Final = (1 << 64) - 1

# One stream of noise for each motion.
_YAW, _YAW_FAST, _PITCH, _PITCH_FAST, _ROLL, _ROLL_FAST, _X, _Y, _Z, _BROW, _BREATH = range(11)
_BLINK, _DOUBLE, _GLANCE, _GLANCE_X, _GLANCE_Y, _GLANCE_AWAY = range(16, 22)

BLINK_SLOT: Final = 3.7
"""Seconds; one blink somewhere in each slot: 16 a minute, intervals of 0.7 to 6.7 s, as people at rest."""
BLINK_DOWN, BLINK_HOLD, BLINK_UP = 0.070, 0.030, 0.150
DOUBLE_AFTER: Final = 0.34
DOUBLE_SHARE: Final = 0.10
GLANCE_SLOT: Final = 1.5
GLANCE_TIME: Final = 0.055
"""Seconds of a saccade of this size (main sequence: 2.2 ms a degree + 21 ms, rounded up to be seen at 25 fps)."""
AWAY_SHARE: Final = 0.55
VOR: Final = 1.9
"""Iris radii that the eyes turn back per radian of head turn: a 12 mm eyeball over a 6.2 mm iris."""


@dataclass(frozen=True, slots=True)
class Life:
    """One instant. Angles in radians, shifts in scene pixels, gaze in iris radii; the rest 0..1, breath -1..1."""

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    z: float
    gaze_x: float
    gaze_y: float
    blink: float
    brow: float
    breath: float


def _key(seed: int, stream: int) -> int:
    return (seed * 0x9E6C63D0676A9A99 + stream * 0xD1342543DE82EF95 + 0x632BE59BD9B4E019) & _MASK


def chance(key: int, index: int) -> float:
    """A number in 0..1 that belongs to (key, index): SplitMix64's finaliser (Steele, Lea, Flood 2014)."""
    z = (key + index * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) / 2**64


def drift(key: int, x: float) -> float:
    """Smooth value noise in -1..1 with one lattice point per unit (quintic fade, Perlin 2002)."""
    i = math.floor(x)
    u = x - i
    u = u * u * u * (u * (6 * u - 15) + 10)
    a, b = chance(key, i), chance(key, i + 1)
    return 2 * (a + (b - a) * u) - 1


def _smooth(x: float) -> float:
    t = min(max(x, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def life(seed: int, seconds: float, emphasis: float = 0.0, loudness: float = 0.0) -> Life:
    """Everything but the mouth at ``seconds``; ``emphasis`` and ``loudness`` as in MouthPose."""

    def sway(stream: int, rate: float) -> float:
        return drift(_key(seed, stream), seconds * rate)

    yaw = 0.050 * sway(_YAW, 0.35) + 0.018 * sway(_YAW_FAST, 1.1)
    pitch = 0.022 * sway(_PITCH, 0.40) + 0.012 * sway(_PITCH_FAST, 1.3) + 0.065 * emphasis
    roll = 0.022 * sway(_ROLL, 0.30) + 0.008 * sway(_ROLL_FAST, 0.9)
    breath = math.sin(2 * math.pi * (0.26 * seconds + 0.30 * sway(_BREATH, 0.08)))
    gaze_x, gaze_y = _gaze(seed, seconds)
    raised = min(max(1.5 * emphasis, 0.0), 0.8) + 0.10 * max(0.0, sway(_BROW, 0.4)) + 0.06 * loudness
    return Life(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        x=2.2 * sway(_X, 0.25),
        y=1.2 * sway(_Y, 0.30) + 2.0 * emphasis - 0.35 * breath,
        z=3.0 * sway(_Z, 0.20),
        gaze_x=gaze_x + VOR * yaw,
        gaze_y=gaze_y - VOR * (pitch - 0.065 * emphasis),
        blink=min(1.0, blink(seed, seconds)),
        brow=raised,
        breath=breath,
    )


def _blink_time(seed: int, slot: int) -> float:
    return (slot + 0.10 + 0.80 * chance(_key(seed, _BLINK), slot)) * BLINK_SLOT


def _blink_shape(since: float) -> float:
    if since < BLINK_DOWN:
        return _smooth(since / BLINK_DOWN)
    return 1 - _smooth((since - BLINK_DOWN - BLINK_HOLD) / BLINK_UP)


def blink(seed: int, seconds: float) -> float:
    """How far the lids are shut, 0..1: 70 ms down, 30 ms shut, 150 ms up; one in ten is a double."""
    slot = math.floor(seconds / BLINK_SLOT)
    shut = 0.0
    for s in (slot - 1, slot):
        start = _blink_time(seed, s)
        shut = max(shut, _blink_shape(seconds - start))
        if chance(_key(seed, _DOUBLE), s) < DOUBLE_SHARE:
            shut = max(shut, _blink_shape(seconds - start - DOUBLE_AFTER))
    return shut


def _glance_time(seed: int, slot: int) -> float:
    return (slot + 0.9 * chance(_key(seed, _GLANCE), slot)) * GLANCE_SLOT


def _glance_target(seed: int, slot: int) -> tuple[float, float]:
    """Where the eyes rest, in iris radii: at the viewer or a little aside (a triangular spread, never far)."""
    if chance(_key(seed, _GLANCE_AWAY), slot) > AWAY_SHARE:
        return 0.0, 0.0
    a, b = chance(_key(seed, _GLANCE_X), 2 * slot), chance(_key(seed, _GLANCE_X), 2 * slot + 1)
    return 0.34 * (a + b - 1), 0.16 * (chance(_key(seed, _GLANCE_Y), slot) - 0.5)


def _last_glance(seed: int, seconds: float) -> int:
    slot = math.floor(seconds / GLANCE_SLOT)
    return slot if _glance_time(seed, slot) <= seconds else slot - 1


def _gaze(seed: int, seconds: float) -> tuple[float, float]:
    slot = _last_glance(seed, seconds)
    done = _smooth((seconds - _glance_time(seed, slot)) / GLANCE_TIME)
    (x0, y0), (x1, y1) = _glance_target(seed, slot - 1), _glance_target(seed, slot)
    return x0 + (x1 - x0) * done, y0 + (y1 - y0) * done


def moves_fast(seed: int, seconds: float) -> bool:
    """Whether a blink or a glance is under way."""
    since = seconds - _glance_time(seed, _last_glance(seed, seconds))
    return since < GLANCE_TIME or blink(seed, seconds) > 0.0
