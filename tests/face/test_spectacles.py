"""Glasses are seen where there are some, hold still while the face moves, and leave the lids alone."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.face.build import draw
from mouthpiece.face.catalog import load
from mouthpiece.face.characters import CHARACTERS
from mouthpiece.face.imaging import resize
from mouthpiece.face.inspection import portrait
from mouthpiece.face.mesh import FaceMesh, build_mesh
from mouthpiece.face.mesh_face import ROW
from mouthpiece.face.pack import SCENE
from mouthpiece.face.spectacles import rigid

LUMA = np.array([0.299, 0.587, 0.114])


def of(alias: str) -> tuple[FaceMesh, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    pack = load(alias).pack
    matte = (resize(pack.matte.astype(np.float32) / 255, SCENE, SCENE)).clip(0, 1)
    return build_mesh(pack.landmarks.astype(float), matte), portrait(load(alias)) @ LUMA


@pytest.mark.parametrize("alias", sorted(CHARACTERS))
def test_only_ada_wears_glasses(alias: str) -> None:
    held = rigid(*of(alias))
    assert (held is not None) == (alias == "ada")


def test_a_frame_is_held_and_lids_are_not() -> None:
    mesh, luma = of("ada")
    held = rigid(mesh, luma)
    assert held is not None
    bridge, cheek, lid, mouth = held[[168, 119, 159, 13]]
    assert bridge > 0.95
    assert cheek > 0.8, "the lower rim lies on it"
    assert lid < 0.05
    assert mouth == 0


def test_brows_do_not_bend_adas_frame() -> None:
    moves = {alias: _moved(alias, "cheek", 119) for alias in ("ada", "mia")}
    assert moves["ada"] < 0.25 * moves["mia"]
    assert _moved("ada", "blink_r", 159) > 0.8 * _moved("mia", "blink_r", 159)


def _moved(alias: str, shape: str, point: int) -> float:
    rig = load(alias).pack.rig
    return float(np.linalg.norm(rig.basis[ROW[shape]].reshape(-1, 3)[point]))


def test_a_drawing_without_lines_has_none() -> None:
    image, _, matte, points = draw(CHARACTERS["mia"])
    mesh = build_mesh(points / 2, resize(matte, SCENE, SCENE).clip(0, 1))
    assert rigid(mesh, np.full(image.shape[:2], 128.0)[::2, ::2]) is None
