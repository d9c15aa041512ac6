"""From a picture to a portrait, with a looker that knows where the face is; and every way in which that fails."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support.portraits import drawn

from mouthpiece.errors import (
    BadInput,
    FaceTooSmall,
    FaceTurnedAway,
    FaceUpsideDown,
    NoFaceFound,
    SeveralFaces,
)
from mouthpiece.face import topology as topo
from mouthpiece.face.cutout import guessed, refined
from mouthpiece.face.pack import resized
from mouthpiece.face.portrait import TEXTURE, build
from mouthpiece.face.source import Portrait, portrait_png, read_source, write_source
from mouthpiece.face.study import Picture, Sighted, Sighting, _mirror_order, angles, mirror_score, study

Points = NDArray[np.float64]


@dataclass
class Knowing:
    """Answers the first look with ``first``, all later ones with ``later``; notes what it was asked."""

    first: list[Points]
    later: list[Points] = field(default_factory=list)
    mirrored: Points | None = None
    matte: NDArray[np.floating] | None = None
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def look(self, image: NDArray[np.uint8], *, mirror: bool = False, matte: bool = False) -> Sighting:
        self.asked.append(image.shape)
        found = self.first if len(self.asked) == 1 else self.later
        return Sighting([Sighted(points, self.mirrored if mirror else None) for points in found], self.matte)


def placed(scale: float, left: int, top: int, width: int, height: int) -> tuple[NDArray[np.uint8], Points]:
    """Mia, so many times larger, somewhere in a grey picture."""
    rgb, points = drawn()
    side = round(TEXTURE * scale)
    picture = np.full((height, width, 3), 170, np.uint8)
    picture[top : top + side, left : left + side] = resized(rgb, side, side)
    return picture, points * scale + [left, top, 0]


def true_matte() -> NDArray[np.float32]:
    from mouthpiece.face import catalog

    return (catalog.load("mia").pack.matte / 255).astype(np.float32)


def seen(points: Points) -> Points:
    """The same points as the mirror image gives them, already turned back."""
    order = np.argsort(_mirror_order())
    return np.asarray(points[order])


def test_a_portrait_is_cut_from_a_large_picture_and_looked_at_again() -> None:
    rgb, points = placed(0.5, 300, 100, 1400, 900)
    again = drawn()[1]
    looker = Knowing([points], [again], seen(again), true_matte())
    told: list[float] = []
    portrait = study(Picture(rgb), looker, lambda progress, stage: told.append(progress))
    assert looker.asked[0] == (900, 1400, 3)
    assert looker.asked[1] == (TEXTURE, TEXTURE, 3)
    assert portrait.rgb.shape == (TEXTURE, TEXTURE, 3)
    assert portrait.matte.shape == (TEXTURE, TEXTURE)
    assert portrait.warnings == ()
    assert np.array_equal(portrait.landmarks, again)
    assert told == sorted(told)
    assert dict(portrait.measures)["mirror"] < 0.001


def test_own_landmarks_need_no_looker_and_make_a_whole_face() -> None:
    rgb, points = drawn()
    portrait = study(Picture(rgb, landmarks=points), None)
    face = build(portrait.rgb, portrait.landmarks, portrait.matte, face_id="x", name="me")
    assert face.landmarks.shape == (478, 3)
    inside = true_matte() > 0.9
    assert portrait.matte[inside].mean() > 0.9
    assert portrait.matte[~(true_matte() > 0.02)].mean() < 0.12


def test_a_tilted_face_is_set_upright() -> None:
    rgb, points = drawn()
    from mouthpiece.face.imaging import turned

    centre = (512.0, 512.0)
    turn = np.radians(25)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    leaning = points.copy()
    leaning[:, :2] = (points[:, :2] - centre) @ matrix.T + centre
    picture = turned(rgb, -25, centre).round().clip(0, 255).astype(np.uint8)
    assert angles(leaning)[2] == pytest.approx(25, abs=0.5)
    portrait = study(Picture(picture, landmarks=leaning), None)
    assert abs(angles(portrait.landmarks)[2]) < 0.5


def test_nobody() -> None:
    with pytest.raises(NoFaceFound, match="front"):
        study(Picture(np.zeros((300, 300, 3), np.uint8)), Knowing([]))


def test_a_picture_on_its_side() -> None:
    rgb, points = drawn()
    with pytest.raises(FaceUpsideDown, match="90 degrees"):
        study(Picture(rgb), Knowing([], [points]))
    lying = points.copy()
    lying[:, :2] = points[:, 1::-1] * [1, -1] + [0, TEXTURE]
    with pytest.raises(FaceUpsideDown, match="turn the picture upright"):
        study(Picture(rgb, landmarks=lying), None)


def test_a_picture_on_its_head() -> None:
    """It is found, with points that its mirror image does not confirm; the other way round they agree."""
    rgb, points = drawn()

    class Headlong:
        looks = 0

        def look(self, image: NDArray[np.uint8], *, mirror: bool = False, matte: bool = False) -> Sighting:
            self.looks += 1
            wrong = points + np.random.default_rng(3).normal(0, 14, points.shape)
            doubtful = Sighted(wrong, seen(points) if mirror else None)
            return Sighting([doubtful if self.looks < 3 else Sighted(points, seen(points))], true_matte())

    with pytest.raises(FaceUpsideDown, match="180"):
        study(Picture(rgb), Headlong())


def test_several_people() -> None:
    rgb, points = placed(0.5, 0, 0, 1400, 600)
    two = [points, np.add(points, [700, 0, 0])]
    with pytest.raises(SeveralFaces, match="2 faces"):
        study(Picture(rgb), Knowing(two))
    larger = [points, points * 0.5]
    assert study(Picture(rgb), Knowing(larger, [drawn()[1]], seen(drawn()[1]), true_matte())).warnings == ()
    with pytest.raises(BadInput, match="there are 2 faces"):
        study(Picture(rgb, face_index=2), Knowing(two))


def test_small_faces() -> None:
    rgb, points = placed(0.12, 100, 100, 500, 400)
    with pytest.raises(FaceTooSmall, match="and at least 64"):
        study(Picture(rgb, landmarks=points), None)
    rgb, points = placed(0.2, 100, 100, 500, 400)
    assert "look soft" in study(Picture(rgb, landmarks=points), None).warnings[0]


def turned_by(points: Points, degrees: float) -> Points:
    turn = np.radians(degrees)
    middle = points.mean(0)
    matrix = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    return np.asarray((points - middle) @ matrix.T + middle)


def test_faces_that_look_aside() -> None:
    rgb, points = drawn()
    with pytest.raises(FaceTurnedAway, match="more than 35"):
        study(Picture(rgb, landmarks=turned_by(points, 45)), None)
    assert "more frontal" in study(Picture(rgb, landmarks=turned_by(points, 30)), None).warnings[0]


def test_doubtful_points_and_blur_are_said() -> None:
    rgb, points = drawn()
    from mouthpiece.face.imaging import blur

    soft = blur(rgb, 9).round().astype(np.uint8)
    shaken = points + np.random.default_rng(1).normal(0, 12, points.shape)
    looker = Knowing([points], [points], seen(shaken), true_matte())
    warnings = study(Picture(soft), looker).warnings
    assert any("doubtful" in each for each in warnings)
    assert any("blurred" in each for each in warnings)


def test_a_drawing_that_no_network_can_cut_out_moves_as_a_whole() -> None:
    rgb, points = drawn()
    portrait = study(Picture(rgb), Knowing([points], [points], seen(points), np.zeros((64, 64), np.float32)))
    assert portrait.matte.min() == 1.0
    assert "whole picture" in portrait.warnings[-1]
    face = build(portrait.rgb, portrait.landmarks, portrait.matte, face_id="x", name="flat")
    edge = face.rig.base[:, 1] < 20
    assert face.rig.weights[edge, 0].max() < 0.05  # it bends between face and border, and does not tear there


def test_a_transparent_picture_brings_its_own_matte() -> None:
    rgb, points = drawn()
    alpha = (true_matte() * 255).round().astype(np.uint8)
    portrait = study(Picture(rgb, alpha=alpha, landmarks=points), None)
    assert (portrait.matte > 0.5).mean() < 0.9
    corner = portrait.rgb[:40, :40].reshape(-1, 3)
    assert corner.std() < 8  # what was transparent is a quiet grey


def test_a_framed_picture_stays_as_it_is() -> None:
    rgb, points = drawn()
    matte = (true_matte() * 255).round().astype(np.uint8)
    portrait = study(Picture(rgb, landmarks=points, framed=True, matte=matte), None)
    assert np.abs(portrait.rgb.astype(int) - rgb).max() <= 1
    assert np.allclose(portrait.matte, matte / 255, atol=0.01)


@pytest.mark.parametrize(
    "points",
    [np.zeros((468, 3)), np.full((478, 3), np.nan), drawn()[1] + [5000, 0, 0]],
    ids=["468", "nan", "outside"],
)
def test_landmarks_that_do_not_fit(points: Points) -> None:
    with pytest.raises(BadInput, match="landmarks"):
        study(Picture(drawn()[0], landmarks=points), None)


def test_the_mirror_order_is_a_mirror() -> None:
    order = _mirror_order()
    assert np.array_equal(order[order], np.arange(478))
    assert order[33] == 263
    assert order[topo.IRIS_LEFT] == topo.IRIS_RIGHT
    assert order[10] == 10
    assert mirror_score(Sighted(drawn()[1], seen(drawn()[1]))) < 1e-9


def test_a_matte_from_a_rough_one_is_sharp_and_one_from_nothing_is_usable() -> None:
    rgb, points = drawn()
    truth = true_matte()
    rough = resized((truth * 255).astype(np.uint8), 96, 96) / 255
    fine, sure = refined(rgb, rough, points)
    assert sure > 0.99
    wrong = np.abs(fine - truth)
    assert wrong.mean() < 0.02
    blind, sure = guessed(rgb, points)
    assert sure == 1.0
    both = (blind > 0.5) & (truth > 0.5)
    assert both.sum() / ((blind > 0.5) | (truth > 0.5)).sum() > 0.85


def test_a_source_is_read_as_it_was_written() -> None:
    rgb, points = drawn()
    portrait = Portrait(rgb, points, true_matte(), ("soft",), (("yaw", 3.0),))
    data = write_source(portrait)
    again = read_source(data)
    assert np.abs(again.rgb.astype(int) - rgb).mean() < 2.5
    assert np.allclose(again.landmarks, points, atol=0.001)
    assert np.allclose(again.matte, portrait.matte, atol=0.003)
    assert (again.warnings, again.measures) == (("soft",), (("yaw", 3.0),))
    assert portrait_png(data).startswith(b"\x89PNG")
    with pytest.raises(BadInput, match="source"):
        read_source(b"PK nonsense")
