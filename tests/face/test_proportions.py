from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.face import topology as topo
from mouthpiece.face.characters import CHARACTERS
from mouthpiece.face.proportions import PUPIL_X, Proportions, landmarks


@pytest.mark.parametrize("p", [Proportions(), *(c.proportions for c in CHARACTERS.values())])
def test_a_proper_face(p: Proportions) -> None:
    points = landmarks(p)
    assert points.shape == (topo.LANDMARKS, 3)
    assert np.isfinite(points).all()
    assert np.linalg.norm(points[topo.IRIS_LEFT, :2] - points[topo.IRIS_RIGHT, :2]) == pytest.approx(2 * PUPIL_X)
    assert np.allclose(points[list(topo.UPPER_INNER)][:, 1], points[list(topo.LOWER_INNER)][:, 1])  # lips touch
    a, b, c = (points[topo.triangles()[:, k], :2] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (area <= -1.0).sum() <= 12  # next to no triangle is turned over


def test_the_format_has_three_holes() -> None:
    edges: dict[tuple[int, int], int] = {}
    for tri in topo.triangles().tolist():
        for a, b in zip(tri, tri[1:] + tri[:1], strict=True):
            edges[min(a, b), max(a, b)] = edges.get((min(a, b), max(a, b)), 0) + 1
    border = [edge for edge, count in edges.items() if count == 1]
    assert len(border) == 36 + 16 + 16 + 20  # oval, eyes, mouth
