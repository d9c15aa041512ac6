"""``mouthpiece face`` and ``mouthpiece setup``, as a person and as a script would use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.portraits import picture
from typer.testing import CliRunner, Result

from mouthpiece.cli.main import app

pytestmark = pytest.mark.timeout(600)  # faces are made at low priority: minutes, where others need the cores


def run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(app, list(words), env=dict(environ))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    image, points = picture()
    (tmp_path / "me.jpg").write_bytes(image)
    (tmp_path / "me.json").write_text(points)
    return str(tmp_path / "data")


def test_a_face_is_made_listed_and_removed(data: str) -> None:
    made = run("face", "add", "me.jpg", "--name", "Me", "--landmarks", "me.json", "--data", data)
    assert made.exit_code == 0, made.stderr
    face_id = made.stdout.strip()
    assert len(face_id) == 36
    assert "API key was made" in made.stderr
    assert f"{face_id}  Me  ready" in run("face", "list", "--data", data).stdout
    for named in ("Me", face_id):
        film = ("render", "--text", "Hi.", "--face", named, "--size", "128x128", "-o", "me.mp4")
        done = run(*film, "--data", data)
        assert done.exit_code == 0, done.stderr
        assert Path("me.mp4").read_bytes()[4:8] == b"ftyp"
    missing = run(*film, "--face", "You", "--data", data)
    assert missing.exit_code == 2
    assert "no face You: give one of mia, noah" in missing.stderr
    assert "Me" in missing.stderr
    elsewhere = run(*film, "--data", "nowhere")
    assert "name the server's folder with --data" in elsewhere.stderr
    assert not Path("nowhere").exists()
    kept = Path(data) / "blobs" / "faces" / face_id
    assert sorted(path.name.split("-")[0] for path in kept.iterdir()) == ["pack", "source"]
    removed = run("face", "remove", "Me", "--data", data)
    assert (removed.exit_code, removed.stdout) == (0, "")
    assert not kept.exists()
    assert "no faces yet" in run("face", "list", "--data", data).stderr
    again = run("face", "remove", "Me", "--data", data)
    assert again.exit_code == 2
    assert "face list" in again.stderr


def test_what_is_wrong_is_said_in_one_line(data: str) -> None:
    Path("no.jpg").write_text("no picture")
    for words, says in (
        (("face", "add", "no.jpg"), "not a JPEG"),
        (("face", "add", "me.jpg"), "setup faces"),
        (("setup", "faces"), "setup faces"),
    ):
        failed = run(*words, "--data", data, MOUTHPIECE_FACES_LANDMARKER="/no/such/program")
        assert failed.exit_code == 2
        lines = [line for line in failed.stderr.splitlines() if line.startswith("mouthpiece: ")]
        assert len(lines) == 1
        assert says in lines[0]
