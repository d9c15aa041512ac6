"""A drawn head as numbers: proportions in millimetres to the 478 landmarks of the face format.

Nothing here was measured on a person. Feature lines (oval, brows, lids, nose, lips) are curves with a few parameters,
after the drawing canon (eyes half-way, one eye between the eyes, pupils 63 mm apart); the landmarks between them are
placed by relaxation: every free point lies at the mean of its neighbours (Tutte 1963, "How to draw a graph").

Axes: origin in the middle of the lip seam, x to the right of the picture, y down, z away from the viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo

Points = NDArray[np.float64]

PUPIL_X = 31.5
"""Half of the distance between the pupils: 63 mm defines the millimetre of every face."""

LID_COLUMNS = np.array([-1, -0.84, -0.58, -0.28, 0.04, 0.34, 0.60, 0.83, 1.0])
"""Where the nine points of a lid lie between the outer and the inner corner."""

LIP_COLUMNS = np.array([-1, -0.86, -0.68, -0.48, -0.26, 0, 0.26, 0.48, 0.68, 0.86, 1.0])


@dataclass(frozen=True, slots=True)
class Proportions:
    """What distinguishes one drawn face from another, in millimetres (exponents are bare numbers)."""

    cheek: float = 66.0  # half-width at the cheekbones
    top: float = -113.0  # hairline end of the oval
    chin: float = 48.0
    widest: float = -44.0  # height of the cheekbones
    jaw: float = 2.05  # superellipse exponent of the lower face: 1.8 pointed, 2.4 square
    eye: float = 14.6  # half-width
    eye_up: float = 9.0  # height of the upper lid over the corners
    eye_low: float = 3.0
    eye_tilt: float = 1.2  # how much higher the outer corner is
    iris: float = 6.4
    brow: float = -79.0  # height of the lower brow line
    brow_arch: float = 4.0
    brow_weight: float = 4.6
    nose: float = 17.0  # half-width at the wings
    nose_base: float = -20.0
    mouth: float = 25.5  # half-width
    upper_lip: float = 7.0
    lower_lip: float = 9.5
    bow: float = 1.6  # depth of the cupid's bow
    corner: float = 1.4  # how far the mouth corners are raised


def landmarks(p: Proportions) -> Points:
    """The 478 landmarks in millimetres, shape (478, 3). The lips touch: the inner rows coincide."""
    fixed: dict[int, Points] = {}
    _oval(p, fixed)
    _midline(p, fixed)
    _nose(p, fixed)
    _lips(p, fixed)
    for sign in (-1.0, 1.0):
        _brow(p, sign, fixed)
        _eye(p, sign, fixed)
    out = np.zeros((topo.LANDMARKS, 3))
    out[: topo.SURFACE_POINTS] = _relax(fixed, p)
    _iris(p, out)
    return out


def _put(fixed: dict[int, Points], ids: Sequence[int], xyz: Points) -> None:
    fixed.update(zip(ids, np.asarray(xyz, float), strict=True))


def _head_depth(xy: Points, p: Proportions) -> Points:
    """Depth of a smooth head without features, zero at the middle: flat in front, steep towards the ears."""
    x = np.abs(xy[..., 0]) / p.cheek
    y = (xy[..., 1] - (p.top + p.chin) / 2) / ((p.chin - p.top) / 2)
    return 39.0 * x**2 + 34.0 * x**12 + 9.0 * y**6


def _with_depth(xy: Points, relief: Points | float, p: Proportions) -> Points:
    return np.concatenate([xy, (_head_depth(xy, p) + relief)[:, None]], 1)


def _oval(p: Proportions, fixed: dict[int, Points]) -> None:
    angle = np.linspace(0, np.pi, 400)
    low = angle > np.pi / 2
    power = np.where(low, 2 / p.jaw, 2 / 2.35)
    x = p.cheek * np.sin(angle) ** power
    reach = np.where(low, p.chin - p.widest, p.widest - p.top)
    y = p.widest - reach * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    line = np.stack([x, y], 1)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    at = np.linspace(0, length[-1], 19)
    half = np.stack([np.interp(at, length, x), np.interp(at, length, y)], 1)
    whole = np.concatenate([half, half[-2:0:-1] * [-1, 1]])
    _put(fixed, topo.OVAL, _with_depth(whole, 0.0, p))


def _midline(p: Proportions, fixed: dict[int, Points]) -> None:
    base, length = p.nose_base, p.nose_base + 69.0
    bridge = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2)
    down = np.array([0.0, 0.15, 0.29, 0.41, 0.54, 0.70, 0.85, 0.925, 0.965, 1.0])
    out = np.array([2.5, -2.5, -8.0, -13.5, -19.5, -23.5, -22.0, -18.5, -11.5, -6.5])
    _put(fixed, bridge, np.stack([0 * down, base - length * (1 - down), out], 1))
    forehead = np.array([[0, p.top * 0.88, 5.5], [0, -86, 2.5], [0, -77.5, 3.0]])
    _put(fixed, (151, 9, 8), forehead)
    chin = p.lower_lip + (p.chin - p.lower_lip) * np.array([0.22, 0.42, 0.64, 0.84])
    _put(fixed, (18, 200, 199, 175), np.stack([0 * chin, chin, [1.5, 1.0, -1.0, 2.5]], 1))


def _nose(p: Proportions, fixed: dict[int, Points]) -> None:
    for sign, ids in ((-1, (129, 64, 98, 97)), (1, (358, 294, 327, 326))):
        x = sign * p.nose * np.array([1.18, 1.06, 0.96, 0.46])
        y = p.nose_base + np.array([-9.5, -6.2, -3.4, -0.8])
        _put(fixed, ids, np.stack([x, y, [6.0, -1.0, 2.0, -4.5]], 1))


def _lips(p: Proportions, fixed: dict[int, Points]) -> None:
    s = LIP_COLUMNS
    seam = -p.corner * np.abs(s) ** 1.8 + 0.7 * np.abs(s) * (1 - np.abs(s)) * 2 + 0.35 * (1 - s**2)
    curve = 17.0 * (p.mouth / 27.0) ** 2 * s**2
    peak = np.exp(-(((np.abs(s) - 0.27) / 0.25) ** 2))
    upper = (1 - s**2) ** 0.8 * p.upper_lip * 0.72 + peak * p.bow - 0.9 * p.bow * np.exp(-((s / 0.13) ** 2))
    lower = (1 - np.abs(s) ** 2.3) * p.lower_lip
    for rows, height, sign, bulge in (
        ((topo.UPPER_INNER, topo.UPPER_1, topo.UPPER_2, topo.UPPER_OUTER), upper, -1.0, (0.0, -2.8, -4.4, -5.0)),
        ((topo.LOWER_INNER, topo.LOWER_1, topo.LOWER_2, topo.LOWER_OUTER), lower, 1.0, (0.3, -1.4, -2.6, -2.0)),
    ):
        for row, t, z in zip(rows, (0.0, 0.33, 0.66, 1.0), bulge, strict=True):
            x = s * (p.mouth + 2.4 * t)
            z_row = curve + z * (1 - s**2) + 1.5 * t * s**2
            _put(fixed, row, np.stack([x, seam + sign * height * t, z_row], 1))
    _around_lips(p, seam, upper, lower, fixed)


def _around_lips(p: Proportions, seam: Points, upper: Points, lower: Points, fixed: dict[int, Points]) -> None:
    s = LIP_COLUMNS
    x = s * (p.mouth + 8.0)
    over = seam - upper - (0.42 * (-p.nose_base - p.upper_lip * 0.72) + 1.2) * (1 - s**2) ** 0.6
    under = seam + lower + 0.22 * (p.chin - p.lower_lip) * (1 - s**2) ** 0.6
    z = 21.0 * s**2
    wide, low = p.mouth + np.array([11.5, 7.0]), np.array([4.0, 10.5])
    _put(fixed, (212, 202), np.stack([-wide, low, [24.0, 18.0]], 1))
    _put(fixed, (432, 422), np.stack([wide, low, [24.0, 18.0]], 1))
    _put(fixed, topo.BELOW_LIP, np.stack([x, under, z + 1.0], 1))
    _put(fixed, topo.ABOVE_LIP, np.stack([x, over, z - 4.0 * (1 - s**2)], 1))


def _brow(p: Proportions, sign: float, fixed: dict[int, Points]) -> None:
    u = np.array([-1.0, -0.68, -0.24, 0.32, 1.0])  # outer end to inner end
    x = PUPIL_X * 1.04 - 20.0 * u
    low = p.brow - p.brow_arch * (1 - (u + 0.25) ** 2) + 1.2 * (u < -0.9)
    weight = p.brow_weight * np.array([0.35, 0.75, 1.0, 1.15, 1.35])
    rows = ((topo.BROW_R_LOWER, 0.0), (topo.BROW_R_UPPER, 1.0))
    rows = rows if sign < 0 else ((topo.BROW_L_LOWER, 0.0), (topo.BROW_L_UPPER, 1.0))
    for ids, up in rows:
        shift = 1.2 * up * (u < 0)
        xy = np.stack([sign * (x + shift), low - up * weight], 1)
        _put(fixed, ids, _with_depth(xy, -4.5, p))


def _eye(p: Proportions, sign: float, fixed: dict[int, Points]) -> None:
    upper = (topo.EYE_R_UPPER, topo.LID_R_UPPER, topo.ORBIT_R_UPPER)
    lower = (topo.EYE_R_LOWER, topo.LID_R_LOWER, topo.ORBIT_R_LOWER)
    if sign > 0:
        upper = (topo.EYE_L_UPPER, topo.LID_L_UPPER, topo.ORBIT_L_UPPER)
        lower = (topo.EYE_L_LOWER, topo.LID_L_LOWER, topo.ORBIT_L_LOWER)
    grow = ((0.0, 0.0, 0.0, 0.0), (2.4, 2.0, 4.0, 2.6), (4.4, 4.6, 7.2, 7.4))
    for ring, (out, inn, up, low) in enumerate(grow):
        for ids, height, power in ((upper[ring], -(p.eye_up + up), 0.62), (lower[ring], p.eye_low + low, 0.75)):
            _put(fixed, ids, _lid(p, sign, (out, inn, height, power)))
    corner = fixed[topo.ORBIT_R_UPPER[0] if sign < 0 else topo.ORBIT_L_UPPER[0]]
    fixed[35 if sign < 0 else 265] = corner + np.array([sign * 3.2, 2.5, 4.0])


def lid_line(u: Points, height: float, power: float, tilt: float) -> Points:
    """Height of a lid's edge over its corners along ``u`` in -1 (outer) to 1 (inner); rounder towards the nose."""
    skewed = u - 0.10 * (1 - u**2)
    return height * (1 - skewed**2).clip(0) ** power + tilt * (u - 1) / 2


def _lid(p: Proportions, sign: float, shape: tuple[float, float, float, float]) -> Points:
    out, inn, height, power = shape
    u = LID_COLUMNS
    x = u * p.eye + np.where(u < 0, u * out, u * inn)
    y = -61.6 + lid_line(u, height, power, p.eye_tilt)
    z = 15.5 + 0.022 * (x - 2.0) ** 2 - 0.25 * out
    return np.stack([sign * (PUPIL_X - x), y, z], 1)


def _relax(fixed: dict[int, Points], p: Proportions) -> Points:
    """Put every free point at the mean of its neighbours; depth relaxes as relief over the smooth head."""
    n = topo.SURFACE_POINTS
    near = np.zeros((n, n))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        tri = topo.triangles()
        near[tri[:, a], tri[:, b]] = near[tri[:, b], tri[:, a]] = 1
    laplacian = np.diag(near.sum(1)) - near
    ids = np.array(sorted(fixed))
    free = np.setdiff1d(np.arange(n), ids)
    out = np.zeros((n, 3))
    out[ids] = [fixed[i] for i in ids]
    out[ids, 2] -= _head_depth(out[ids, :2], p)
    out[free] = np.linalg.solve(laplacian[np.ix_(free, free)], -laplacian[np.ix_(free, ids)] @ out[ids])
    out[:, 2] += _head_depth(out[:, :2], p)
    return out


def _iris(p: Proportions, out: Points) -> None:
    for sign, first in ((-1.0, topo.IRIS_RIGHT), (1.0, topo.IRIS_LEFT)):
        centre = np.array([sign * PUPIL_X, -61.6 - 0.30 * p.eye_up, 16.0])
        rim = np.array([[1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]]) * p.iris
        out[first] = centre
        out[first + 1 : first + 5] = centre + rim
