"""Light follows motion, lids follow the gaze, moods are seen, lips part without their seam, teeth are one's own."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.face.imaging import polygon_mask
from mouthpiece.face.inspection import MOUTHS, luma, renderer, still
from mouthpiece.face.interior import arch_uv, palette, teeth_picture
from mouthpiece.face.mesh_face import ROW, SHAPES, MeshFace
from mouthpiece.face.moods import MOODS
from mouthpiece.face.photo_teeth import photographed, tooth_tone
from mouthpiece.face.rig import POSE
from mouthpiece.media import REST, Look


def test_turning_the_head_changes_its_light(face: MeshFace) -> None:
    gain = face.pack.rig.gain
    assert gain.shape == (len(SHAPES) + 2, len(face.pack.rig.base))
    yaw = gain[len(SHAPES) + POSE.yaw]
    left = face.pack.rig.base[:, 0] < face.pack.landmarks[1, 0]
    assert yaw[left].mean() * yaw[~left].mean() < 0  # one cheek darkens as the other brightens
    assert np.abs(gain).max() < 0.5


def test_a_smile_deepens_the_fold_beside_the_nose(face: MeshFace) -> None:
    smile = face.pack.rig.gain[ROW["smile"]]
    assert smile[[206, 426]].max() < -0.02
    assert (face.pack.rig.gain[ROW["blink_r"]][[61, 291]] == 0).all()


def test_lids_follow_the_gaze(mia: MeshFace) -> None:
    drawer = renderer(mia)
    edge = mia.pack.rig.lids[0, 8]
    heights = []
    for down in (-0.3, 0.0, 0.3):
        still(drawer, REST, gaze_y=down, look_down=down)
        heights.append(float(drawer._work.pos[edge, 1]))
    assert heights[0] < heights[1] - 0.3 < heights[2] - 0.6


def test_lips_part_without_the_line_between_them(face: MeshFace) -> None:
    """At rest the contour shows the seam's own texels; open, it shows the lip's from further in."""
    drawer = renderer(face)
    contour = face.pack.rig.loops[5:16]
    still(drawer)
    shut = drawer._work.uv[contour].copy()
    still(drawer, MOUTHS["aa"])
    moved = np.linalg.norm(drawer._work.uv[contour] - shut, axis=1) / drawer._canvas.framing[3] / face.pack.rig.body[6]
    assert 0.3 < np.median(moved) < 1.2  # millimetres
    still(drawer)
    assert np.allclose(drawer._work.uv[contour], shut)


@pytest.mark.parametrize("emotion", [name for name in MOODS if name != "natural"])
def test_a_mood_is_seen(face: MeshFace, emotion: str) -> None:
    plain = luma(face.renderer(Look(face.face_id, seed=3)).draw(REST, 2.0))
    drawn = luma(face.renderer(Look(face.face_id, seed=3, emotion=emotion)).draw(REST, 2.0))
    x, y = face.pack.landmarks[4, :2].astype(int)
    box = slice(y - 75, y + 60), slice(x - 65, x + 65)
    assert np.abs(drawn[box] - plain[box]).mean() > 3


def test_photographed_teeth_keep_their_tone_and_reach_the_drawn_edge() -> None:
    """A portrait with a row of yellow teeth between dark red lips."""
    image = np.full((200, 300, 3), (120, 40, 40), np.float32)
    opening = np.array([[90, 100], [150, 80], [210, 100], [150, 120]], float)
    image[polygon_mask(opening, 200, 300) > 0.5] = (40, 10, 10)
    image[88:106, 120:180] = (220, 205, 150)
    tone = tooth_tone(image, opening)
    assert tone is not None
    assert np.allclose(tone, (220, 205, 150), atol=8)
    assert tooth_tone(np.full((200, 300, 3), 40, np.float32), opening[:, ::-1] * 0.01) is None
    uv = arch_uv(24.0)
    drawn = teeth_picture(palette(np.array([200.0, 150, 130]), 220.0), True)
    places = np.stack([150 + (uv[:, 0] - 160) * 0.5, 65 + uv[:, 1] * 0.42], 1)
    made = photographed(drawn, places, uv, image, opening)
    middle = made[40:80, 150:170]
    assert np.allclose(np.median(middle.reshape(-1, 4)[:, :3], axis=0), (220, 205, 150), atol=25)
    assert np.array_equal(photographed(drawn, places, uv, np.zeros_like(image), opening), drawn)
