"""Triangulation and smooth motion over a mesh. The only file of this room that imports SciPy (extra ``faces``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import Delaunay

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


class _Factors(Protocol):
    def solve(self, right: Floats) -> Floats: ...


def triangulate(points: Floats) -> Ints:
    """Delaunay triangles of 2-D points, shape (t, 3)."""
    return np.asarray(Delaunay(points).simplices, np.int32)


def _cotangents(xy: Floats, tri: Ints) -> sparse.csr_matrix:
    """Cotangent Laplacian of the flat mesh; weights are held in 0.05..4 so that slivers do no harm."""
    rows, columns, values = [], [], []
    for k in range(3):
        i, j, o = tri[:, k], tri[:, (k + 1) % 3], tri[:, (k + 2) % 3]
        a, b = xy[i] - xy[o], xy[j] - xy[o]
        cross = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        weight = np.clip((a * b).sum(1) / np.maximum(cross, 1e-3), 0.05, 4) / 2
        rows += [i, j, i, j]
        columns += [j, i, i, j]
        values += [-weight, -weight, weight, weight]
    index = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.concatenate(values), index), shape=(len(xy), len(xy)))


def _vertex_areas(xy: Floats, tri: Ints) -> Floats:
    p, q = xy[tri[:, 1]] - xy[tri[:, 0]], xy[tri[:, 2]] - xy[tri[:, 0]]
    area = np.abs(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]) / 2
    out = np.zeros(len(xy))
    for k in range(3):
        np.add.at(out, tri[:, k], area / 3)
    return np.maximum(out, 2.0)


class Biharmonic:
    """Spreads handle displacements over a mesh as smoothly as it can (biharmonic, L' M^-1 L + 1e-4 L).

    Holes in the mesh stay holes, so the upper and lower lip do not pull each other. One factorisation for each set of
    handles, kept.
    """

    def __init__(self, xy: Floats, tri: Ints) -> None:
        """``xy`` (n, 2) in pixels and the triangles over them."""
        laplacian = _cotangents(xy, tri)
        energy = laplacian.T @ sparse.diags(1 / _vertex_areas(xy, tri)) @ laplacian + 1e-4 * laplacian
        self._energy = ((energy + energy.T) / 2).tocsc()
        self._count = len(xy)
        self._factors: dict[tuple[int, ...], _Factors] = {}

    def spread(self, handles: Mapping[int, ArrayLike], still: Iterable[int]) -> Floats:
        """Displacement of every vertex, (n, 3), given those of the handles and the vertices that do not move."""
        moves = {i: np.zeros(3) for i in still} | {i: np.asarray(v, float) for i, v in handles.items()}
        ids = np.array(sorted(moves))
        values = np.array([moves[i] for i in ids])
        free = np.setdiff1d(np.arange(self._count), ids)
        key = tuple(ids.tolist())
        if key not in self._factors:
            block = self._energy[free][:, free].tocsc()
            self._factors[key] = splu(block + 1e-9 * sparse.eye(len(free), format="csc"))
        out = np.zeros((self._count, 3))
        out[ids] = values
        out[free] = self._factors[key].solve(-(self._energy[free][:, ids] @ values))
        return out
