"""Idle life: what eyes, lids, brows, head and breath do by themselves. A pure function of seed, time and manner.

Nothing walks from step to step: every motion is looked up in noise hashed from (seed, motion, index), so any moment
can be asked in any order at the same cost, at second 1 and at hour 3, and nothing repeats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_MASK: Final = (1 << 64) - 1

# One stream of noise for each motion.
_YAW, _YAW_FAST, _PITCH, _PITCH_FAST, _ROLL, _ROLL_FAST, _X, _Y, _Z, _BROW, _BREATH = range(11)
_GLANCE, _GLANCE_X, _GLANCE_Y, _GLANCE_AWAY = range(18, 22)
_BLINK, _BLINKS, _DOUBLE, _DEPTH, _PACE = range(24, 29)
_POSTURE, _TURN, _TILT, _LEAN = range(32, 36)
_BEAT_YAW, _BEAT_ROLL, _BEAT_NOD, _BEAT_BROW = range(40, 44)
_LIPS, _LIDS, _CORNER, _SKEW, _PRESS, _PRESS_AT = range(48, 54)

BLINK_BLOCK: Final = 30.0
"""Seconds; the blinks of a block are spread by log-normal intervals, so that any of them is found at once."""
BLINK_RATE: Final = 17.0
"""Blinks a minute at rest (Bentivoglio et al. 1997, Movement Disorders 12: 17 at rest, 26 in conversation)."""
BLINK_SPREAD: Final = 0.55
"""Sigma of the logarithm of the intervals: skewed to the right, as published histograms are."""
BLINK_DOWN, BLINK_HOLD, BLINK_UP = 0.070, 0.030, 0.150
DOUBLE_AFTER: Final = 0.34
DOUBLE_SHARE: Final = 0.10
SHALLOW_SHARE: Final = 0.15
GLANCE_SLOT: Final = 1.5
GLANCE_TIME: Final = 0.055
"""Seconds of a saccade of this size (main sequence: 2.2 ms a degree + 21 ms, rounded up to be seen at 25 fps)."""
VOR: Final = 1.9
"""Iris radii that the eyes turn back per radian of head turn: a 12 mm eyeball over a 6.2 mm iris."""
POSTURE_SLOT: Final = 6.5
"""Seconds; in each slot the head takes another posture once, and holds it: people do not only drift."""
PRESS_SLOT: Final = 11.0
"""Seconds; in most slots resting lips press together for a moment."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How lively somebody is, as factors of the usual: blinks, glances aside (share), sway, brows, breath."""

    blinks: float = 1.0
    away: float = 0.55
    sway: float = 1.0
    brows: float = 1.0
    breath: float = 1.0
    gaze_y: float = 0.0  # where the eyes rest, in iris radii; positive is down


USUAL: Final = Manner()


@dataclass(frozen=True, slots=True)
class Life:
    """One instant. Angles in radians, shifts in scene pixels, gaze in iris radii; the rest about 0..1, breath -1..1.

    The small changes of a face that is awake: ``lips`` (corners drawn up), ``skew`` (one side more than the other,
    about the seed's own), ``lids`` (wide above 0, narrow below) and ``press`` (lips pressed for a moment).
    """

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
    lips: float = 0.0
    skew: float = 0.0
    lids: float = 0.0
    press: float = 0.0


@lru_cache(maxsize=4096)  # the numbers between which things move are asked for at every picture
def _key(seed: int, stream: int) -> int:
    return (seed * 0x9E6C63D0676A9A99 + stream * 0xD1342543DE82EF95 + 0x632BE59BD9B4E019) & _MASK


@lru_cache(maxsize=16384)
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


def _posture(seed: int, stream: int, seconds: float) -> float:
    """-1..1: held, then moved to the next value within a second or so; all streams of a seed move together."""
    slot = math.floor(seconds / POSTURE_SLOT)
    at = _key(seed, _POSTURE)
    start = 0.15 + 0.55 * chance(at, slot)
    takes = 0.9 + 0.9 * chance(at, slot + (1 << 40))
    done = _smooth((seconds - (slot + start) * POSTURE_SLOT) / takes)
    a, b = chance(_key(seed, stream), slot - 1), chance(_key(seed, stream), slot)
    return 2 * (a + (b - a) * done) - 1


def life(seed: int, seconds: float, emphasis: float = 0.0, loudness: float = 0.0, manner: Manner = USUAL) -> Life:
    """Everything but the mouth at ``seconds``; ``emphasis`` and ``loudness`` as in MouthPose."""

    def sway(stream: int, rate: float) -> float:
        return drift(_key(seed, stream), seconds * rate)

    beat = max(emphasis, 0.0)  # stressed syllables nod, each in a direction that changes slowly
    much = manner.sway
    yaw = much * (0.033 * sway(_YAW, 0.31) + 0.011 * sway(_YAW_FAST, 0.97) + 0.033 * _posture(seed, _TURN, seconds))
    yaw += 0.035 * beat * sway(_BEAT_YAW, 0.43)
    nod = 0.065 * emphasis * (1.0 + 0.45 * sway(_BEAT_NOD, 0.61))
    pitch = much * (0.014 * sway(_PITCH, 0.37) + 0.009 * sway(_PITCH_FAST, 1.13)) + 0.010 * _posture(
        seed, _LEAN, seconds
    )
    pitch += nod - 0.010 * loudness
    roll = much * (0.011 * sway(_ROLL, 0.29) + 0.006 * sway(_ROLL_FAST, 0.83) + 0.014 * _posture(seed, _TILT, seconds))
    roll += 0.030 * beat * sway(_BEAT_ROLL, 0.37)
    breath = math.sin(2 * math.pi * (0.26 * seconds + 0.30 * sway(_BREATH, 0.08)))
    gaze_x, gaze_y = _gaze(seed, seconds, manner.away)
    stress = 1.5 * beat * (0.65 + 0.55 * sway(_BEAT_BROW, 0.53))
    return Life(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        x=2.2 * sway(_X, 0.25),
        y=1.2 * sway(_Y, 0.30) + 2.0 * emphasis - 0.35 * breath,
        z=3.0 * sway(_Z, 0.20) - 5.0 * beat,
        gaze_x=gaze_x + VOR * yaw,
        gaze_y=gaze_y + manner.gaze_y - VOR * (pitch - nod),
        blink=min(1.0, blink(seed, seconds, manner.blinks)),
        brow=manner.brows * (min(stress, 0.8) + 0.12 * max(0.0, sway(_BROW, 0.4))) + 0.06 * loudness,
        breath=manner.breath * breath,
        lips=0.06 * sway(_LIPS, 0.17),
        skew=0.22 * (chance(_key(seed, _SKEW), 0) - 0.5) + 0.10 * sway(_CORNER, 0.13),
        lids=0.16 * sway(_LIDS, 0.21),
        press=_press(seed, seconds),
    )


def _press(seed: int, seconds: float) -> float:
    """Lips that meet more firmly for a moment, 0..1."""
    slot = math.floor(seconds / PRESS_SLOT)
    key = _key(seed, _PRESS_AT)
    since = seconds - (slot + 0.1 + 0.7 * chance(key, slot)) * PRESS_SLOT
    strength = max(0.0, chance(_key(seed, _PRESS), slot) - 0.3)
    return strength * _smooth(since / 0.35) * (1 - _smooth((since - 0.55) / 0.5))


# --- blinks -----------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=512)
def blink_times(seed: int, block: int, rate: float = 1.0) -> tuple[float, ...]:
    """Seconds at which the blinks of a block begin, in order; ``rate`` as in Manner."""
    expected = BLINK_RATE * rate * BLINK_BLOCK / 60
    count = max(1, int(expected + chance(_key(seed, _BLINKS), block)))
    key = _key(seed, _BLINK)
    lengths = [math.exp(BLINK_SPREAD * _normal(key, block * 64 + k)) for k in range(count)]
    scale = BLINK_BLOCK / sum(lengths)
    times = [block * BLINK_BLOCK + 0.5 * lengths[0] * scale]  # half of it on either side: blocks join without a seam
    for length in lengths[1:]:
        times.append(times[-1] + length * scale)
    return tuple(times)


def _normal(key: int, index: int) -> float:
    """A normal number that belongs to (key, index), within 2.2 deviations (Box and Muller 1958)."""
    a, b = chance(key, 2 * index), chance(key, 2 * index + 1)
    drawn = math.sqrt(-2 * math.log(max(a, 1e-12))) * math.cos(2 * math.pi * b)
    return min(max(drawn, -2.2), 2.2)


def _blink_shape(since: float, pace: float) -> float:
    since /= pace
    if since < BLINK_DOWN:
        return _smooth(since / BLINK_DOWN)
    return 1 - _smooth((since - BLINK_DOWN - BLINK_HOLD) / BLINK_UP)


def blink(seed: int, seconds: float, rate: float = 1.0) -> float:
    """How far the lids are shut, 0..1: about 70 ms down, 30 ms shut, 150 ms up; some doubles, some not quite shut."""
    block = math.floor(seconds / BLINK_BLOCK)
    shut = 0.0
    for b in (block - 1, block):
        for k, start in enumerate(blink_times(seed, b, rate)):
            if 0.0 < seconds - start < 1.0:
                shut = max(shut, _one_blink(seed, b * 64 + k, seconds - start))
    return shut


def _one_blink(seed: int, index: int, since: float) -> float:
    pace = 0.85 + 0.35 * chance(_key(seed, _PACE), index)
    depth = chance(_key(seed, _DEPTH), index)
    full = 1.0 if depth > SHALLOW_SHARE else 0.60 + 0.40 * depth / SHALLOW_SHARE
    shut = full * _blink_shape(since, pace)
    if chance(_key(seed, _DOUBLE), index) < DOUBLE_SHARE and since > DOUBLE_AFTER:
        shut = max(shut, _blink_shape(since - DOUBLE_AFTER, pace))
    return shut


# --- glances ----------------------------------------------------------------------------------------------------------
def _glance_time(seed: int, slot: int) -> float:
    return (slot + 0.9 * chance(_key(seed, _GLANCE), slot)) * GLANCE_SLOT


def _glance_target(seed: int, slot: int, away: float) -> tuple[float, float]:
    """Where the eyes rest, in iris radii: at the viewer or a little aside (a triangular spread, never far)."""
    if chance(_key(seed, _GLANCE_AWAY), slot) > away:
        return 0.0, 0.0
    a, b = chance(_key(seed, _GLANCE_X), 2 * slot), chance(_key(seed, _GLANCE_X), 2 * slot + 1)
    return 0.34 * (a + b - 1), 0.16 * (chance(_key(seed, _GLANCE_Y), slot) - 0.5)


def _last_glance(seed: int, seconds: float) -> int:
    slot = math.floor(seconds / GLANCE_SLOT)
    return slot if _glance_time(seed, slot) <= seconds else slot - 1


def _gaze(seed: int, seconds: float, away: float) -> tuple[float, float]:
    slot = _last_glance(seed, seconds)
    done = _smooth((seconds - _glance_time(seed, slot)) / GLANCE_TIME)
    (x0, y0), (x1, y1) = _glance_target(seed, slot - 1, away), _glance_target(seed, slot, away)
    return x0 + (x1 - x0) * done, y0 + (y1 - y0) * done


def moves_fast(seed: int, seconds: float, manner: Manner = USUAL) -> bool:
    """Whether a blink or a glance is under way."""
    since = seconds - _glance_time(seed, _last_glance(seed, seconds))
    return since < GLANCE_TIME or blink(seed, seconds, manner.blinks) > 0.0
