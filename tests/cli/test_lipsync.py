"""``mouthpiece lipsync`` on a file, in each of its forms."""

from __future__ import annotations

import json
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mouthpiece.cli.main import app
from mouthpiece.lipsync.visemes import VISEMES
from mouthpiece.media import SAMPLE_RATE

SECONDS = 1.5


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of silence, then a buzz."""
    path = tmp_path_factory.mktemp("lipsync") / "buzz.wav"
    n = int(SECONDS * SAMPLE_RATE)
    buzz = 6_000 * np.sign(np.sin(np.arange(n) / SAMPLE_RATE * 2 * np.pi * 140)) * (np.arange(n) > SAMPLE_RATE / 2)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, n, "NONE", ""))
        file.writeframes(buzz.astype("<i2").tobytes())
    return path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["lipsync", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("flags", [(), ("--json", "--live"), ("--json", "--text", "hello there")])
def test_json_has_every_frame(sound: Path, flags: tuple[str, ...]) -> None:
    told = json.loads(run(str(sound), *flags))
    frames = told["frames"]
    assert told["visemes"] == list(VISEMES)
    assert [f["time"] for f in frames] == pytest.approx([n / 100 for n in range(int(SECONDS * 100))])
    for frame in frames:
        assert sum(frame["visemes"]) == pytest.approx(1, abs=0.01)
        assert len(frame["visemes"]) == len(VISEMES)
        assert {"jaw", "lip_gap", "width", "rounding", "closure"} < frame.keys()
    assert all(f["lip_gap"] == 0 for f in frames[:30])
    assert "--text" in flags or max(f["lip_gap"] for f in frames) > 0


def test_rhubarb_cues_cover_the_sound_without_gaps(sound: Path) -> None:
    told = json.loads(run(str(sound), "--rhubarb"))
    cues = told["mouthCues"]
    assert told["metadata"]["duration"] == SECONDS
    assert cues[0]["start"] == 0
    assert cues[0]["value"] == "X"
    assert cues[-1]["end"] == SECONDS
    assert all(a["end"] == b["start"] and a["value"] != b["value"] for a, b in pairwise(cues))
    assert {c["value"] for c in cues} <= set("ABCDEFGHX")


def test_tsv_says_the_same_in_lines(sound: Path, tmp_path: Path) -> None:
    out = tmp_path / "cues.tsv"
    assert run(str(sound), "--tsv", "--out", str(out)) == ""
    lines = [line.split("\t") for line in out.read_text().splitlines()]
    cues = json.loads(run(str(sound), "--rhubarb"))["mouthCues"]
    assert [shape for _, shape in lines[:-1]] == [c["value"] for c in cues]
    assert lines[-1] == [f"{SECONDS:.2f}", "X"]


def test_two_forms_at_once_are_refused(sound: Path) -> None:
    result = CliRunner().invoke(app, ["lipsync", str(sound), "--json", "--tsv"])
    assert result.exit_code == 2


def test_what_is_no_sound_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("this is no sound")
    result = CliRunner().invoke(app, ["lipsync", str(path)])
    assert result.exit_code != 0
    assert "convert it first" in result.stderr


def test_a_wav_of_another_rate_tells_the_same_mouth(sound: Path, tmp_path: Path) -> None:
    """Sound as we need it is read at once, any other is decoded first."""
    with wave.open(str(sound)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as file:
        file.setparams((2, 2, SAMPLE_RATE, len(pcm), "NONE", ""))
        file.writeframes(np.repeat(pcm, 2).astype("<i2").tobytes())
    plain, decoded = (json.loads(run(str(path)))["frames"] for path in (sound, tmp_path / "stereo.wav"))
    assert len(plain) == len(decoded)
    assert np.array([f["lip_gap"] for f in plain]) == pytest.approx(np.array([f["lip_gap"] for f in decoded]), abs=0.05)


def test_a_wav_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
    result = CliRunner().invoke(app, ["lipsync", str(path)])
    assert result.exit_code != 0
    assert "no sound" in result.stderr
