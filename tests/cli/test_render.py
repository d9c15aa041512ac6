"""``mouthpiece render``: files from sound and text, and one clear line for everything that cannot be."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tests.support.films import OPAQUE, first_planes
from tests.support.networks import wav2lip_file
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


def test_a_transparent_webm_carries_its_opacity(tmp_path: Path) -> None:
    done = run("--text", "Hi.", "-o", tmp_path / "it.webm", "--size", "128x128", "--transparent")
    assert done.exit_code == 0, done.stderr
    planes = first_planes(tmp_path / "it.webm", OPAQUE)
    assert len(planes) == 4
    assert planes[3][:6].max() < 16
    assert planes[3][60:70, 60:70].min() > 240
    assert [path.name for path in tmp_path.iterdir()] == ["it.webm"]


def test_a_transparent_mp4_is_twice_as_wide(tmp_path: Path) -> None:
    done = run("--text", "Hi.", "-o", tmp_path / "it.mp4", "--size", "128x128", "--transparent")
    assert done.exit_code == 0, done.stderr
    luma = first_planes(tmp_path / "it.mp4")[0]
    assert luma.shape == (128, 256)
    assert luma[:6, 140:].max() < 30
    assert luma[60:70, 188:198].min() > 225


def test_pictures_behind_and_before_the_face(tmp_path: Path) -> None:
    Image.new("RGB", (600, 600), "white").save(tmp_path / "white.jpg")
    bar = Image.new("RGBA", (512, 512))
    bar.paste((0, 0, 0, 255), (0, 470, 512, 512))
    bar.save(tmp_path / "bar.png")
    around = ("--background", tmp_path / "white.jpg", "--foreground", tmp_path / "bar.png")
    done = run("--text", "Hi.", "-o", tmp_path / "it.mp4", "--size", "128x128", *around)
    assert done.exit_code == 0, done.stderr
    luma = first_planes(tmp_path / "it.mp4")[0]
    assert luma[:40, :12].min() > 220
    assert luma[122:].max() < 30


def test_an_engine_draws_the_mouth_or_it_is_said_why_not(tmp_path: Path) -> None:
    (tmp_path / "random.onnx").write_bytes(wav2lip_file())
    said, mouths = {}, {}
    for name in ("none", "random"):
        flags = ("--engine", "wav2lip", "--engine-file", tmp_path / f"{name}.onnx")
        done = run("--text", "Ah, hello.", "-o", tmp_path / f"{name}.mp4", "--size", "256x256", *flags)
        assert done.exit_code == 0, done.stderr
        said[name] = done.stderr.replace("\n", " ")
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            mouths[name] = [f.to_ndarray()[140:190, 100:156].astype(int) for f in container.decode(video=0)]
    assert "no network file" in said["none"]
    assert "the mesh engine draws the mouth" in said["none"]
    assert "engine wav2lip on cpu (licence: that of the network file" in said["random"]
    changes = [float(np.abs(a - b).mean()) for a, b in zip(mouths["none"], mouths["random"], strict=True)]
    assert max(changes) > 15, "a random network paints all of the lower face"
    assert changes[-1] < 2, "at rest the mesh draws the mouth"


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
        (("--text", "hi", "--transparent", "--background", __file__), "a transparent video has no background"),
        (("--text", "hi", "--background", __file__), "test_render.py"),
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
