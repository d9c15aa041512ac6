"""Lip sync as data for other tools: frames with names, and the mouth cues of Rhubarb Lip Sync."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mouthpiece.lipsync.articulation import ARTICULATORS
from mouthpiece.lipsync.visemes import FF, PP, SIL, VISEMES, Track

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


def described(track: Track, first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
    """Frames by names: ``time`` (s), ``visemes`` in the order of ``VISEMES``, sum 1, and the mouth.

    ``jaw``, ``lip_gap``, ``width`` (0.4 at rest) and ``rounding`` run from 0 to 1 and are what was heard, before the
    springs and gates of the animation; ``closure`` is the probability that the lips are shut for p, b or m.
    ``first`` and ``last``: which frames.
    """
    part = slice(first, last)
    shapes = track.shape[part].astype(np.float64)
    shapes[:, [_JAW, _GAP]] *= track.presence[part, None]
    columns = [*shapes[:, [_JAW, _GAP, _WIDTH, _ROUNDING]].T, track.closure[part].astype(np.float64)]
    rounded = [np.round(column, 4).tolist() for column in columns]
    visemes = np.round(track.visemes[part].astype(np.float64), 4).tolist()
    times = [(first + n) / 100 for n in range(len(visemes))]
    names = ("time", "visemes", "jaw", "lip_gap", "width", "rounding", "closure")
    return [dict(zip(names, row, strict=True)) for row in zip(times, visemes, *rounded, strict=True)]


def mouth_cues(track: Track) -> list[Cue]:
    """The frames as cues without gaps."""
    told = track.visemes.argmax(axis=1)
    told[track.tuck > 0.5] = FF
    told[track.closure > 0.5] = PP
    told[track.presence == 0.0] = SIL
    return list(_runs(_without_flicker([_SHAPES[VISEMES[v]] for v in told.tolist()])))


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
