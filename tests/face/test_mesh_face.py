"""The engine on every shipped face: identity at rest, closures, open mouths, blinks, sizes, purity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mouthpiece.errors import BadInput, InvalidEmotion
from mouthpiece.face.base import Face, FaceRenderer
from mouthpiece.face.catalog import SHIPPED
from mouthpiece.face.inspection import MOUTHS, away_from_person, luma, portrait_luma, psnr, renderer, rgb, still
from mouthpiece.face.mesh_face import SHAPES, MeshFace
from mouthpiece.face.moods import MOODS
from mouthpiece.face.pack import read, write
from mouthpiece.media import REST, Look, MouthPose

GOLDEN = Path(__file__).parent.parent / "golden"
OPEN = ("aa", "E", "I", "O", "kk", "DD", "nn", "TH")


def test_is_a_face(mia: MeshFace) -> None:
    face: Face = mia
    drawer: FaceRenderer = face.renderer(Look(face.face_id))
    assert drawer.draw(REST, 0.0).data.shape == (768, 512)


def test_at_rest_the_picture_is_the_portrait(face: MeshFace) -> None:
    assert psnr(luma(still(renderer(face))), portrait_luma(face)) >= 38


def test_the_background_is_bit_identical(face: MeshFace) -> None:
    drawer, away = renderer(face), away_from_person(face)
    first = luma(drawer.draw(REST, 0.0))[away]
    assert away.mean() > 0.2
    for k, pose in enumerate(MOUTHS.values()):
        assert np.array_equal(luma(drawer.draw(pose, 1.7 * k))[away], first)


@pytest.mark.parametrize("jaw", [0.05, 0.16, 0.4, 0.8, 1.0])
def test_closures_close(face: MeshFace, jaw: float) -> None:
    for extra in ({}, {"press": 0.75}, {"stretch": 0.3, "smile": 0.3}, {"pucker": 0.5}):
        pose = MouthPose(jaw_open=jaw, mouth_close=jaw, **extra)
        assert face.lip_gap(pose) < 0.3


def test_the_drawn_lip_gap_is_the_measured_one(face: MeshFace) -> None:
    drawer = renderer(face)
    for pose in MOUTHS.values():
        still(drawer, pose)
        assert drawer.lip_gap() == pytest.approx(face.lip_gap(pose), abs=0.01)


def test_open_visemes_are_open(face: MeshFace) -> None:
    gaps = {name: face.lip_gap(pose) for name, pose in MOUTHS.items()}
    assert gaps["sil"] < 0.1
    assert all(gaps[name] > 2.0 for name in OPEN), gaps
    assert gaps["aa"] > gaps["E"] > gaps["I"]
    assert gaps["aa"] > 8


def test_an_open_mouth_tapers_to_its_corners(face: MeshFace) -> None:
    """A lens, and not a box with dark wedges at its ends."""
    drawer = renderer(face)
    still(drawer, MOUTHS["aa"])
    points, lips = drawer._work.points, face.pack.rig.lips
    gap = points[lips[1], 1] - points[lips[0], 1]
    assert gap[[2, -3]].mean() < 0.45 * gap[10]
    assert (np.diff(gap[:11]) > -0.3).all(), "it widens all the way to the middle"


def test_a_blink_covers_the_eyes(face: MeshFace) -> None:
    drawer = renderer(face)
    x, y = face.pack.landmarks[468, :2].astype(int)
    box = slice(y - 3, y + 4), slice(x - 4, x + 5)
    opened, shut = luma(still(drawer))[box], luma(still(drawer, blink_r=1.0, blink_l=1.0))[box]
    skin = luma(still(drawer))[tuple(slice(int(v) - 3, int(v) + 4) for v in face.pack.landmarks[50, 1::-1])].mean()
    assert opened.min() < 45  # the pupil
    assert shut.min() > opened.min() + 20
    assert abs(np.median(shut) - skin) < 45


def test_pictures_are_pure_in_pose_and_time(face: MeshFace) -> None:
    look = Look(face.face_id, seed=5)
    one, two = face.renderer(look), face.renderer(look)
    moments = [(MOUTHS["aa"], 3.2), (REST, 10_800.04), (MOUTHS["U"], 0.0), (MOUTHS["TH"], 77.7)]
    first = [one.draw(pose, t).data.copy() for pose, t in moments]
    for (pose, t), picture in reversed(list(zip(moments, first, strict=True))):
        assert np.array_equal(two.draw(pose, t).data, picture)


def test_seed_and_start_frame(mia: MeshFace) -> None:
    base = mia.renderer(Look(mia.face_id, seed=1)).draw(REST, 4.0).data
    shifted = mia.renderer(Look(mia.face_id, seed=1, start_frame=50)).draw(REST, 2.0).data
    other = mia.renderer(Look(mia.face_id, seed=2)).draw(REST, 4.0).data
    assert np.array_equal(base, shifted)
    assert not np.array_equal(base, other)


def test_moods_show_and_unknown_ones_are_refused(mia: MeshFace) -> None:
    pictures = [mia.renderer(Look(mia.face_id, emotion=name)).draw(REST, 0.0).data.tobytes() for name in MOODS]
    assert len(set(pictures)) == len(MOODS)
    with pytest.raises(InvalidEmotion):
        mia.renderer(Look(mia.face_id, emotion="smug"))


@pytest.mark.parametrize(
    "size", [(512, 512), (1280, 720), (720, 1280), (768, 768), (256, 256), (1080, 1920), (514, 386)]
)
def test_sizes(mia: MeshFace, size: tuple[int, int]) -> None:
    width, height = size
    picture = renderer(mia, width, height).draw(MOUTHS["aa"], 1.0)
    assert (picture.width, picture.height) == size
    assert picture.data.flags.c_contiguous
    luminance = luma(picture)
    assert (np.diff(luminance[:: max(1, height // 64)], axis=1) != 0).any(1).all()  # no flat bars
    assert (np.diff(luminance[:, :: max(1, width // 64)], axis=0) != 0).any(0).all()  # no smeared rows


@pytest.mark.parametrize("size", [(511, 512), (512, 511), (16, 16)])
def test_odd_sizes_are_refused(mia: MeshFace, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="even"):
        renderer(mia, *size)


def test_lively_while_blinking(mia: MeshFace) -> None:
    look = Look(mia.face_id, seed=3)
    share = np.mean([mia.lively(look, k / 25) for k in range(25 * 120)])
    assert 0.03 < share < 0.25


def test_packs_survive_a_round_trip(face: MeshFace) -> None:
    again = read(write(face.pack))
    assert again.face_id == face.face_id
    assert np.abs(again.rig.base - face.pack.rig.base).max() == 0
    assert len(again.rig.basis) == len(SHAPES)
    with pytest.raises(BadInput, match="not a face pack"):
        read(b"PK not really")


def mouth_box(face: MeshFace) -> tuple[slice, slice]:
    x0, x1 = face.pack.landmarks[[78, 308], 0]
    y = face.pack.landmarks[13, 1]
    return slice(int(y) - 10, int(y) + 30), slice(int(x0), int(x1))


def test_teeth_show_in_open_vowels(face: MeshFace) -> None:
    """In the middle of the opening there is something bright and nothing black."""
    drawer = renderer(face)
    for name in ("aa", "E", "I"):
        picture = luma(still(drawer, MOUTHS[name]))
        points, lips = drawer._work.pos, face.pack.rig.lips
        top, bottom = points[lips[0], 1][8:13].mean(), points[lips[1], 1][8:13].mean()
        x = int(points[lips[0, 10], 0])
        inside = picture[int(top) + 1 : int(bottom), x - 8 : x + 9]
        assert inside.max() > 165, name
        assert inside.min() > 24, name  # 16 is black
        assert (inside > 130).mean() > (0.12 if name == "aa" else 0.25), name


def inside(face: MeshFace, name: str) -> NDArray[np.float64]:
    """Luma of what is seen between the lips, but for two pixels below and above their edges."""
    drawer = renderer(face)
    picture = luma(still(drawer, MOUTHS[name]))
    points, lips = drawer._work.pos, face.pack.rig.lips
    up, low = points[lips[0]], points[lips[1]]
    columns = np.arange(int(up[2, 0]) + 1, int(up[-3, 0]))
    top, bottom = np.interp(columns, *up.T), np.interp(columns, *low.T)
    parts = [picture[int(a) + 2 : int(b) - 1, x] for x, a, b in zip(columns, top, bottom, strict=True)]
    return np.concatenate([part for part in parts if len(part)])


def test_an_open_mouth_is_no_black_hole(face: MeshFace) -> None:
    """Tongue and teeth fill it, to the sides too."""
    assert (inside(face, "aa") < 60).mean() < 0.12


def test_the_tongue_shows(face: MeshFace) -> None:
    drawer, box = renderer(face), mouth_box(face)
    for name in ("TH", "DD", "nn"):
        pose = MOUTHS[name]
        without = MouthPose(
            jaw_open=pose.jaw_open, stretch=pose.stretch, upper_up=pose.upper_up, lower_down=pose.lower_down
        )
        a, b = luma(still(drawer, pose))[box], luma(still(drawer, without))[box]
        assert (np.abs(a - b) > 8).sum() > 15


def test_golden_picture(face: MeshFace) -> None:
    """One speaking moment looks as it did when it was approved (compared small, so that rounding may differ)."""
    picture = face.renderer(Look(face.face_id, seed=7)).draw(MOUTHS["E"], 12.34)
    small = rgb(picture).reshape(64, 8, 64, 8, 3).mean((1, 3))
    alias = next(shipped.alias for shipped in SHIPPED if shipped.face_id == face.face_id)
    golden = np.array(Image.open(GOLDEN / f"face-{alias}.png").convert("RGB"), float)
    assert psnr(small, golden) > 40
    assert np.abs(small - golden).max() < 24


def test_nothing_stays_from_the_picture_before(face: MeshFace) -> None:
    """Rows are cleared and converted only where they were drawn on: a far move must leave no trace."""
    drawer = renderer(face)
    first = still(drawer, MOUTHS["aa"]).data.copy()
    far = still(drawer, MOUTHS["O"], yaw=0.14, x=60.0, y=-40.0).data.copy()
    assert np.array_equal(still(drawer, MOUTHS["aa"]).data, first)
    assert np.array_equal(still(renderer(face), MOUTHS["O"], yaw=0.14, x=60.0, y=-40.0).data, far)
