"""Pictures to faces in a child process: the whole way, and how it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.support.portraits import drawn, file_of, picture, points_json

from mouthpiece.errors import BadInput, FaceTooSmall, NotAnImage, NotConfigured, TooLarge, Unavailable
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.pack import VERSION, resized
from mouthpiece.face.source import read_source
from mouthpiece.media import MouthPose
from mouthpiece.providers.portraits import FaceMaker, Upload
from mouthpiece.settings import FaceSettings

pytestmark = pytest.mark.timeout(600)  # faces are made at low priority: minutes, where others need the cores


@pytest.fixture
def maker() -> FaceMaker:
    return FaceMaker(FaceSettings())


async def test_a_face_is_made_and_made_again(maker: FaceMaker) -> None:
    data, points = picture("noah")
    told: list[tuple[float, str]] = []
    made = await maker.make(Upload(data, points), ("f1", "me"), lambda *what: told.append(what))
    face = MeshFace.from_bytes(made.pack)
    assert (face.face_id, face.name, made.version) == ("f1", "me", VERSION)
    assert face.lip_gap(MouthPose(jaw_open=0.85)) > 6
    assert face.lip_gap(MouthPose(jaw_open=0.4, mouth_close=0.4)) < 0.3
    assert [progress for progress, _ in told] == sorted(progress for progress, _ in told)
    assert {stage for _, stage in told} >= {"reading the picture", "building the face"}
    again = await maker.remake(made.source, ("f1", "me"))
    assert MeshFace.from_bytes(again.pack).pack.landmarks.shape == (478, 3)
    assert made.cpu_s < 30


async def test_a_face_is_made_again_with_points_that_a_person_moved(maker: FaceMaker) -> None:
    data, points = picture("noah")
    made = await maker.make(Upload(data, points))
    moved = read_source(made.source).landmarks + np.array([0, 12, 0])
    again = await maker.remake(made.source, ("f1", "me"), corrected=points_json(moved))
    assert np.allclose(read_source(again.source).landmarks, moved, atol=0.01)
    assert np.array_equal(read_source(again.source).rgb, read_source(made.source).rgb), "the picture is kept as it was"
    assert np.allclose(MeshFace.from_bytes(again.pack).pack.landmarks, moved[:, :3] / 2, atol=0.01)
    with pytest.raises(BadInput, match="eyes are swapped"):
        await maker.remake(made.source, ("f1", "me"), corrected=points_json(moved * [-1, 1, 1] + [1024, 0, 0]))


async def test_only_its_source(maker: FaceMaker) -> None:
    data, points = picture()
    made = await maker.make(Upload(data, points))
    assert made.pack == b""
    assert read_source(made.source).rgb.shape == (1024, 1024, 3)


async def test_what_was_wrong_with_the_picture_is_told_as_it_was(maker: FaceMaker) -> None:
    rgb, points = drawn()
    tiny = file_of(resized(rgb, 100, 100))
    with pytest.raises(FaceTooSmall, match="pixels high"):
        await maker.make(Upload(tiny, str((points * 100 / 1024).tolist())), ("f1", "me"))
    with pytest.raises(NotAnImage):
        await maker.make(Upload(b"no picture"), ("f1", "me"))
    with pytest.raises(BadInput, match="landmarks"):
        await maker.make(Upload(file_of(rgb), "[]"), ("f1", "me"))


async def test_limits() -> None:
    maker = FaceMaker(FaceSettings(max_upload_bytes=1000))
    data, points = picture()
    with pytest.raises(TooLarge, match="1000 bytes"):
        await maker.make(Upload(data, points))
    with pytest.raises(TooLarge, match="landmarks"):
        await FaceMaker(FaceSettings()).check(Upload(data, "x" * 300_000))
    with pytest.raises(BadInput, match="from left to right"):
        await FaceMaker(FaceSettings()).check(Upload(data, face_index=-1))


async def test_without_a_landmarker_it_says_what_to_do() -> None:
    maker = FaceMaker(FaceSettings(landmarker=("/no/such/program",)))
    with pytest.raises(NotConfigured, match="setup faces"):
        await maker.make(Upload(picture()[0]), ("f1", "me"))


async def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    hangs = tmp_path / "hangs.py"
    hangs.write_text("import sys\nsys.stdin.read()\n")
    maker = FaceMaker(FaceSettings(landmarker=(sys.executable, str(hangs)), timeout_s=2.0))
    with pytest.raises(Unavailable, match="more than 2 s"):
        await maker.make(Upload(picture()[0]), ("f1", "me"))
