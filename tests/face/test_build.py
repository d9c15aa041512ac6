"""The builder: reproducible for the drawn faces, and callable for any portrait with landmarks and a matte."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.errors import InvalidPortrait
from mouthpiece.face import basis
from mouthpiece.face.build import SPAN, build_face, draw
from mouthpiece.face.characters import CHARACTERS
from mouthpiece.face.inspection import MOUTHS, away_from_person, luma, portrait_luma, psnr, renderer, still
from mouthpiece.face.mesh_face import SHAPES, MeshFace
from mouthpiece.face.portrait import build
from mouthpiece.media import MouthPose


def test_the_runtime_names_the_basis_as_the_builder_does() -> None:
    assert SHAPES == basis.SHAPES


def test_the_shipped_pack_is_what_the_sources_make(mia: MeshFace) -> None:
    again = build_face("mia")
    assert again.face_id == mia.face_id
    assert np.array_equal(again.rig.triangles, mia.pack.rig.triangles)
    assert np.abs(again.rig.base - mia.pack.rig.base).max() < 0.01
    assert np.abs(again.rig.basis - mia.pack.rig.basis).max() < 0.05
    assert psnr(again.matte.astype(float), mia.pack.matte.astype(float)) > 50


@pytest.fixture(scope="module")
def upload() -> MeshFace:
    """Noah as a stranger would send him: other size, turned by 7 degrees, no plate, landmarks in its own pixels."""
    from scipy.ndimage import rotate

    image, _, matte, points = draw(CHARACTERS["noah"])
    turned = rotate(image, 7, reshape=False, order=1, mode="nearest")[::2, ::2].clip(0, 255).astype(np.uint8)
    alpha = rotate(matte, 7, reshape=False, order=1)[::2, ::2].clip(0, 1)
    angle = np.radians(-7)
    spin = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    middle = np.array([len(image) / 2, len(image) / 2, 0])
    landmarks = ((points - middle) @ spin.T + middle) / 2
    return MeshFace(build(turned, landmarks, alpha, face_id="x", name="Stranger"))


def test_a_strangers_portrait_becomes_a_face(upload: MeshFace) -> None:
    drawer = renderer(upload)
    assert psnr(luma(still(drawer)), portrait_luma(upload)) >= 38
    assert upload.lip_gap(MOUTHS["aa"]) > 8
    assert upload.lip_gap(MouthPose(jaw_open=0.6, mouth_close=0.6)) < 0.3
    away = away_from_person(upload)
    assert np.array_equal(luma(still(drawer, MOUTHS["aa"], yaw=0.1))[away], luma(still(drawer))[away])


@pytest.mark.parametrize(("apart_mm", "depth_mm", "nod"), [(0.6, 0, 0), (5, 0, 0), (5, 2.5, 0.2), (5, 2.5, -0.2)])
def test_lips_that_are_ajar_in_the_portrait_meet_for_a_closure(apart_mm: float, depth_mm: float, nod: float) -> None:
    """``depth_mm``: how much further back the lower lip is; ``nod``: radians by which the head looks down."""
    image, _, matte, points = draw(CHARACTERS["noah"])
    taper = np.sin(np.linspace(0, np.pi, 11))[1:-1] * len(image) / SPAN
    for rows, way in ((basis.UPPER, -0.5), (basis.LOWER, 0.5)):
        for row in rows:
            points[list(row[1:-1]), 1] += way * apart_mm * taper
            points[list(row[1:-1]), 2] += way * depth_mm * taper
    turn = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    middle = points.mean(0)
    face = MeshFace(
        build(image.clip(0, 255).astype(np.uint8), (points - middle) @ turn.T + middle, matte, face_id="x", name="Ajar")
    )
    assert face.lip_gap(MOUTHS["PP"]) < 0.3
    assert face.lip_gap(MOUTHS["aa"]) > 5


def test_pictures_that_do_not_fit_together_are_refused() -> None:
    picture, matte, points = np.zeros((300, 300, 3), np.uint8), np.ones((300, 300)), np.zeros((478, 3))
    for bad in ((picture[:200], points, matte), (picture, points, matte[:10]), (picture, points[:468], matte)):
        with pytest.raises(InvalidPortrait):
            build(bad[0], bad[1], bad[2], face_id="x", name="x")
