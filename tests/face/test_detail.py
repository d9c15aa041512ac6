"""The mesh of a canvas: as fine as it needs to be, without gaps, and the same picture."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mouthpiece.face.detail import suited
from mouthpiece.face.inspection import FACES, MOUTHS, luma, psnr, renderer, still
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.rig import LAYER, Ints, Rig
from mouthpiece.media import REST


def skin(rig: Rig) -> Ints:
    """The triangles of the skin without the rims inside its holes."""
    first, last = (int(n) for n in rig.layers[LAYER.skin])
    return rig.triangles[first : last - 2 * len(rig.loops)]


def lone_sides(triangles: Ints) -> set[tuple[int, int]]:
    """Sides that only one triangle has: the outline, and the contours of the holes."""
    sides = Counter(tuple(sorted((int(t[k]), int(t[k - 1])))) for t in triangles for k in range(3))
    return {(a, b) for (a, b), count in sides.items() if count == 1}


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_nothing_gapes(face: MeshFace, scale: float) -> None:
    whole = face.pack.rig
    less = suited(whole, face.pack.vertices.uv, scale)
    assert lone_sides(skin(less)) == lone_sides(skin(whole))


def test_smaller_canvases_have_fewer_triangles(face: MeshFace) -> None:
    pack = face.pack
    counts = [len(skin(suited(pack.rig, pack.vertices.uv, scale))) for scale in (0.25, 1.0, 3.0, 1e6)]
    assert counts == sorted(counts)
    assert counts[1] < 0.75 * len(skin(pack.rig))
    assert counts[3] > 0.9 * len(skin(pack.rig))


def test_other_layers_are_kept(face: MeshFace) -> None:
    whole, less = face.pack.rig, suited(face.pack.rig, face.pack.vertices.uv, 1.0)
    for layer, name in enumerate(LAYER._fields):
        if name != "skin":
            (a, b), (c, d) = whole.layers[layer], less.layers[layer]
            assert np.array_equal(whole.triangles[a:b], less.triangles[c:d]), name
    rims = 2 * len(whole.loops)
    ends = whole.layers[LAYER.skin, 1], less.layers[LAYER.skin, 1]
    assert np.array_equal(whole.triangles[ends[0] - rims : ends[0]], less.triangles[ends[1] - rims : ends[1]])
    assert len(less.opaque) == len(less.triangles)


def test_the_picture_stays_the_same(face: MeshFace) -> None:
    """Rounding, and a tenth of a pixel here and there."""
    coarse, fine = renderer(face), renderer(face)
    fine._rig = face.pack.rig
    for pose in MOUTHS.values():
        assert psnr(luma(still(coarse, pose)), luma(still(fine, pose))) > 52
    for extra in FACES.values():
        assert psnr(luma(still(coarse, REST, **extra)), luma(still(fine, REST, **extra))) > 52
