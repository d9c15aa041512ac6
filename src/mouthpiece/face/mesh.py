"""Landmarks and matte to a triangle mesh over the whole person, in scene pixels and in millimetres of the face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo
from mouthpiece.face.imaging import dilate
from mouthpiece.face.solving import triangulate

Points = NDArray[np.float64]
Ints = NDArray[np.int32]

LATTICE = 18
"""Spacing of the vertices outside the face, in scene pixels."""


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """Axes of the head in the picture: columns of ``rotation`` are x, y, z of the face; ``unit`` is px per mm."""

    rotation: Points
    unit: float
    origin: Points

    def to_mm(self, px: Points) -> Points:
        """Points (n, 3) of the picture in millimetres of the face."""
        return np.asarray((px - self.origin) @ self.rotation / self.unit)

    def to_px(self, mm: Points) -> Points:
        """Displacements (n, 3) of the face as displacements in the picture."""
        return np.asarray((mm @ self.rotation.T) * self.unit)


def face_frame(landmarks: Points) -> FaceFrame:
    """Axes from the eye corners and the line from forehead to chin; the pupils are 63 mm apart."""
    p = landmarks
    x = p[263] - p[33]
    x = x / np.linalg.norm(x)
    y = p[152] - p[10]
    y = y - x * (x @ y)
    y = y / np.linalg.norm(y)
    unit = float(np.linalg.norm(p[topo.IRIS_LEFT] - p[topo.IRIS_RIGHT]) / 63.0)
    return FaceFrame(np.stack([x, y, np.cross(x, y)], 1), unit, (p[13] + p[14]) / 2)


def curve_midpoints(line: Points) -> Points:
    """Midpoints of an open polyline by four-point interpolation (-1, 9, 9, -1) / 16 (Dyn, Levin, Gregory 1987)."""
    ends = np.concatenate([[2 * line[0] - line[1]], line, [2 * line[-1] - line[-2]]])
    return np.asarray((-ends[:-3] + 9 * ends[1:-2] + 9 * ends[2:-1] - ends[3:]) / 16)


def outside(points: Points, polygon: Points) -> Points:
    """Signed distance of 2-D points to a closed polygon: positive outside, negative inside."""
    a, b = polygon, np.roll(polygon, -1, 0)
    edge = b - a
    rel = points[:, None] - a[None]
    t = np.clip((rel * edge).sum(-1) / np.maximum((edge**2).sum(-1), 1e-9), 0, 1)
    distance = np.linalg.norm(rel - t[..., None] * edge, axis=-1).min(1)
    y = points[:, None, 1]
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    dy = np.where(b[:, 1] == a[:, 1], 1e-9, b[:, 1] - a[:, 1])
    inside = (crosses & (points[:, None, 0] < a[:, 0] + (y - a[:, 1]) * edge[:, 0] / dy)).sum(1) % 2 == 1
    return np.asarray(np.where(inside, -distance, distance), float)


@dataclass(frozen=True, slots=True)
class FaceMesh:
    """The refined face and the body around it.

    ``points`` (n, 3) in scene pixels, face vertices first; ``mm`` the same in the face frame; ``triangles`` in paint
    order, far to near; ``surface`` how many vertices are the face's; ``middle`` names the vertex on a split edge.
    """

    frame: FaceFrame
    points: Points
    mm: Points
    triangles: Ints
    surface: int
    middle: dict[tuple[int, int], int] = field(repr=False)

    def fine(self, chain: Sequence[int]) -> list[int]:
        """A landmark row with the vertices that lie between its points."""
        out = [chain[0]]
        for a, b in pairwise(chain):
            out += [self.middle[min(a, b), max(a, b)], b]
        return out

    @property
    def oval(self) -> Points:
        """The outline of the face, (m, 2) in scene pixels."""
        return self.points[self.fine((*topo.OVAL, topo.OVAL[0]))[:-1], :2]


def build_mesh(landmarks: Points, matte: NDArray[np.float32]) -> FaceMesh:
    """Mesh over the face (1,900 vertices, 3,408 triangles) and over all else that the matte shows."""
    frame = face_frame(landmarks)
    points, triangles, middle = _refine(landmarks[: topo.SURFACE_POINTS])
    surface = len(points)
    bare = FaceMesh(frame, points, points, triangles, surface, middle)
    ring = bare.fine((*topo.OVAL, topo.OVAL[0]))[:-1]
    outer = _outer_points(points[ring, :2], matte)
    remap = np.r_[np.array(ring), surface + np.arange(len(outer))]
    around = _outer_triangles(points[ring, :2], outer)
    width = float(np.linalg.norm(landmarks[454] - landmarks[234]))
    depth = _outer_depth(points[ring], outer, width)
    everything = np.concatenate([points, np.c_[outer, depth]])
    all_triangles = np.concatenate([triangles, remap[around]]).astype(np.int32)
    kept = _paint_order(everything, _visible(everything, all_triangles, matte), surface)
    return FaceMesh(frame, everything, frame.to_mm(everything), kept, surface, middle)


def _refine(points: Points) -> tuple[Points, Ints, dict[tuple[int, int], int]]:
    """Split every triangle in four; midpoints on contours are curved."""
    curved: dict[tuple[int, int], Points] = {}
    for chain in topo.SMOOTH_CHAINS:
        for (a, b), point in zip(pairwise(chain), curve_midpoints(points[list(chain)]), strict=True):
            curved[min(a, b), max(a, b)] = point
    out, middle, split = list(points), dict[tuple[int, int], int](), []
    for tri in topo.triangles().tolist():
        mids = []
        for a, b in zip(tri, (tri[1], tri[2], tri[0]), strict=True):
            key = (min(a, b), max(a, b))
            if key not in middle:
                middle[key] = len(out)
                out.append(curved.get(key, (points[a] + points[b]) / 2))
            mids.append(middle[key])
        (a, b, c), (ab, bc, ca) = tri, mids
        split += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.array(out), np.array(split, np.int32), middle


def _outer_points(oval: Points, matte: NDArray[np.float32]) -> Points:
    """Two rings around the oval (9 and 20 px) and a staggered lattice wherever the person is."""
    height, width = matte.shape
    centre = oval.mean(0)
    found = []
    for step, offset in ((1, 9.0), (2, 20.0)):
        away = oval[::step] - centre
        found.append(oval[::step] + offset * away / np.linalg.norm(away, axis=1, keepdims=True))
    near = dilate(matte, 2 * LATTICE + 1)
    rows = np.unique(np.minimum(np.arange(0, height + LATTICE, LATTICE), height))
    columns = np.unique(np.minimum(np.arange(0, width + LATTICE, LATTICE), width))
    lattice = np.array(
        [
            (min(x + LATTICE / 2 * (k % 2 and 0 < x < width), width), y)
            for k, y in enumerate(rows.tolist())
            for x in columns.tolist()
        ],
        float,
    )
    at = np.minimum(lattice.astype(int), [width - 1, height - 1])
    keep = (near[at[:, 1], at[:, 0]] > 0.01) & (outside(lattice, oval) > 26)
    out = np.concatenate([*found, lattice[keep]])
    inside = (out >= 0).all(1) & (out[:, 0] <= width) & (out[:, 1] <= height)
    return np.asarray(out[inside])


def _outer_triangles(oval: Points, outer: Points) -> Ints:
    points = np.concatenate([oval, outer])
    tri = triangulate(points)
    corners = points[tri]
    compact = (np.ptp(corners, axis=1) <= 3 * LATTICE).all(1)
    return np.asarray(tri[compact & (outside(corners.mean(1), oval) > 0)], np.int32)


def _outer_depth(oval: Points, outer: Points, width: float) -> Points:
    """Hair and body fall back from the nearest part of the oval: 0.45 of the distance, at most 0.22 face widths."""
    distance = np.linalg.norm(outer[:, None] - oval[None, :, :2], axis=-1)
    near = np.argsort(distance, axis=1)[:, :5]
    w = 1 / (np.take_along_axis(distance, near, 1) + 1)
    depth = (oval[near, 2] * w).sum(1) / w.sum(1)
    return np.asarray(depth + np.minimum(distance.min(1) * 0.45, width * 0.22))


def _visible(points: Points, tri: Ints, matte: NDArray[np.float32]) -> Ints:
    """Triangles under which the matte is not empty."""
    low = np.maximum(np.floor(points[tri, :2].min(1)).astype(int) - 2, 0)
    high = np.ceil(points[tri, :2].max(1)).astype(int) + 3
    shown = [matte[y0:y1, x0:x1].max() > 0.01 for (x0, y0), (x1, y1) in zip(low, high, strict=True)]
    return np.asarray(tri[np.array(shown)], np.int32)


def _paint_order(points: Points, tri: Ints, surface: int) -> Ints:
    """Body first, then the face, each from far to near."""
    depth = points[tri, 2].mean(1)
    return np.asarray(tri[np.lexsort((-depth, (tri < surface).all(1)))], np.int32)
