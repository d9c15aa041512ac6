"""Crops: inside the picture where one fits, and no streaks where none does."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.face.characters import CHARACTERS
from mouthpiece.face.crop import Crop, choose_crop, cut
from mouthpiece.face.proportions import landmarks


def face_at(x: float, y: float, tall: float) -> np.ndarray:
    """Landmarks of a face whose mouth is at (x, y), ``tall`` pixels from hairline to chin."""
    points = landmarks(CHARACTERS["mia"].proportions)
    scale = tall / float(np.linalg.norm(points[10, :2] - points[152, :2]))
    return np.asarray(points * scale + [x, y, 0])


@pytest.mark.parametrize(
    ("place", "size"),
    [((500, 500, 300), (1000, 1000)), ((200, 260, 210), (400, 640)), ((330, 250, 180), (800, 420))],
)
def test_a_crop_inside_the_picture_is_preferred(place: tuple[float, float, float], size: tuple[int, int]) -> None:
    crop = choose_crop(face_at(*place), *size)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.side <= size[0]
    assert crop.top + crop.side <= size[1]
    share = place[2] / crop.side
    assert 0.40 < share < 0.64


def test_a_face_in_a_corner_reaches_beyond_rather_than_off_the_canvas() -> None:
    points = face_at(72, 160, 150)
    crop = choose_crop(points, 1000, 1000)
    inside = crop.landmarks(points, 512)
    assert crop.left < 0
    assert inside[:, :2].min() > 0
    assert inside[:468, :2].max() < 512


def test_beyond_the_border_no_row_is_repeated() -> None:
    y, x = np.mgrid[0:200, 0:200]
    wave = 128 + 60 * np.sin(y / 9.0 + 0.4) + 50 * np.sin(x / 3.0)
    picture = np.repeat(wave[..., None], 3, 2).astype(np.float32)
    made = cut(picture, Crop(-40, -30, 300))
    assert made.shape == (300, 300, 3)
    assert np.array_equal(made[30:230, 40:240], picture)
    rows = np.abs(np.diff(made[:30], axis=0)).mean((1, 2))
    assert rows.max() > 2
    assert (rows > 0.1).mean() > 0.9
    assert made[:4, :, 0].std(axis=1).max() < picture[:, :, 0].std(axis=1).min() / 3  # and far outside it is soft


def test_a_crop_much_larger_than_the_picture() -> None:
    made = cut(np.full((20, 30), 7, np.uint8), Crop(-100, -100, 256))
    assert made.shape == (256, 256)
    assert np.allclose(made, 7)
