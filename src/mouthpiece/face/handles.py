"""Handles: a few points of a face that people move by hand, and how the other points follow.

Every handle has a weight for each of the 478 points. At the handles the weights are those of an interpolation: 1 at the
handle itself, 0 at all others, so that moving one leaves the others where they are. Between them they are radial basis
functions of compact support (Wendland 1995, C2), over distances on our own drawn face. Upper and lower lip, and the
lids, are held apart in a fourth dimension, else a shut mouth could not be opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.errors import BadInput
from mouthpiece.face import topology as topo
from mouthpiece.face.characters import CHARACTERS
from mouthpiece.face.proportions import landmarks as drawn_landmarks

Points = NDArray[np.float64]

MOUTH, RIGHT_EYE, LEFT_EYE, FACE, PLACE = "mouth", "left eye", "right eye", "face", "place"
"""Groups, by what the picture shows: its left eye is the person's right one, which the other names here go by."""

REACH: Final = {MOUTH: 26.0, RIGHT_EYE: 22.0, LEFT_EYE: 22.0, FACE: 70.0, PLACE: 260.0}
"""How far a handle of each group is felt, in millimetres of the drawn face: two to three times their distance."""

APART: Final = 9.0
"""Millimetres by which upper and lower lip (and lids) are held apart, at their middle."""

_POINTS: Final[dict[str, dict[int, str]]] = {
    MOUTH: {
        61: "corner of the mouth, left",
        291: "corner of the mouth, right",
        0: "upper lip, top",
        39: "upper lip, top left",
        269: "upper lip, top right",
        13: "upper lip, inner edge",
        14: "lower lip, inner edge",
        17: "lower lip, bottom",
        181: "lower lip, bottom left",
        405: "lower lip, bottom right",
    },
    RIGHT_EYE: {33: "outer corner", 133: "inner corner", 159: "upper lid", 145: "lower lid", 468: "iris"},
    LEFT_EYE: {263: "outer corner", 362: "inner corner", 386: "upper lid", 374: "lower lid", 473: "iris"},
    FACE: {
        10: "hairline",
        152: "chin",
        234: "cheekbone, left",
        454: "cheekbone, right",
        172: "jaw, left",
        397: "jaw, right",
        105: "brow, left",
        334: "brow, right",
        4: "tip of the nose",
    },
}
_WHOLE: Final = {MOUTH: (18, "the whole mouth"), RIGHT_EYE: (230, "the whole eye"), LEFT_EYE: (450, "the whole eye")}
"""Where a group's handle for all of it is shown: below it."""

ANCHORS: Final = {
    468: "middle of the eye on the left",
    473: "middle of the eye on the right",
    61: "corner of the mouth, left",
    291: "corner of the mouth, right",
    152: "tip of the chin",
    10: "hairline",
}
"""What a person places to tell where a face is, when nothing else found it."""

_LIPS: Final = (*topo.UPPER_OUTER, *topo.UPPER_2, *topo.UPPER_1, *topo.UPPER_INNER, *topo.LOWER_INNER)
_FEATURE: Final[dict[str, tuple[int, ...]]] = {
    MOUTH: tuple(sorted({*_LIPS, *topo.LOWER_1, *topo.LOWER_2, *topo.LOWER_OUTER})),
    RIGHT_EYE: tuple(sorted({*topo.EYE_R_UPPER, *topo.EYE_R_LOWER, *range(468, 473)})),
    LEFT_EYE: tuple(sorted({*topo.EYE_L_UPPER, *topo.EYE_L_LOWER, *range(473, 478)})),
}
"""The points that are the mouth or an eye."""

LINES: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    MOUTH: (topo.UPPER_OUTER, topo.LOWER_OUTER, topo.UPPER_INNER, topo.LOWER_INNER),
    RIGHT_EYE: (topo.EYE_R_UPPER, topo.EYE_R_LOWER, (469, 470, 471, 472, 469)),
    LEFT_EYE: (topo.EYE_L_UPPER, topo.EYE_L_LOWER, (474, 475, 476, 477, 474)),
    FACE: ((*topo.OVAL, topo.OVAL[0]), topo.BROW_R_UPPER, topo.BROW_L_UPPER),
}
"""Rows of points that are drawn as lines, by group."""


@dataclass(frozen=True, slots=True, eq=False)
class Handle:
    """One handle: where it is shown, and ``moves`` (478,): how much of its movement each point makes."""

    name: str
    group: str
    point: int
    moves: NDArray[np.float64]
    whole: bool = False


@cache
def template() -> Points:
    """The 478 points of a drawn face, looking straight ahead: x, y, z in shares of a square around it."""
    points = drawn_landmarks(CHARACTERS["mia"].proportions)
    tall = float(np.ptp(points[:, 1]))
    centre = (points[10] + points[152]) / 2
    return np.asarray((points - [centre[0], centre[1], 0]) / (2.2 * tall) + [0.5, 0.5, 0], float)


@cache
def handles() -> Sequence[Handle]:
    """Every handle of the four groups, a whole group's last."""
    found: list[Handle] = []
    weights = _weights()
    at = 0
    for group, points in _POINTS.items():
        found += [Handle(name, group, point, weights[:, at + k]) for k, (point, name) in enumerate(points.items())]
        at += len(points)
        if group in _WHOLE:
            point, name = _WHOLE[group]
            found.append(Handle(name, group, point, _around(_FEATURE[group], REACH[group]), whole=True))
    return found


@cache
def anchors() -> Sequence[Handle]:
    """The handles by which a face is placed by hand: what is left after moving, turning and scaling the template."""
    weights = _cardinal([(point, REACH[PLACE]) for point in ANCHORS])
    return [Handle(name, PLACE, point, weights[:, k]) for k, (point, name) in enumerate(ANCHORS.items())]


def check_points(points: Points, side: float) -> None:
    """Whether a person's points make a face in a square picture of ``side`` pixels. Raises BadInput."""
    if points.shape != (topo.LANDMARKS, 3) or not np.isfinite(points).all():
        raise BadInput(reason=f"landmarks must be {topo.LANDMARKS} points of x, y and z")
    x, y = points[:, 0], points[:, 1]
    if not (points[: topo.SURFACE_POINTS, :2].mean(0) > 0).all() or not (points[:, :2].mean(0) < side).all():
        raise BadInput(reason="the points lie outside the picture")
    ordered = {
        "the eyes are swapped": x[topo.IRIS_RIGHT] < x[topo.IRIS_LEFT],
        "the corners of the mouth are swapped": x[61] < x[291],
        "the mouth is above the eyes": max(y[topo.IRIS_RIGHT], y[topo.IRIS_LEFT]) < min(y[61], y[291]),
        "the chin is above the mouth": y[17] < y[152],
        "the hairline is below the eyes": y[10] < min(y[topo.IRIS_RIGHT], y[topo.IRIS_LEFT]),
        "the lower lip is above the upper one": y[0] < y[17] and y[13] <= y[14] + 0.004 * side,
        "an eye's lower lid is above the upper one": y[159] < y[145] and y[386] < y[374],
    }
    for wrong, right in ordered.items():
        if not right:
            raise BadInput(reason=f"these points make no face: {wrong}")


# --- weights -------------------------------------------------------------------------------------------------------
def _weights() -> NDArray[np.float64]:
    """Weights (478, handles) in the order of ``_POINTS``."""
    weights = _cardinal([(point, REACH[group]) for group, points in _POINTS.items() for point in points])
    order = [point for points in _POINTS.values() for point in points]
    for iris in (topo.IRIS_RIGHT, topo.IRIS_LEFT):  # an iris is round, and moves as one
        rim = slice(iris, iris + 5)
        weights[rim], weights[:, order.index(iris)] = 0, 0
        weights[rim, order.index(iris)] = 1
    at = 0
    for group, points in _POINTS.items():  # handles of a feature that move alike move all of it alike
        mine = slice(at, at + len(points))
        at += len(points)
        for point in _FEATURE.get(group, ()):
            weights[point, mine] /= weights[point, mine].sum()
    return weights


def _around(feature: Sequence[int], reach: float) -> NDArray[np.float64]:
    """1 on the feature, less and less around it (478,)."""
    where = drawn_landmarks(CHARACTERS["mia"].proportions)
    apart = np.linalg.norm(where[:, None] - where[None, list(feature)], axis=-1).min(1)
    return _wendland(apart / reach)


def _cardinal(nodes: Sequence[tuple[int, float]]) -> NDArray[np.float64]:
    """Weights (478, nodes) of point and reach: each 1 at its own node and 0 at the others."""
    where = _apart()
    at = [point for point, _ in nodes]
    reach = np.array([far for _, far in nodes])
    kernel = _wendland(np.linalg.norm(where[:, None] - where[None, at], axis=-1) / reach)
    return np.asarray(kernel @ np.linalg.inv(kernel[at]), float)


def _wendland(r: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.clip(1 - r, 0, None) ** 4 * (4 * r + 1), float)


def _apart() -> Points:
    """The drawn face in millimetres with the fourth dimension, (478, 4)."""
    points = drawn_landmarks(CHARACTERS["mia"].proportions)
    where = np.concatenate([points, np.zeros((len(points), 1))], 1)
    upper = (topo.UPPER_OUTER, topo.UPPER_2, topo.UPPER_1, topo.UPPER_INNER, topo.EYE_R_UPPER, topo.EYE_L_UPPER)
    lower = (topo.LOWER_OUTER, topo.LOWER_2, topo.LOWER_1, topo.LOWER_INNER, topo.EYE_R_LOWER, topo.EYE_L_LOWER)
    for side, rows in ((-0.5, upper), (0.5, lower)):
        for row in rows:
            along = np.linspace(-1, 1, len(row))
            where[list(row), 3] = side * APART * (1 - along**2)
    return np.asarray(where, float)
