"""The face bench: real portraits through the real way of making faces, and metrics that notice when a face is bad."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.support.portraits import picture
from typer.testing import CliRunner

from mouthpiece.bench.face_measures import Clip, best_lag, clip_of, measure
from mouthpiece.bench.face_sheets import arranged
from mouthpiece.bench.speech import spoken
from mouthpiece.cli.main import app
from mouthpiece.face import catalog
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.study import Sighted, Sighting
from mouthpiece.media import Look, MouthPose

pytestmark = pytest.mark.timeout(480)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return clip_of(spoken("my mother bought a big boat for the bay"), 40)


class Twin:
    """A looker that sees the lips just as they were drawn, some pictures late."""

    def __init__(self, gaps: list[float], late: int) -> None:
        self.gaps, self.late, self.count = gaps, late, 0

    def look(self, image: np.ndarray[Any, Any], *, mirror: bool = False, matte: bool = False) -> Sighting:
        points = np.zeros((478, 3))
        points[468, 0] = 63.0
        points[14, 1] = self.gaps[max(0, self.count - self.late)]
        self.count += 1
        return Sighting([Sighted(points)])


def test_a_shipped_face_measures_well(clip: Clip) -> None:
    assert len(clip.poses) == 40
    assert len(clip.closures) >= 3, "my, mother, bought, big"
    found = measure(catalog.load("mia"), clip, None)
    assert (found.background, found.shut) == (0.0, len(clip.closures))
    assert found.rest_psnr > 38
    assert found.sharpness_cv < 0.1
    assert found.gap_correlation is None
    assert max(found.gaps) > 2


def test_lips_that_do_not_meet_are_told(clip: Clip) -> None:
    """A mouth that stays ajar closes on nothing."""
    ajar = replace(clip, poses=tuple(MouthPose(jaw_open=0.4) for _ in clip.poses))
    assert measure(catalog.load("mia"), ajar, None).shut == 0


def test_what_moves_where_nobody_is_said_to_be_is_told(clip: Clip) -> None:
    """The face is drawn whole; its right half is said to be background afterwards."""
    pack = catalog.load("mia").pack
    face = MeshFace(pack)
    face.renderer(Look(face.face_id, seed=5))  # what is drawn of a canvas is settled now
    face.pack = replace(pack, matte=np.where(np.arange(pack.matte.shape[1]) < 500, pack.matte, 0).astype(np.uint8))
    found = measure(face, clip, None)
    assert found.background is not None
    assert found.background > 1


def test_a_looker_tells_how_late_the_lips_are(clip: Clip) -> None:
    drawn = measure(catalog.load("mia"), clip, None).gaps
    found = measure(catalog.load("mia"), clip, Twin(drawn, 2))
    assert found.gap_lag == 2
    assert found.gap_correlation == pytest.approx(1.0, abs=1e-6)


def test_a_lag_is_found_and_blindness_admitted() -> None:
    track = np.abs(np.sin(np.arange(60) * 0.7))
    assert best_lag(np.roll(track, 3), track)[1] == 3
    assert best_lag(np.full(60, np.nan), track) == (None, None)


def test_sheets_name_their_cells() -> None:
    cells = {name: np.full((20, 40, 3), level, np.uint8) for name, level in (("a", 60), ("b", 90), ("c", 120))}
    sheet = arranged(cells, 2)
    assert sheet.shape == (2 * 36, 80, 3)
    assert (sheet[16 + 10, 10] == 60).all()
    assert (sheet[36 + 16 + 10, 10] == 120).all()
    assert sheet[:16].max() > 200, "the label"


def test_a_folder_of_portraits(tmp_path: Path) -> None:
    """One good portrait with its landmarks beside it, and a file that is no picture."""
    folder, sheets = tmp_path / "portraits", tmp_path / "sheets"
    folder.mkdir()
    data, points = picture("noah")
    (folder / "good.jpg").write_bytes(data)
    (folder / "good.json").write_text(points)
    (folder / "wrong.png").write_text("hello")
    said = _bench("--portraits", str(folder), "--sheets", str(sheets), "--no-landmarker", "--faces", "mia")
    metrics, speed, portraits = said["reports"]
    assert [report["name"] for report in said["reports"]] == ["face", "face speed", "face portraits"]
    assert [row["face"] for row in metrics["rows"]] == ["mia", "good.jpg"]
    assert all(row["closed"] == row["closures"] for row in metrics["rows"])
    assert all(row["background_change"] == 0 for row in metrics["rows"])
    assert [row["canvas"] for row in speed["rows"]][:3] == ["512x512", "1280x720", "1080x1920"]
    assert all(row["ms_a_picture"] > 0 < row["caches_cold"] for row in speed["rows"])
    good, wrong = portraits["rows"]
    assert (good["verdict"], wrong["verdict"]) == ("taken", "refused")
    assert good["study_and_rig_cpu_s"] > 0
    assert good["landmarker_cpu_s"] == 0
    assert "picture" in wrong["reason"] or "image" in wrong["reason"]
    assert any("1 of 2 accepted" in note for note in portraits["notes"])
    written = sorted(path.name for path in sheets.iterdir())
    kinds = ("idle", "moods", "mouths", "source", "visemes")
    assert written == [f"{name}-{kind}.png" for name in ("good", "mia") for kind in kinds]
    with Image.open(sheets / "good-mouths.png") as sheet:
        assert np.array(sheet).std() > 20


def _bench(*words: str) -> dict[str, Any]:
    words = ("bench", "face", "--pictures", "25", *words, "--json")
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return dict(json.loads(done.stdout))
