"""``mouthpiece render``: files from sound and text, and one clear line for everything that cannot be."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from mouthpiece.cli.main import app
from mouthpiece.media import SAMPLE_RATE


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["render", *map(str, arguments)])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("render") / "hum.wav"
    n = 2 * SAMPLE_RATE
    hum = 8_000 * np.sin(np.arange(n) / SAMPLE_RATE * 2 * np.pi * 150) * (np.arange(n) % 8000 > 2000)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, n, "NONE", ""))
        file.writeframes(hum.astype("<i2").tobytes())
    return path


def pictures(path: Path) -> tuple[int, int, int]:
    """How many, width, height."""
    with av.open(str(path)) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    return len(sizes), *sizes[0]


@pytest.mark.parametrize("words", [(), ("--text", "what is said in it")])
def test_a_sound_becomes_an_mp4(sound: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    out = tmp_path / "it.mp4"
    done = run(sound, "-o", out, "--face", "noah", "--emotion", "happy", "--size", "256x144", "--fps", 30, *words)
    assert done.exit_code == 0, done.stderr
    count, *size = pictures(out)
    assert size == [256, 144]
    assert 60 <= count <= 105
    assert "pictures" in done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["it.mp4"], "nothing half-written stays"


def test_a_text_is_spoken_and_hls_is_written_beside_its_playlist(tmp_path: Path) -> None:
    done = run("--text", "Hello there.", "-o", tmp_path / "hello.m3u8", "--size", "128x128", "--voice", "en-us+f3")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hello.m3u8", "hello00000.ts"]
    assert pictures(tmp_path / "hello.m3u8")[0] > 15


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "there is nothing to render: name a sound file, or give --text"),
        (("--text", "  "), "there is nothing to render"),
        (("--text", "hi", "--face", "bob"), "no face bob: give one of mia, noah, ada"),
        (("--text", "hi", "--emotion", "grumpy"), "no emotion grumpy"),
        (("--text", "hi", "--size", "511x512"), "--size 511x512 is no size: give two even numbers, like 512x512"),
        (("--text", "hi", "--size", "big"), "--size big is no size"),
        (("--text", "hi", "--fps", "24"), "--fps 24 is not possible: give 25 or 30"),
        (("--text", "hi", "--voice", "klingon"), "klingon"),
        (("--text", "hi", "-o", "x.avi"), "x.avi is neither .mp4 nor .m3u8"),
        (("--text", "hi", "-o", "nowhere/x.mp4"), "nowhere does not exist: make it first"),
        ((__file__,), "is neither WAV, MP3 nor Ogg: convert it first"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    out = () if "-o" in flags else ("-o", tmp_path / "x.mp4")
    done = run(*flags, *out)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").mkdir()
    done = run("--text", "hi", "-o", tmp_path / "x.mp4", "--size", "128x128")
    assert done.exit_code == 2
    assert "name another file with -o" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]
