from __future__ import annotations

from importlib.resources import files
from uuid import UUID

import pytest

from mouthpiece.errors import InvalidFace
from mouthpiece.face.catalog import SHIPPED, find, load


def test_six_faces_by_id_and_alias() -> None:
    assert [face.alias for face in SHIPPED] == ["mia", "noah", "ada", "walter", "zola", "ravi"]
    for face in SHIPPED:
        assert str(UUID(face.face_id)) == face.face_id
        assert load(face.face_id) is load(face.alias)
        assert (load(face.alias).face_id, load(face.alias).name) == (face.face_id, face.name)


def test_packs_are_small() -> None:
    for face in SHIPPED:
        assert len((files("mouthpiece.face") / "packs" / f"{face.alias}.face").read_bytes()) < 500_000


def test_unknown_faces_are_refused() -> None:
    with pytest.raises(InvalidFace):
        find("nobody")
