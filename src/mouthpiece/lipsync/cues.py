"""Lip sync as data for other tools: frames with names, and the mouth cues of Rhubarb Lip Sync."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mouthpiece.lipsync.articulation import ARTICULATORS
from mouthpiece.lipsync.listen import Frame
from mouthpiece.lipsync.visemes import FF, PP, SIL, VISEMES
from mouthpiece.media import SAMPLE_RATE

_JAW, _GAP, _WIDTH, _ROUNDING = (ARTICULATORS.index(name) for name in ("jaw", "lip_gap", "width", "rounding"))
_SHAPES: Final = dict(zip(VISEMES, "XAGBBBBBBEDCBEF", strict=True))
"""Rhubarb's mouth shape for each viseme, by its manual's descriptions: A closed, B clenched, C open, D wide open,
E rounded, F puckered, G lip under the teeth, X rest."""
_SHORTEST: Final = 3
"""Frames (10 ms) that a cue lasts at least, closed lips excepted."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A mouth shape from ``start`` to ``end`` seconds."""

    start: float
    end: float
    shape: str


def described(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """The frames by names: ``time`` (s), ``visemes`` in the order of ``VISEMES``, sum 1, and the mouth.

    ``jaw``, ``lip_gap``, ``width`` (0.4 at rest) and ``rounding`` run from 0 to 1 and are what was heard, before the
    springs and gates of the animation; ``closure`` is the probability that the lips are shut for p, b or m.
    """
    shapes = np.array([f.shape for f in frames], np.float64)
    shapes[:, [_JAW, _GAP]] *= np.array([[f.presence] for f in frames])
    closures = np.array([f.closure for f in frames])
    columns = [np.round(c, 4).tolist() for c in (*shapes[:, [_JAW, _GAP, _WIDTH, _ROUNDING]].T, closures)]
    visemes = np.round(np.array([f.visemes for f in frames], np.float64), 4).tolist()
    times = [f.sample / SAMPLE_RATE for f in frames]
    names = ("time", "visemes", "jaw", "lip_gap", "width", "rounding", "closure")
    return [dict(zip(names, row, strict=True)) for row in zip(times, visemes, *columns, strict=True)]


def mouth_cues(frames: Sequence[Frame]) -> list[Cue]:
    """The frames as cues without gaps."""
    told = [_viseme(f) for f in frames]
    steady = _without_flicker([_SHAPES[VISEMES[v]] for v in told])
    return list(_runs(steady))


def _viseme(frame: Frame) -> int:
    if frame.presence == 0.0:
        return SIL
    if frame.closure > 0.5:
        return PP
    return FF if frame.tuck > 0.5 else int(np.argmax(frame.visemes))


def _without_flicker(shapes: list[str]) -> list[str]:
    out = list(shapes)
    at = 0
    while at < len(out):
        end = at
        while end < len(out) and out[end] == out[at]:
            end += 1
        if at > 0 and end - at < _SHORTEST and out[at] != "A":
            out[at:end] = [out[at - 1]] * (end - at)
        at = end
    return out


def _runs(shapes: Sequence[str]) -> Iterable[Cue]:
    start = 0
    for at in range(1, len(shapes) + 1):
        if at == len(shapes) or shapes[at] != shapes[start]:
            yield Cue(start / 100, at / 100, shapes[start])
            start = at
