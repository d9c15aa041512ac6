"""WebM from pictures and sound: VP9, with its opacity where the pictures carry one, and Opus.

VP9 has no opacity of its own. WebM keeps it as a second VP9 stream inside the first one's packets ("BlockAdditional",
``alpha_mode``), which Chromium, Firefox and FFmpeg's libvpx-vp9 decoder read; others show the colours alone.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from mouthpiece.codec.mux import SEGMENT_S, Format
from mouthpiece.face.transparent import parted
from mouthpiece.media import SAMPLE_RATE, Pcm, Picture

VIDEO: Final = {
    # 5 ms and 1.3 kB a 512x512 picture with its opacity, 47 dB; "good" would take 31 ms for two thirds of the bytes.
    "deadline": "realtime",
    "cpu-used": "6",
    "crf": "30",
    "auto-alt-ref": "0",  # the encoder refuses opacity with hidden pictures
    "lag-in-frames": "0",
}
SOUND_RATE: Final = 48_000
SOUND_BITRATE: Final = 48_000
_TIME_BASE: Final = Fraction(1, SAMPLE_RATE)
_FRAME: Final = 960


class WebmRecorder:
    """As ``codec.mux.Recorder``, into one WebM file; the file is whole after ``close``.

    ``transparent``: pictures come beside their opacity (see ``face.transparent``) and ``form`` is the size of both.
    Raises OSError when the file cannot be written.
    """

    def __init__(self, form: Format, path: Path, *, transparent: bool) -> None:
        self._form = form
        self._transparent = transparent
        self._n = self._heard = 0
        self._file = av.open(str(path), "w", format="webm")
        self._video = self._file.add_stream("libvpx-vp9", rate=form.fps, options=VIDEO)
        codec = self._video.codec_context
        codec.width, codec.height = form.width // 2 if transparent else form.width, form.height
        codec.pix_fmt = "yuva420p" if transparent else "yuv420p"
        codec.framerate, codec.time_base = Fraction(form.fps, 1), _TIME_BASE
        codec.thread_count = 1  # jobs share a machine with live sessions
        codec.bit_rate = 0  # quality by crf alone
        codec.gop_size = 10 * SEGMENT_S * form.fps  # key frames come where they are asked for
        self._sound = self._file.add_stream("libopus", rate=SOUND_RATE)
        sound = self._sound.codec_context
        sound.layout, sound.format, sound.bit_rate = "mono", "flt", SOUND_BITRATE
        self._upsampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_RATE, frame_size=_FRAME)

    def picture(self, picture: Picture, sample: int) -> None:
        """The next picture, whose media time is ``sample``. Raises ValueError for another size."""
        if (picture.width, picture.height) != (self._form.width, self._form.height):
            raise ValueError(f"the film is {self._form.width}x{self._form.height}")
        if self._transparent:
            frame = _with_opacity(*parted(picture))
        else:
            frame = VideoFrame.from_numpy_buffer(picture.data, format="yuv420p")
        frame.pts, frame.time_base = sample, _TIME_BASE
        if self._n % (SEGMENT_S * self._form.fps) == 0:
            frame.pict_type = PictureType.I
        self._n += 1
        self._file.mux(self._video.encode(frame))

    def sound(self, pcm: Pcm) -> None:
        """The next samples, any number; the first call's first sample is media time 0."""
        if not len(pcm):
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._heard, _TIME_BASE
        self._heard += len(pcm)
        self._encode(frame)

    def close(self) -> None:
        """Write what is still held, and finish the file. Once."""
        self._file.mux(self._video.encode(None))
        if self._heard:
            self._encode(None)
        self._file.mux(self._sound.encode(None))
        self._file.close()

    def _encode(self, frame: AudioFrame | None) -> None:
        for each in self._upsampler.resample(frame):
            self._file.mux(self._sound.encode(each))


def _with_opacity(colours: Picture, opacity: NDArray[np.uint8]) -> VideoFrame:
    """A frame of four planes; PyAV makes none from an array."""
    width, height = colours.width, colours.height
    frame = VideoFrame(width, height, "yuva420p")
    flat, size = colours.data.reshape(-1), width * height
    parts = flat[:size], flat[size : size * 5 // 4], flat[size * 5 // 4 :], opacity.reshape(-1)
    for plane, part in zip(frame.planes, parts, strict=True):
        rows = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)[: plane.height]
        rows[:, : plane.width] = part.reshape(plane.height, plane.width)
    return frame
