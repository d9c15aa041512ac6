"""The landmarker in its own environment, and landmarks that people send."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.portraits import drawn, points_json

from mouthpiece.errors import BadInput, NotConfigured, Unavailable
from mouthpiece.face.study import Picture, study
from mouthpiece.providers.landmarks import Landmarker, find_uv, parse_landmarks


# --- landmarks that people send ------------------------------------------------------------------------------------
def test_landmarks_in_every_form_that_tools_write() -> None:
    points = drawn()[1]
    plain = parse_landmarks(points_json(points), 1024, 1024)
    assert np.allclose(plain, points, atol=0.001)
    shares = points / 1024
    objects = json.dumps({"landmarks": [{"x": x, "y": y, "z": z} for x, y, z in shares.tolist()]})
    assert np.allclose(parse_landmarks(objects, 1024, 1024), points, atol=0.001)


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '[["a"]]', '{"landmarks": null}', "[" * 100_000])
def test_landmarks_that_are_none(text: str) -> None:
    with pytest.raises(BadInput, match="landmarks"):
        parse_landmarks(text, 100, 100)


def test_too_few_landmarks() -> None:
    with pytest.raises(BadInput, match="478 points"):
        parse_landmarks(json.dumps([[0, 0, 0]] * 468), 100, 100)


# --- the script ----------------------------------------------------------------------------------------------------
def twin(folder: Path, answer: str) -> tuple[str, ...]:
    """A program that speaks the script's lines."""
    path = folder / "twin.py"
    path.write_text(f"import sys\nprint('ready', flush=True)\nfor line in sys.stdin:\n    {answer}\n")
    return (sys.executable, str(path))


def test_another_program_may_stand_in(tmp_path: Path) -> None:
    face = {"score": 0.9, "landmarks": drawn()[1].tolist()}
    (tmp_path / "answer.json").write_text(json.dumps({"faces": [face]}))
    looker = Landmarker(twin(tmp_path, f"print(open({str(tmp_path / 'answer.json')!r}).read(), flush=True)"))
    for _ in range(2):
        seen = looker.look(np.zeros((8, 8, 3), np.uint8))
        assert np.allclose(seen.faces[0].landmarks, drawn()[1])
    looker.close()
    looker.close()


def test_a_landmarker_that_dies(tmp_path: Path) -> None:
    looker = Landmarker(twin(tmp_path, "sys.exit(3)"))
    with pytest.raises(Unavailable, match="setup faces"):
        looker.look(np.zeros((8, 8, 3), np.uint8))


def test_a_program_that_is_not_there() -> None:
    looker = Landmarker(("/no/such/program",))
    with pytest.raises(NotConfigured, match="mouthpiece setup faces"):
        looker.prepare()
    looker.close()


def test_without_a_cache_and_without_an_index_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    said: list[str] = []
    looker = Landmarker(say=said.append)
    with pytest.raises(NotConfigured, match=r"mouthpiece setup faces.*uv says"):
        looker.prepare()
    looker.close()
    assert "preparing" in said[0]


def test_uv_is_found() -> None:
    assert os.access(find_uv(), os.X_OK)


# --- the real one --------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def real() -> Iterator[Landmarker]:
    """The landmarker itself, where its environment can be made."""
    looker = Landmarker()
    try:
        looker.prepare()
    except NotConfigured as fault:
        looker.close()
        pytest.skip(f"the landmarker cannot be prepared here: {fault}")
    yield looker
    looker.close()


@pytest.mark.timeout(300)
def test_it_finds_our_drawn_faces(real: Landmarker) -> None:
    rgb, truth = drawn()
    portrait = study(Picture(rgb), real)
    marks = [13, 14, 61, 291, 33, 263, 133, 362]
    found, known = (points[marks, :2] - points[marks, :2].mean(0) for points in (portrait.landmarks, truth))
    found *= np.linalg.norm(known) / np.linalg.norm(found)
    apart = np.linalg.norm(truth[473] - truth[468])
    assert np.linalg.norm(found - known, axis=1).mean() / apart < 0.06
    assert dict(portrait.measures)["mirror"] < 0.035
    assert portrait.matte[:60, :60].max() < 0.1


@pytest.mark.timeout(300)
def test_portraits_at_hand(real: Landmarker) -> None:
    folder = os.environ.get("MOUTHPIECE_TEST_DATA")
    if folder is None:
        pytest.skip("MOUTHPIECE_TEST_DATA names no folder with portraits")
    from PIL import Image

    accepted = []
    for path in sorted((Path(folder) / "data" / "portraits").glob("*.*")):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        if "two_people" not in path.name:
            accepted.append(study(Picture(rgb), real).landmarks.shape == (478, 3))
    assert len(accepted) >= 9
    assert all(accepted)
