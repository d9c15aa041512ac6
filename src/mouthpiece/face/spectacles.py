"""Glasses in a portrait: whether it wears some, and how much of the face they hold still.

A frame is seen where it crosses bare skin: a dark line over the bridge of the nose, and one under each eye. All three
together are no shadow and no wrinkle.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo
from mouthpiece.face.interior import smoothstep
from mouthpiece.face.mesh import FaceMesh

Array = NDArray[np.float64]

LINE: Final = 0.25
"""How much darker than the skin on both sides a line must be: frames have 0.7 and more, bare faces below 0.2."""
CLEAR: Final = 7.0
"""Millimetres beyond the frame in which the skin moves freely again."""


class _Eye(NamedTuple):
    low: tuple[int, ...]
    up: tuple[int, ...]
    brow: tuple[int, ...]
    lid: int  # middle of the lower one


_EYES: Final = (
    _Eye(topo.EYE_R_LOWER, topo.EYE_R_UPPER, topo.BROW_R_LOWER, 145),
    _Eye(topo.EYE_L_LOWER, topo.EYE_L_UPPER, topo.BROW_L_LOWER, 374),
)


def rigid(mesh: FaceMesh, luma: NDArray[np.floating]) -> Array | None:
    """How much of each vertex (n,) is glasses, 0..1, that no expression bends; None without glasses.

    ``luma`` (h, w) of the portrait at scene size. Lids move inside the lenses as ever.
    """
    rims = [_rim(mesh, luma, eye) for eye in _EYES]
    if _bridge(mesh, luma) < LINE or min(depth for depth, _ in rims) < LINE:
        return None
    mm = mesh.mm
    lowest = max(drop for _, drop in rims)
    top = float(np.mean([mm[list(eye.brow), 1].mean() for eye in _EYES]))
    down = mm[:, 1]
    held = smoothstep(top - CLEAR, top, down) * (1 - smoothstep(lowest + 1.5, lowest + 1.5 + CLEAR, down))
    for eye in _EYES:
        centre = mm[[*eye.low, *eye.up], :2].mean(0)
        half = float(np.ptp(mm[list(eye.low), 0])) / 2
        away = np.hypot((mm[:, 0] - centre[0]) / (1.1 * half), (down - centre[1]) / (0.75 * half))
        held *= smoothstep(0.85, 1.25, away)
    return np.asarray(held)


def _bridge(mesh: FaceMesh, luma: NDArray[np.floating]) -> float:
    """Depth of the darkest line across the nose between the eyes."""
    points = mesh.points
    apart = float(np.linalg.norm(points[362, :2] - points[133, :2]))
    middle = (points[133, 0] + points[362, 0]) / 2
    rows = slice(int(points[9, 1] + 0.1 * apart), int(points[5, 1]))
    columns = slice(int(middle - 0.16 * apart), int(middle + 0.16 * apart) + 1)
    return float(_dips(np.median(luma[rows, columns], axis=1), 0.35 * apart).max(initial=0.0))


def _rim(mesh: FaceMesh, luma: NDArray[np.floating], eye: _Eye) -> tuple[float, float]:
    """Depth of the darkest line under an eye, and its height in millimetres of the face."""
    points, lid = mesh.points, eye.lid
    width = float(np.linalg.norm(points[eye.low[0], :2] - points[eye.low[-1], :2]))
    first, x = int(points[lid, 1] + 0.18 * width), int(points[lid, 0])
    rows = slice(first, int(points[lid, 1] + 1.25 * width))
    line = np.median(luma[rows, int(x - 0.12 * width) : int(x + 0.12 * width) + 1], axis=1)
    dips = _dips(line, 0.30 * width)
    if not len(dips):
        return 0.0, 0.0
    at = int(dips.argmax())
    return float(dips[at]), float(mesh.mm[lid, 1] + (first + at - points[lid, 1]) / mesh.frame.unit)


def _dips(line: Array, reach: float) -> Array:
    """At each place of a line of brightness, by which share it is darker than what lies on either side."""
    far, near = max(4, int(reach)), max(1, int(reach) // 3)
    out = np.zeros(len(line))
    for k in range(len(line)):
        before, after = line[max(0, k - far) : max(1, k - near)], line[k + near : k + far + 1]
        if min(len(before), len(after)) >= 2:
            out[k] = 1 - line[k] / max(min(float(np.median(before)), float(np.median(after))), 1.0)
    return out
