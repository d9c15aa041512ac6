"""Live H.264: constrained baseline from libx264, one picture in, one Annex B access unit out."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from mouthpiece.media import SAMPLE_RATE, EncodedPicture, Picture

TIME_BASE: Final = Fraction(1, SAMPLE_RATE)
BUFFER_S: Final = 0.4
"""Seconds of the ceiling in the rate buffer: bounds a key frame to about a third of a second of the path."""

OPTIONS: Final = {
    # 0.74 ms a 512x512 picture at 500 kb/s, 44.1 dB: adaptive quantisation alone would add 0.2 ms for nothing seen.
    "preset": "superfast",
    "tune": "zerolatency",
    "profile": "baseline",
    "x264-params": "aq-mode=0:scenecut=0:repeat-headers=1:keyint=infinite",
    "forced-idr": "1",
}


class H264Encoder:
    """A ``VideoEncoder``. Key frames come only at the start and when asked for; each carries SPS and PPS.

    libx264 follows a new bitrate without a key frame only when it was opened for constant bitrate at the ceiling, so
    that is how it is opened; ``bitrate`` is then set like any later change.
    """

    def __init__(self, size: tuple[int, int], fps: int, bitrate: int, ceiling: int) -> None:
        self._ceiling = ceiling
        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height = size
        codec.pix_fmt = "yuv420p"
        codec.framerate = Fraction(fps, 1)
        codec.time_base = TIME_BASE
        codec.thread_count = 1  # more threads add pictures of delay
        codec.bit_rate = ceiling
        codec.options = OPTIONS | {"maxrate": str(ceiling), "bufsize": str(int(ceiling * BUFFER_S))}
        codec.open()
        self._codec: VideoCodecContext | None = codec
        self.set_bitrate(bitrate)

    def encode(self, picture: Picture, sample: int, *, key: bool = False) -> EncodedPicture:
        """Encode a picture whose media time is ``sample``. Raises ValueError when closed or of another size."""
        if self._codec is None:
            raise ValueError("the encoder is closed")
        return encode(self._codec, picture, sample, key=key)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Aim at another bitrate from the next picture on, at most the ceiling. Forces no key frame."""
        if self._codec is not None:
            self._codec.bit_rate = max(1, min(bits_per_second, self._ceiling))

    def close(self) -> None:
        """Free the encoder. Idempotent."""
        self._codec = None


def encode(codec: VideoCodecContext, picture: Picture, sample: int, *, key: bool) -> EncodedPicture:
    """One picture through a delay-free FFmpeg encoder, without copying it."""
    if (picture.width, picture.height) != (codec.width, codec.height):
        raise ValueError(f"the encoder takes {codec.width}x{codec.height}, not {picture.width}x{picture.height}")
    frame = VideoFrame.from_numpy_buffer(picture.data, format="yuv420p")
    frame.pts = sample
    frame.time_base = TIME_BASE
    if key:
        frame.pict_type = PictureType.I
    packets = codec.encode(frame)
    data = b"".join(bytes(packet) for packet in packets)
    return EncodedPicture(data, sample, any(packet.is_keyframe for packet in packets))
