"""WebM with opacity: read back by libvpx-vp9, which knows its second stream, and by ffprobe."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mouthpiece.codec.mux import SEGMENT_S, Format
from mouthpiece.codec.webm import WebmRecorder
from mouthpiece.media import SAMPLE_RATE, Picture, frame_sample

FPS, SECONDS, SIDE = 25, 6, 128
MARK = 100


def disc(n: int) -> NDArray[np.uint8]:
    """Opacity: a disc that moves, soft at its rim."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    away = np.hypot(x - 40 - n % 40, y - 64)
    return np.asarray(((30 - away) * 64).clip(0, 255), np.uint8)


def picture(n: int) -> Picture:
    """Bright at picture ``MARK``, dark elsewhere, beside the disc."""
    data = np.full((SIDE * 3 // 2, 2 * SIDE), 128, np.uint8)
    data[:SIDE, :SIDE] = 200 if n == MARK else 60
    data[:SIDE, SIDE:] = (16 + disc(n) * (219 / 255)).round()
    return Picture(data)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("webm") / "it.webm"
    recorder = WebmRecorder(Format(2 * SIDE, SIDE, FPS), path, transparent=True)
    sound = np.zeros(SECONDS * SAMPLE_RATE, np.int16)
    sound[frame_sample(MARK, FPS) :][:400] = 20_000
    for n in range(SECONDS * FPS):
        recorder.picture(picture(n), frame_sample(n, FPS))
        recorder.sound(sound[frame_sample(n, FPS) : frame_sample(n + 1, FPS)])
    recorder.close()
    return path


def decoded(path: Path, from_s: float = 0.0) -> list[tuple[float, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Seconds, luma and opacity of each picture, from the key frame before ``from_s`` on."""
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    out = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if from_s:
            container.seek(int(from_s / Fraction(stream.time_base or 1)), stream=stream)
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                assert isinstance(frame, av.VideoFrame)
                assert frame.format.name == "yuva420p"
                rows = [np.frombuffer(bytes(p), np.uint8).reshape(-1, p.line_size) for p in frame.planes]
                seconds = float((frame.pts or 0) * (packet.time_base or 0))
                out.append((seconds, rows[0][:SIDE, :SIDE], rows[3][:SIDE, :SIDE]))
    return out


def test_every_picture_has_its_opacity(file: Path) -> None:
    pictures = decoded(file)
    assert len(pictures) == SECONDS * FPS
    for n in (0, 1, MARK, 149):
        seconds, luma, opacity = pictures[n]
        assert seconds == pytest.approx(n / FPS, abs=0.001)
        wanted = disc(n)
        assert np.abs(opacity.astype(int) - wanted).mean() < 2
        assert opacity[wanted == 255].min() > 240
        assert opacity[wanted == 0].max() < 40
        assert abs(float(luma[wanted == 255].mean()) - (200 if n == MARK else 60)) < 6


def test_a_seek_finds_colours_and_opacity(file: Path) -> None:
    pictures = decoded(file, SEGMENT_S + 1)
    assert pictures[0][0] == pytest.approx(SEGMENT_S, abs=0.001)
    assert np.abs(pictures[0][2].astype(int) - disc(SEGMENT_S * FPS)).mean() < 2


def test_another_program_finds_both_streams_in_step(file: Path) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(file)]
    video, audio = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert (video["codec_name"], video["width"], video["tags"]["alpha_mode"]) == ("vp9", SIDE, "1")
    assert (audio["codec_name"], audio["sample_rate"]) == ("opus", "48000")
    with av.open(str(file)) as container:
        heard = next(
            float(f.time or 0) + int(np.argmax(loud)) / f.sample_rate
            for f in container.decode(audio=0)
            if (loud := np.abs(f.to_ndarray()[0]) > 0.2).any()
        )
    assert heard == pytest.approx(MARK / FPS, abs=0.01)


def test_pictures_without_opacity(tmp_path: Path) -> None:
    path = tmp_path / "plain.webm"
    recorder = WebmRecorder(Format(SIDE, SIDE, FPS), path, transparent=False)
    with pytest.raises(ValueError, match="the film is 128x128"):
        recorder.picture(picture(0), 0)
    for n in range(5):
        recorder.picture(Picture(np.full((SIDE * 3 // 2, SIDE), 128, np.uint8)), frame_sample(n, FPS))
    recorder.close()
    with av.open(str(path)) as container:
        assert [frame.width for frame in container.decode(video=0)] == [SIDE] * 5
        assert "alpha_mode" not in container.streams.video[0].metadata
