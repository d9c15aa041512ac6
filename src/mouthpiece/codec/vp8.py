"""Live VP8 from libvpx: one picture in, one frame out. The fallback, and the choice where GPL code is unwanted."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext

from mouthpiece.codec.h264 import TIME_BASE, encode
from mouthpiece.media import SAMPLE_RATE, EncodedPicture, Picture

OPTIONS: Final = {
    # 0.70 ms a 512x512 picture against 1.79 with the usual cpu-used -6 and noise-sensitivity 4, and 3 dB better.
    "deadline": "realtime",
    "cpu-used": "-8",
    "noise-sensitivity": "0",
    "static-thresh": "1000",
    "lag-in-frames": "0",
    "auto-alt-ref": "0",
    "error-resilient": "default",
    "undershoot-pct": "100",
    "overshoot-pct": "15",
    "qmax": "50",  # the first pictures and those after a loss are 1-2 dB better than with 63
}
GROW: Final = 1.5
SHRINK: Final = 0.75
SETTLE: Final = 10 * SAMPLE_RATE
"""FFmpeg cannot retune libvpx: a new bitrate means a new encoder and a key frame. A path that carries less is obeyed
at once below three quarters of the present bitrate; more is taken at one and a half, at most every ten seconds."""


class Vp8Encoder:
    """A ``VideoEncoder``. Key frames come at the start, when asked for, and when the bitrate has to change."""

    def __init__(self, size: tuple[int, int], fps: int, bitrate: int, ceiling: int) -> None:
        self._size, self._fps, self._ceiling = size, fps, ceiling
        self._bitrate = self._wanted = min(bitrate, ceiling)
        self._codec: VideoCodecContext | None = self._open()
        self._opened_at: int | None = None

    def encode(self, picture: Picture, sample: int, *, key: bool = False) -> EncodedPicture:
        """Encode a picture whose media time is ``sample``. Raises ValueError when closed or of another size."""
        if self._codec is None:
            raise ValueError("the encoder is closed")
        if self._opened_at is None:
            self._opened_at = sample
        if self._worth_reopening(sample, key=key):
            self._bitrate, self._opened_at = self._wanted, sample
            self._codec = self._open()
        return encode(self._codec, picture, sample, key=key)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Aim at another bitrate, at most the ceiling; followed at the next key frame, or when it is worth one."""
        self._wanted = max(1, min(bits_per_second, self._ceiling))

    def close(self) -> None:
        """Free the encoder. Idempotent."""
        self._codec = None

    def _worth_reopening(self, sample: int, *, key: bool) -> bool:
        if self._wanted == self._bitrate:
            return False
        settled = sample - (self._opened_at or 0) >= SETTLE
        shrinks = self._wanted < self._bitrate * SHRINK
        return key or shrinks or (settled and self._wanted > self._bitrate * GROW)

    def _open(self) -> VideoCodecContext:
        codec = av.CodecContext.create("libvpx", "w")
        codec.width, codec.height = self._size
        codec.pix_fmt = "yuv420p"
        codec.framerate = Fraction(self._fps, 1)
        codec.time_base = TIME_BASE
        codec.thread_count = 1  # libvpx spins with more: 4 ms a picture
        codec.bit_rate = self._bitrate
        codec.gop_size = 1_000_000
        rate = str(self._bitrate)
        codec.options = OPTIONS | {"minrate": rate, "maxrate": rate, "bufsize": str(self._bitrate // 2)}
        codec.open()
        return codec
