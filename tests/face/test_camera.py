"""The camera: exact in the plane, held within what a portrait shows; and pictures behind and before the face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.face.camera import ORBIT_YAW, STRAIGHT, Camera, between, camera_of, orbit, view
from mouthpiece.face.inspection import luma, rgb
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.scenery import Scenery, covering
from mouthpiece.media import REST, Look

angles = st.floats(-180, 180)
cameras = st.builds(Camera, *[st.floats(-10, 10)] * 2, st.floats(-5, 5), angles, angles, angles, st.floats(0.01, 4))


def seen(camera: Camera, x: float, y: float, position: tuple[float, float] = (0.5, 1.0)) -> tuple[float, float]:
    v = view(camera, position, 600, 400)
    return v[0] * x + v[1] * y + v[2], v[3] * x + v[4] * y + v[5]


def test_its_own_framing_changes_nothing() -> None:
    assert view(STRAIGHT, (0.5, 1.0), 600, 400) == (1, 0, 0, 0, 1, 0)
    assert camera_of(()) == STRAIGHT


def test_position_zoom_and_roll_are_exact() -> None:
    assert seen(Camera(zoom=2), 300, 100) == (300, 0)
    assert seen(Camera(pos_x=0.1, pos_y=0.5), 300, 200) == (330, 300)
    assert seen(Camera(pos_z=1.5), 320, 200) == (310, 200)
    assert seen(Camera(rot_z=90), 300, 100) == pytest.approx((200, 200))
    assert seen(STRAIGHT, 300, 400, (0.0, 0.5)) == (0, 200)


@given(cameras)
def test_every_camera_is_a_similarity_and_finite(camera: Camera) -> None:
    v = view(camera, (0.5, 1.0), 600, 400)
    assert np.isfinite(v).all()
    assert v[0] == v[4]
    assert v[1] == -v[3]
    assert 0.049 < np.hypot(v[0], v[3]) < 8.01


def test_orbit_is_held() -> None:
    assert orbit(Camera(orbit_y=5))[0] == pytest.approx(np.radians(5))
    assert orbit(Camera(orbit_y=-170))[0] == pytest.approx(-np.radians(ORBIT_YAW))


def test_on_the_way() -> None:
    end = Camera(pos_x=4, zoom=4)
    assert between(STRAIGHT, end, 0.0) == STRAIGHT
    assert between(STRAIGHT, end, 1.0) == end
    half = between(STRAIGHT, end, 0.5)
    assert half.pos_x == pytest.approx(2)
    assert half.zoom == pytest.approx(2)


def face_box(picture: np.ndarray, still: np.ndarray) -> tuple[int, ...]:
    ys, xs = np.nonzero(np.abs(picture - still) > 40)
    return int(ys.min()), int(ys.max()), int(xs.min()), int(xs.max())


def test_the_camera_moves_the_person_and_not_the_background(mia: MeshFace) -> None:
    look = Look("mia")
    behind = luma(mia.renderer(Look("mia", camera=Camera(pos_x=10).values())).draw(REST, 0.4))
    plain = face_box(luma(mia.renderer(look).draw(REST, 0.4)), behind)
    far = face_box(luma(mia.renderer(Look("mia", camera=Camera(zoom=0.5).values())).draw(REST, 0.4)), behind)
    assert far[1] - far[0] == pytest.approx((plain[1] - plain[0]) / 2, abs=6)
    moved = mia.renderer(look)
    moved.draw(REST, 0.0)
    moved.aim(Camera(pos_x=10))
    assert np.array_equal(luma(moved.draw(REST, 0.4)), behind)  # nothing of it is left where it was
    moved.aim(STRAIGHT)
    assert np.array_equal(luma(moved.draw(REST, 0.4)), luma(mia.renderer(look).draw(REST, 0.4)))


def test_two_renderers_of_one_canvas_have_cameras_of_their_own(mia: MeshFace) -> None:
    one, two = mia.renderer(Look("mia")), mia.renderer(Look("mia"))
    before = luma(two.draw(REST, 0.4))
    one.aim(Camera(zoom=3))
    one.draw(REST, 0.4)
    assert np.array_equal(luma(two.draw(REST, 0.4)), before)


def test_a_background_behind_and_a_foreground_before(mia: MeshFace) -> None:
    green = np.zeros((64, 64, 3), np.uint8)
    green[..., 1] = 200
    bar = np.zeros((64, 64, 4), np.uint8)
    bar[48:56] = (250, 30, 20, 255)
    bar[8:12] = (250, 30, 20, 128)
    drawer = mia.renderer(Look("mia"), Scenery(green, bar))
    for seconds in (0.0, 0.4, 0.8):
        shown = rgb(drawer.draw(REST, seconds)).astype(int)
    assert shown[140, 10, 1] - shown[140, 10, 0] > 120  # green beside the head
    assert shown[416, 256, 0] - shown[416, 256, 1] > 150  # red over the chest
    assert shown[416, 4, 0] - shown[416, 4, 1] > 150
    half = shown[80, 4]
    assert 70 < half[0] < 180  # half red over green, and not more with every picture
    assert 70 < half[1] < 180
    face = rgb(mia.renderer(Look("mia")).draw(REST, 0.8)).astype(int)
    x, y = mia.pack.landmarks[4, :2].astype(int)
    assert np.abs(shown[y - 20 : y + 20, x - 20 : x + 20] - face[y - 20 : y + 20, x - 20 : x + 20]).max() < 4


def test_a_picture_covers_any_canvas() -> None:
    wide = np.zeros((90, 160, 3), np.uint8)
    wide[:, 80:] = 255
    tall = covering(wide, 90, 160)
    assert tall.shape == (160, 90, 3)
    assert tall[:, :40].max() < 40
    assert tall[:, 50:].min() > 215


def test_wide_and_upright_canvases_with_everything_on(mia: MeshFace) -> None:
    scenery = Scenery(np.full((512, 512, 3), 90, np.uint8), np.zeros((512, 512, 4), np.uint8))
    for width, height in ((1280, 720), (720, 1280)):
        look = Look("mia", width=width, height=height, position=(0.3, 0.9), camera=Camera(zoom=1.3, rot_z=12).values())
        assert mia.renderer(look, scenery).draw(REST, 1.0).data.shape == (height * 3 // 2, width)
