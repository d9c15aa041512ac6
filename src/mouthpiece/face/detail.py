"""How fine a mesh a canvas needs: splits that no motion would show there are undone.

The mesh splits every triangle of the landmark format in four (``mesh._refine``), since lips and lids need it. On a
forehead the middle of a side then always lies half-way between its ends, and four triangles cost four times one. Such
middles are left out, by the error that it makes in canvas pixels. Both triangles beside a side agree on its middle, so
that nothing gapes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo
from mouthpiece.face.rig import LAYER, Bytes, Floats, Ints, Rig

PIXELS: Final = 0.2
"""What a full motion may displace, in canvas pixels; on usual pictures it is a tenth of that."""
LEVELS: Final = 0.012
"""What a full motion may change of the brightness, as ``shading.LEAST``."""
TURN: Final = 0.12
"""Radians of usual head turns: an error in depth displaces by so much of itself."""

Family = tuple[tuple[int, int, int], tuple[int, int, int]]
"""A triangle of the format, and the middles of its sides ab, bc, ca."""


def suited(rig: Rig, uv: Floats, scale: float) -> Rig:
    """The rig with the triangles that a canvas of ``scale`` px per scene pixel needs; ``uv`` (n, 2) in scene pixels."""
    first, last = (int(n) for n in rig.layers[LAYER.skin])
    rims = last - 2 * len(rig.loops)
    skin, opaque = rig.triangles[first:rims], rig.opaque[first:rims]
    needed = _needed(rig, uv, scale)
    at = {frozenset(corners): k for k, corners in enumerate(skin.tolist())}
    kept = np.ones(len(skin), bool)
    made, solid = [], []
    for parent, middles in _families():
        members = [at.get(frozenset(child), -1) for child in _split(parent, middles, (True, True, True))]
        if min(members) < 0:  # where it is not drawn whole, nobody is under a part of it
            continue
        a, b, c = (bool(needed[m]) for m in middles)
        split = _split(parent, middles, (a, b, c))
        kept[members] = False
        made += split
        solid += [opaque[members].min()] * len(split)
    corners = np.concatenate([skin[kept], np.array(made, np.int32).reshape(-1, 3)])
    return _with_skin(rig, corners, np.concatenate([opaque[kept], np.array(solid, np.uint8)]), rims)


def _with_skin(rig: Rig, corners: Ints, opaque: Bytes, rims: int) -> Rig:
    """Other triangles of the skin below its rims, in paint order: around the face, then the face, far to near."""
    first = int(rig.layers[LAYER.skin, 0])
    surface = 1 + max(max(middles) for _, middles in _families())
    order = np.lexsort((-rig.base[corners, 2].mean(1), (corners < surface).all(1)))
    layers = rig.layers.copy()
    layers[LAYER.skin, 1] -= rims - first - len(corners)
    layers[LAYER.skin + 1 :] -= rims - first - len(corners)
    return rig._replace(
        triangles=np.concatenate([rig.triangles[:first], corners[order], rig.triangles[rims:]]),
        opaque=np.concatenate([rig.opaque[:first], opaque[order], rig.opaque[rims:]]),
        layers=layers,
    )


def _needed(rig: Rig, uv: Floats, scale: float) -> NDArray[np.bool]:
    """Whether each vertex must be drawn, by what some motion does to it and not to the middle of its neighbours."""
    sides = np.array([(a, b, m) for p, ms in _families() for a, b, m in zip(p, (p[1], p[2], p[0]), ms, strict=True)])
    sides = np.concatenate([np.sort(sides[:, :2], axis=1), sides[:, 2:]], axis=1)
    sides, shared = np.unique(sides, axis=0, return_counts=True)
    a, b, m = sides.T

    def off(values: Floats) -> Floats:
        return np.abs(values[..., m] - (values[..., a] + values[..., b]) / 2)

    count = len(rig.base)
    moved = rig.basis.reshape(len(rig.basis), count, 3).transpose(0, 2, 1)  # (shapes, axes, n)
    rest = off((rig.base[:, :2] - uv[:count]).T).max(0) + TURN * off(rig.base[:, 2])
    bent = rest + np.linalg.norm(off(moved)[:, :2], axis=1).max(0)
    shaded = np.maximum(off(rig.gain).max(0), off(rig.weights.T).max(0))
    out = np.zeros(count, bool)
    out[m] = (bent * scale > PIXELS) | (shaded > LEVELS) | (shared == 1)  # sides of one triangle border on other parts
    return out


@lru_cache(maxsize=1)
def _families() -> tuple[Family, ...]:
    """In the order in which ``mesh._refine`` numbers the middles."""
    middle: dict[frozenset[int], int] = {}
    out = []
    for a, b, c in topo.triangles().tolist():
        sides = (frozenset((a, b)), frozenset((b, c)), frozenset((c, a)))
        ab, bc, ca = (middle.setdefault(side, topo.SURFACE_POINTS + len(middle)) for side in sides)
        out.append(((a, b, c), (ab, bc, ca)))
    return tuple(out)


def _split(
    corners: tuple[int, int, int], middles: tuple[int, int, int], on: tuple[bool, bool, bool]
) -> list[tuple[int, int, int]]:
    """The triangle cut at those of its sides' middles that are on."""
    (a, b, c), (ab, bc, ca) = corners, middles
    if all(on):
        return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    if not any(on):
        return [corners]
    if on[1] and not on[0]:  # turn it until its first side is cut, and its last is not
        return _split((b, c, a), (bc, ca, ab), (on[1], on[2], on[0]))
    if on[2]:
        return _split((c, a, b), (ca, ab, bc), (on[2], on[0], on[1]))
    return [(ab, b, bc), (ab, bc, c), (a, ab, c)] if on[1] else [(a, ab, c), (ab, b, c)]
