"""Points by hand: one handle moves what it should and leaves the others, and points that are no face are refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.portraits import drawn

from mouthpiece.errors import BadInput
from mouthpiece.face import topology as topo
from mouthpiece.face.handles import ANCHORS, LINES, anchors, check_points, handles, template


def test_a_handle_moves_itself_wholly_and_no_other() -> None:
    single = [each for each in handles() if not each.whole]
    weights = np.array([[each.moves[other.point] for other in single] for each in single])
    assert np.allclose(weights, np.eye(len(single)), atol=1e-9)
    placing = np.array([[each.moves[point] for point in ANCHORS] for each in anchors()])
    assert np.allclose(placing, np.eye(len(ANCHORS)), atol=1e-9)


def test_points_follow_smoothly_and_only_nearby() -> None:
    moves = {each.point: each.moves for each in handles()}
    row = moves[13][list(topo.UPPER_INNER)]
    assert (np.diff(row[:6]) > -0.05).all()
    assert (np.diff(row[5:]) < 0.05).all()
    for each in handles():
        assert -0.3 < each.moves.min() <= each.moves.max() < 1.2, each.name
    eye = [each for each in handles() if each.group == "left eye"]
    assert all(np.abs(each.moves[list(topo.UPPER_OUTER)]).max() < 0.01 for each in eye)


def test_a_shut_mouth_can_be_opened() -> None:
    moves = {each.point: each.moves for each in handles()}
    inner = [point for point in topo.LOWER_INNER if point not in topo.UPPER_INNER]
    assert np.abs(moves[13][inner]).max() < 0.1
    assert moves[14][14] == pytest.approx(1)


def test_a_whole_feature_moves_as_one_and_an_iris_stays_round() -> None:
    for each in handles():
        if each.whole:
            rows = {point for row in LINES[each.group] for point in row if point < topo.SURFACE_POINTS}
            assert np.allclose(each.moves[sorted(rows)], 1), each.group
    together = np.sum([each.moves for each in handles() if each.group == "mouth" and not each.whole], 0)
    assert np.allclose(together[list(topo.LOWER_1)], 1)
    iris = next(each for each in handles() if each.point == topo.IRIS_RIGHT)
    assert sorted(np.flatnonzero(iris.moves)) == list(range(topo.IRIS_RIGHT, topo.IRIS_RIGHT + 5))


def test_the_template_and_drawn_faces_are_faces() -> None:
    assert template().shape == (478, 3)
    assert (template()[:, :2] > 0.2).all()
    assert (template()[:, :2] < 0.8).all()
    check_points(template() * 1024, 1024)
    for alias in ("mia", "noah", "ada"):
        check_points(drawn(alias)[1], 1024)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p[:400], "478 points"),
        (lambda p: p * np.nan, "478 points"),
        (lambda p: p - 2000, "outside"),
        (lambda p: p + 2000, "outside"),
        (lambda p: p * [-1, 1, 1] + [1024, 0, 0], "eyes are swapped"),
        (lambda p: p * [1, -1, 1] + [0, 1024, 0], "mouth is above the eyes"),
        (lambda p: _with(p, 152, p[0]), "chin is above"),
        (lambda p: _with(p, 10, p[0]), "hairline is below"),
        (lambda p: _with(p, 17, p[0] - [0, 20, 0]), "lower lip is above"),
        (lambda p: _with(p, 145, p[159] - [0, 20, 0]), "lower lid"),
    ],
)
def test_points_that_are_no_face(change: object, words: str) -> None:
    assert callable(change)
    with pytest.raises(BadInput, match=words):
        check_points(change(drawn()[1].copy()), 1024)


def _with(points: np.ndarray, index: int, value: np.ndarray) -> np.ndarray:
    points = points.copy()
    points[index] = value
    return points
