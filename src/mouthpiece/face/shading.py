"""How brightness changes when the face moves: light estimated from the portrait, and folds that no mesh shows.

A gain map holds, for each vertex, the change of brightness per unit of one motion. Maps are linear in the weights, as
the basis is, so that light costs one multiplication a vertex and motion.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo
from mouthpiece.face.mesh import FaceMesh, outside

Points = NDArray[np.float64]
Triangles = NDArray[np.int32]

TURNS: Final = ("yaw", "pitch")
"""Rows of the gain map after those of the shapes: brightness per radian of head turn."""
USUAL_LIGHT: Final = np.array([-0.06, -0.22, -0.30])
"""Light from in front and above, as in most portraits: what the estimate leans to. Brightness per unit of normal."""
MOST: Final = 0.16
"""A fold darkens by no more than this at weight 1: what is beyond comes from the mesh's own noise."""
GLOW: Final = 0.2
"""It brightens by at most this share of ``MOST``: skin that lights up by itself is seen sooner than a soft shadow."""
TURNED_GLOW: Final = 0.45
"""The same for a head that turns: a whole cheek that comes into the light looks right."""
EVEN: Final = 5
"""Rounds of smoothing of bent light: fewer leave blotches of the mesh's own grain on smooth cheeks."""
LEAST: Final = 0.012
"""Smaller changes are dropped: triangles that are evenly lit are drawn the fast way."""

# Folds and hollows by landmark: nasolabial fold, corner, chin, lid, forehead. Sign as seen: negative is darker.
# fmt: off
FOLDS: Final = {
    "blink_r": dict.fromkeys(topo.LID_R_UPPER, -0.05),
    "blink_l": dict.fromkeys(topo.LID_L_UPPER, -0.05),
    "smile": dict.fromkeys((206, 426, 92, 322, 165, 391, 203, 423), -0.11) | dict.fromkeys((205, 425, 50, 280), 0.07)
        | dict.fromkeys((57, 287), -0.06),
    "cheek": dict.fromkeys((206, 426, 203, 423), -0.05) | dict.fromkeys((50, 280, 101, 330), 0.05)
        | dict.fromkeys((119, 348, 120, 349), -0.05),
    "sneer": dict.fromkeys((203, 423, 206, 426, 98, 327, 129, 358), -0.10),
    "stretch": dict.fromkeys((206, 426, 92, 322), -0.06) | dict.fromkeys((212, 432), -0.03),
    "jaw_open": dict.fromkeys((18, 83, 313, 200), -0.05) | dict.fromkeys((187, 411, 192, 416), -0.05),
    "upper_up": dict.fromkeys((206, 426, 92, 322), -0.05),
    "pucker": dict.fromkeys((186, 410, 43, 273, 57, 287, 61, 291), -0.06) | dict.fromkeys((199, 200), -0.03),
    "press": dict.fromkeys((18, 200, 83, 313), -0.05) | dict.fromkeys((57, 287), -0.05),
    "frown": dict.fromkeys((43, 273, 202, 422), -0.08),
    "brow_down": dict.fromkeys((9, 107, 336, 55, 285, 8), -0.07),
    "brow_inner_up": dict.fromkeys((108, 337, 151), -0.05),
    "brow_up": dict.fromkeys((104, 333, 69, 299, 108, 337), -0.04),
}
# fmt: on


def gain_maps(mesh: FaceMesh, rest: Points, basis: Points, names: Iterable[str], luma: Points) -> Points:
    """Brightness changes, (len(names) + len(TURNS), n): of every shape at weight 1, and of each turn per radian.

    ``rest`` (n, 3) and ``basis`` (shapes, n, 3) in scene pixels; ``luma`` (h, w) of the portrait, 0..255.
    """
    triangles = mesh.triangles[(mesh.triangles < mesh.surface).all(1)]
    normal = _normals(rest, triangles)
    light = portrait_light(mesh, normal, luma)
    near = np.zeros(len(rest))
    near[: mesh.surface] = 1 - np.clip(1 + outside(rest[: mesh.surface, :2], mesh.oval) / (0.06 * _width(rest)), 0, 1)
    rows = []
    for name, shape in zip(names, basis, strict=True):
        bent = (_normals(rest + shape, triangles) - normal) @ light if name in GEOMETRIC else np.zeros(len(rest))
        rows.append(_cleaned(smoothed(bent * near, mesh.triangles, EVEN) + _folds(mesh, name), mesh))
    nx, ny, nz = normal.T
    zero = np.zeros(len(rest))
    yaw, pitch = np.stack([nz, zero, -nx], 1) @ light, np.stack([zero, -nz, ny], 1) @ light
    return np.stack([*rows, *(_cleaned(row * near, mesh, 2.0, TURNED_GLOW) for row in (yaw, pitch))])


GEOMETRIC: Final = frozenset(("jaw_open", "pucker", "funnel", "stretch", "smile", "frown", "cheek", "sneer", "press"))
"""Shapes whose own bending of the surface is lit; the small ones move too little to be worth a row."""


def portrait_light(mesh: FaceMesh, normal: Points, luma: Points) -> Points:
    """Brightness per unit of normal, (3,): a ridge regression of log brightness on the normals of bare skin."""
    skin = np.setdiff1d(np.arange(mesh.surface), _not_skin(mesh))
    height, width = luma.shape
    at = mesh.points[skin, :2].round().astype(int).clip(0, [width - 1, height - 1])
    seen = np.log(np.maximum(luma[at[:, 1], at[:, 0]], 8.0))
    middle = np.median(seen)
    weight = 1 / (1 + ((seen - middle) / 0.35) ** 2)  # stubble, shadows and shine tell little
    n = normal[skin] - np.average(normal[skin], axis=0, weights=weight)
    rise = seen - np.average(seen, weights=weight)
    ridge = 0.03 * weight.sum()
    fitted = np.linalg.solve(
        (n * weight[:, None]).T @ n + ridge * np.eye(3), (n * weight[:, None]).T @ rise + ridge * USUAL_LIGHT
    )
    size = float(np.linalg.norm(fitted))
    return np.asarray(fitted * min(1.0, 0.65 / max(size, 1e-6)))


def _not_skin(mesh: FaceMesh) -> NDArray[np.int64]:
    rows = (
        *(topo.UPPER_OUTER, topo.UPPER_2, topo.UPPER_1, topo.UPPER_INNER),
        *(topo.LOWER_INNER, topo.LOWER_1, topo.LOWER_2, topo.LOWER_OUTER),
        *(topo.EYE_R_UPPER, topo.EYE_R_LOWER, topo.EYE_L_UPPER, topo.EYE_L_LOWER, topo.OVAL),
        *(topo.BROW_R_UPPER, topo.BROW_R_LOWER, topo.BROW_L_UPPER, topo.BROW_L_LOWER),
    )
    return np.unique(np.concatenate([np.array(row) for row in rows]))


def _width(points: Points) -> float:
    return float(np.linalg.norm(points[454] - points[234]))


def _normals(points: Points, triangles: Triangles) -> Points:
    """Unit normals that look at the viewer (z negative), smoothed over the neighbours."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    face *= np.where(face[:, 2] > 0, -1.0, 1.0)[:, None]
    out = np.zeros_like(points)
    for k in range(3):
        np.add.at(out, triangles[:, k], face)
    out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-9
    smooth = np.stack([smoothed(out[:, k], triangles, 3) for k in range(3)], 1)
    return np.asarray(smooth / (np.linalg.norm(smooth, axis=1, keepdims=True) + 1e-9))


def _folds(mesh: FaceMesh, name: str) -> Points:
    row = np.zeros(len(mesh.points))
    table = FOLDS.get(name, {})
    row[list(table)] = list(table.values())
    return smoothed(row, mesh.triangles, 4) * 4.2 if table else row


def _cleaned(row: Points, mesh: FaceMesh, scale: float = 1.0, glow: float = GLOW) -> Points:
    """Smoothed, held in bounds, and exactly zero where it would not be seen."""
    row = smoothed(row, mesh.triangles, 1).clip(-MOST * scale, glow * MOST * scale)
    return np.asarray(np.where(np.abs(row) < LEAST * scale, 0.0, row))


def smoothed(values: Points, tri: Triangles, rounds: int) -> Points:
    """Rounds of averaging with the neighbours."""
    for _ in range(rounds):
        total, count = values.copy(), np.ones(len(values))
        for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
            np.add.at(total, tri[:, a], values[tri[:, b]] * 0.5)
            np.add.at(count, tri[:, a], 0.5)
        values = total / count
    return values
