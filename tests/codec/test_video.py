"""Live H.264 and VP8, judged by what a decoder shows."""

from __future__ import annotations

from typing import Literal

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from mouthpiece.codec.base import VideoEncoder
from mouthpiece.codec.video import open_video
from mouthpiece.media import EncodedPicture, Picture, frame_sample

Codec = Literal["h264", "vp8"]
CODECS: tuple[Codec, ...] = ("h264", "vp8")
SIZE = 256


def scene(n: int) -> Picture:
    """A smooth texture that sways, with a moving bar: enough to spend bits on."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    sway = 6 * np.sin(n / 7)
    luma = 120 + 50 * np.sin((x + sway) / 9) * np.cos((y - sway) / 13) + 12 * np.sin(x * y / 900 + n / 3)
    luma[100:120, (n * 5) % SIZE : (n * 5) % SIZE + 30] = 220
    data = np.full((SIZE * 3 // 2, SIZE), 128, np.uint8)
    data[:SIZE] = luma.clip(16, 235)
    return Picture(data)


SCENES = [scene(n) for n in range(50)]


def run(encoder: VideoEncoder, count: int, first: int = 0, key_at: int | None = None) -> list[EncodedPicture]:
    pictures = range(first, first + count)
    return [encoder.encode(SCENES[n % 50], frame_sample(n, 25), key=n == key_at) for n in pictures]


def decode(codec: Codec, packets: list[EncodedPicture]) -> list[NDArray[np.uint8]]:
    context = av.CodecContext.create(codec, "r")
    found = [f for p in packets for f in context.decode(av.Packet(p.data))] + list(context.decode(None))
    return [f.to_ndarray()[:SIZE].astype(np.uint8) for f in found if isinstance(f, VideoFrame)]


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean()))


def kilobits(packets: list[EncodedPicture]) -> float:
    return sum(len(p.data) for p in packets) * 8 / (len(packets) / 25) / 1000


@pytest.mark.parametrize("codec", CODECS)
def test_every_picture_gives_its_packet_at_once(codec: Codec) -> None:
    encoder = open_video(codec, SIZE, SIZE, 25, 500_000, 1_500_000)
    packets = run(encoder, 40)
    assert [p.sample for p in packets] == [frame_sample(n, 25) for n in range(40)]
    assert [p.key for p in packets] == [True] + [False] * 39
    shown = decode(codec, packets)
    assert len(shown) == 40
    assert min(psnr(shown[n], SCENES[n].data[:SIZE]) for n in range(10, 40)) > 27


@pytest.mark.parametrize("codec", CODECS)
def test_a_key_frame_comes_when_asked_and_only_then(codec: Codec) -> None:
    encoder = open_video(codec, SIZE, SIZE, 25, 500_000, 1_500_000)
    packets = run(encoder, 60, key_at=30)
    assert [n for n, p in enumerate(packets) if p.key] == [0, 30]
    alone = decode(codec, packets[30:])
    assert len(alone) == 30
    assert psnr(alone[5], SCENES[35].data[:SIZE]) > 26


def test_an_h264_key_frame_carries_its_parameter_sets_and_is_constrained_baseline() -> None:
    packets = run(open_video("h264", SIZE, SIZE, 25, 500_000, 1_500_000), 10, key_at=5)
    for packet in (packets[0], packets[5]):
        units = [part[0] & 0x1F for part in packet.data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]
        assert units[:2] == [7, 8]
        assert units[-1] == 5
        sps = packet.data[packet.data.index(b"\x67") :]
        assert sps[1] == 66
        assert sps[2] & 0x40
    assert packets[1].data.lstrip(b"\0")[1] & 0x1F == 1


def test_h264_follows_a_new_bitrate_without_a_key_frame() -> None:
    encoder = open_video("h264", SIZE, SIZE, 25, 400_000, 1_500_000)
    told = [400, 800, 200, 1200, 300]
    got = []
    for step, wanted in enumerate(told):
        encoder.set_bitrate(wanted * 1000)
        packets = run(encoder, 150, first=150 * step)
        assert sum(p.key for p in packets) == (step == 0)
        got.append(kilobits(packets[50:]))
    assert got == pytest.approx(told, rel=0.25)


def test_a_bitrate_over_the_ceiling_is_the_ceiling() -> None:
    encoder = open_video("h264", SIZE, SIZE, 25, 300_000, 500_000)
    encoder.set_bitrate(5_000_000)
    assert kilobits(run(encoder, 150)[50:]) < 575


def test_vp8_reopens_for_less_at_once_and_for_more_rarely() -> None:
    encoder = open_video("vp8", SIZE, SIZE, 25, 500_000, 1_500_000)
    run(encoder, 25)
    encoder.set_bitrate(450_000)
    assert not any(p.key for p in run(encoder, 25, first=25))
    encoder.set_bitrate(200_000)
    lower = run(encoder, 150, first=50)
    assert [p.key for p in lower] == [True] + [False] * 149
    assert kilobits(lower[50:]) == pytest.approx(200, rel=0.25)
    encoder.set_bitrate(1_000_000)
    higher = run(encoder, 150, first=200)
    keys = [n for n, p in enumerate(higher) if p.key]
    assert len(keys) == 1
    assert frame_sample(keys[0] + 200 - 50, 25) == 10 * 16_000
    assert kilobits(higher[keys[0] + 20 :]) > 400


def test_vp8_takes_a_new_bitrate_along_with_a_key_frame() -> None:
    encoder = open_video("vp8", SIZE, SIZE, 25, 500_000, 1_500_000)
    run(encoder, 25)
    encoder.set_bitrate(400_000)
    packets = run(encoder, 150, first=25, key_at=25)
    assert [p.key for p in packets] == [True] + [False] * 149
    assert kilobits(packets[50:]) == pytest.approx(400, rel=0.2)


@pytest.mark.parametrize("codec", CODECS)
def test_a_long_pause_costs_no_quality(codec: Codec) -> None:
    encoder = open_video(codec, SIZE, SIZE, 25, 500_000, 1_500_000)
    before, after = run(encoder, 50), run(encoder, 50, first=50 + 25 * 60)
    shown = decode(codec, [*before, *after])
    assert psnr(shown[60], SCENES[(60 + 25 * 60) % 50].data[:SIZE]) > 26
    assert kilobits(after) < 700


@pytest.mark.parametrize("codec", CODECS)
def test_wrong_sizes_and_closed_encoders_are_refused(codec: Codec) -> None:
    encoder = open_video(codec, 128, 96, 25, 300_000, 600_000)
    with pytest.raises(ValueError, match="128x96"):
        encoder.encode(SCENES[0], 0)
    encoder.close()
    encoder.close()
    encoder.set_bitrate(100_000)
    with pytest.raises(ValueError, match="closed"):
        encoder.encode(Picture(np.zeros((144, 128), np.uint8)), 0)


@pytest.mark.parametrize("codec", CODECS)
def test_the_renderer_may_draw_over_its_picture_right_after(codec: Codec) -> None:
    encoder = open_video(codec, SIZE, SIZE, 25, 500_000, 1_500_000)
    canvas = Picture(np.zeros((SIZE * 3 // 2, SIZE), np.uint8))
    packets = []
    for n in range(20):
        canvas.data[:] = SCENES[n].data
        packets.append(encoder.encode(canvas, frame_sample(n, 25)))
        canvas.data[:] = 0
    shown = decode(codec, packets)
    assert min(psnr(shown[n], SCENES[n].data[:SIZE]) for n in range(10, 20)) > 27
