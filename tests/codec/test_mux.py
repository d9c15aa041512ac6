"""Files are read back with another program's eyes: durations, starts, key frames, and sound beside its picture."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mouthpiece.codec.mux import MOVIE, PLAYLIST, Format, Recorder
from mouthpiece.media import SAMPLE_RATE, Picture, frame_sample

SECONDS, MARK_S, FPS = 9, 5.0, 25
FORM = Format(128, 128, FPS)


def pictures(fps: int, seconds: int, mark_s: float) -> Iterator[tuple[Picture, int]]:
    """Grey noise, and one white picture."""
    rng = np.random.default_rng(0)
    for n in range(seconds * fps):
        data = rng.integers(60, 100, (192, 128), np.uint8)
        data[128:] = 128
        if n == round(mark_s * fps):
            data[:128] = 235
        yield Picture(data), frame_sample(n, fps)


def click(seconds: int, mark_s: float) -> NDArray[np.int16]:
    sound = np.zeros(seconds * SAMPLE_RATE, np.int16)
    at = round(mark_s * SAMPLE_RATE)
    sound[at : at + 40] = 20_000
    return sound


@pytest.fixture(scope="module", params=[25, 30])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"film{request.param}")
    form = Format(128, 128, request.param)
    recorder = Recorder(form, [("mp4", folder / MOVIE), ("hls", folder / PLAYLIST)])
    sound = click(SECONDS, MARK_S)
    for n, (picture, sample) in enumerate(pictures(request.param, SECONDS, MARK_S)):
        recorder.picture(picture, sample)
        recorder.sound(sound[sample : frame_sample(n + 1, request.param)])
    recorder.close()
    return folder


def marks(path: Path) -> tuple[float, float]:
    """When the white picture is shown and when the click is heard, in the file's own seconds."""
    with av.open(str(path)) as container:
        shown = next(f.time for f in container.decode(video=0) if f.to_ndarray()[:128].mean() > 170)
    with av.open(str(path)) as container:
        heard = next(
            float(f.time or 0) + int(np.argmax(loud)) / f.sample_rate
            for f in container.decode(audio=0)
            if (loud := np.abs(f.to_ndarray()[0]) > 0.2).any()
        )
    return float(shown or 0), heard


@pytest.mark.parametrize("file", [MOVIE, PLAYLIST])
def test_a_sound_is_heard_with_its_picture(folder: Path, file: str) -> None:
    shown, heard = marks(folder / file)
    assert abs(shown - heard) < 0.003
    if file == MOVIE:
        assert abs(shown - MARK_S) < 0.0005


def test_another_program_finds_both_streams_whole_and_starting_together(folder: Path) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(folder / MOVIE)]
    video, audio = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    fps = int(folder.name[4:6])
    assert (video["codec_name"], video["width"], int(video["nb_read_frames"])) == ("h264", 128, SECONDS * fps)
    assert (audio["codec_name"], audio["profile"], audio["sample_rate"]) == ("aac", "LC", "48000")
    assert float(video["start_time"]) == float(audio["start_time"]) == 0.0
    for stream in (video, audio):
        assert float(stream["duration"]) == pytest.approx(SECONDS, abs=0.002)


def test_the_mp4_begins_with_its_index(folder: Path) -> None:
    head = (folder / MOVIE).read_bytes()[:4096]
    assert b"moov" in head
    assert b"mdat" not in head[: head.index(b"moov")]


def test_every_segment_begins_with_a_key_frame(folder: Path) -> None:
    segments = sorted(folder.glob("*.ts"))
    assert len(segments) == 3
    for segment in segments:
        with av.open(str(segment)) as container:
            first = next(packet for packet in container.demux(video=0))
            assert first.is_keyframe
            assert b"\x00\x00\x01\x67" in bytes(first)[:200], "the parameters stand in the stream"


def test_a_playlist_can_be_played_while_it_grows(tmp_path: Path) -> None:
    recorder = Recorder(FORM, [("hls", tmp_path / PLAYLIST)])
    sound = click(SECONDS, 1.0)
    for picture, sample in pictures(FPS, SECONDS, 1.0):
        recorder.picture(picture, sample)
        recorder.sound(sound[sample : sample + 640])
        if sample == 7 * SAMPLE_RATE:
            text = (tmp_path / PLAYLIST).read_text()
            assert text.count("#EXTINF:4.0") == 1
            assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
            assert "ENDLIST" not in text
            shown, heard = marks(tmp_path / "output00000.ts")
            assert abs(shown - heard) < 0.003
    recorder.close()
    text = (tmp_path / PLAYLIST).read_text()
    assert sum(float(line[8:-1]) for line in text.splitlines() if line.startswith("#EXTINF")) == pytest.approx(SECONDS)
    assert text.rstrip().endswith("#EXT-X-ENDLIST")


def test_a_film_without_a_sound_of_its_own_is_still_one(tmp_path: Path) -> None:
    recorder = Recorder(FORM, [("mp4", tmp_path / MOVIE)])
    for picture, sample in pictures(FPS, 1, 0.5):
        recorder.picture(picture, sample)
    recorder.close()
    with av.open(str(tmp_path / MOVIE)) as container:
        assert sum(1 for _ in container.decode(video=0)) == FPS


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    recorder = Recorder(FORM, [("mp4", tmp_path / MOVIE)])
    with pytest.raises(ValueError, match="128x128"):
        recorder.picture(Picture(np.zeros((96, 64), np.uint8)), 0)
    recorder.close()
