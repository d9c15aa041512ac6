"""Files from pictures and sound: MP4 and HLS (MPEG-TS), of one and the same encoding (H.264 and AAC-LC)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, TypeAlias

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.container.output import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from mouthpiece.media import SAMPLE_RATE, Pcm, Picture

Container = Literal["mp4", "hls", "webm"]
AnyPacket: TypeAlias = "Packet[Stream]"

SEGMENT_S: Final = 4
"""Seconds of an HLS segment, and between key frames."""

VIDEO: Final = {
    # 1.0 ms and 2.2 kB a 512x512 picture, 47.3 dB: as good as a live one. Adaptive quantisation and B pictures would
    # cost more time than they save bytes, and without B pictures sound and picture begin together in every player.
    "preset": "superfast",
    "crf": "25",
    "x264-params": "aq-mode=0:scenecut=0:bframes=0:rc-lookahead=0",
    "forced-idr": "1",
}
SOUND_RATE: Final = 48_000
"""AAC below 32 kHz is taken for HE-AAC by some players, which then play it at the wrong speed."""

SOUND_BITRATE: Final = 64_000
SOUND: Final = {"aac_coder": "fast"}
_MP4: Final = {"movflags": "faststart"}
_HLS: Final = {
    "hls_time": str(SEGMENT_S),
    "hls_playlist_type": "event",
    "hls_flags": "independent_segments+temp_file",
    "hls_segment_type": "mpegts",
}
_TIME_BASE: Final = Fraction(1, SAMPLE_RATE)
_FRAME: Final = 1024  # samples of an AAC frame
PLAYLIST, MOVIE, WEBM = "output.m3u8", "output.mp4", "output.webm"
"""Names of a job's files. Segments stand beside their playlist: ``output00000.ts`` and so on."""


@dataclass(frozen=True, slots=True)
class Format:
    """What is recorded: size in pixels (even) and pictures a second."""

    width: int = 512
    height: int = 512
    fps: int = 25


class Recorder:
    """Writes one film to one or more files. Not thread-safe; encoding releases the GIL.

    The files are whole after ``close``; an HLS playlist can be played while it grows.
    """

    def __init__(self, form: Format, files: Iterable[tuple[Container, Path]]) -> None:
        """``files``: at least one. Raises OSError when one cannot be written."""
        self._form = form
        self._key_every = SEGMENT_S * form.fps
        self._n = 0
        self._containers = [_open(kind, path) for kind, path in files]
        first = self._containers[0]
        self._video = first.add_stream("libx264", rate=form.fps, options=VIDEO)
        _set_up_video(self._video.codec_context, form)
        self._sound = first.add_stream("aac", rate=SOUND_RATE, options=SOUND)
        _set_up_sound(self._sound.codec_context)
        first.start_encoding()
        self._streams: list[tuple[Stream, Stream]] = [(self._video, self._sound)]
        for other in self._containers[1:]:
            self._streams.append(
                (other.add_stream_from_template(self._video), other.add_stream_from_template(self._sound))
            )
        self._upsampler = av.AudioResampler(format="fltp", layout="mono", rate=SOUND_RATE, frame_size=_FRAME)
        self._heard = 0

    def picture(self, picture: Picture, sample: int) -> None:
        """The next picture, whose media time is ``sample``. Raises ValueError for another size."""
        if (picture.width, picture.height) != (self._form.width, self._form.height):
            raise ValueError(f"the film is {self._form.width}x{self._form.height}")
        frame = VideoFrame.from_numpy_buffer(picture.data, format="yuv420p")
        frame.pts, frame.time_base = sample, _TIME_BASE
        if self._n % self._key_every == 0:
            frame.pict_type = PictureType.I
        self._n += 1
        self._write(0, self._video.codec_context.encode(frame))

    def sound(self, pcm: Pcm) -> None:
        """The next samples, any number; the first call's first sample is media time 0."""
        if not len(pcm):
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._heard, _TIME_BASE
        self._heard += len(pcm)
        self._encode(self._upsampler.resample(frame))

    def close(self) -> None:
        """Write what is still held, and finish the files. Once."""
        self._write(0, self._video.codec_context.encode(None))
        if self._heard:
            self._encode(self._upsampler.resample(None))
        self._write(1, self._sound.codec_context.encode(None))
        for container in self._containers:
            container.close()

    def _encode(self, frames: Iterable[AudioFrame]) -> None:
        for frame in frames:
            self._write(1, self._sound.codec_context.encode(frame))

    def _write(self, which: Literal[0, 1], packets: Iterable[AnyPacket]) -> None:
        for packet in packets:
            copies = [_copy(packet) for _ in self._containers[1:]]
            for container, streams, each in zip(self._containers, self._streams, [packet, *copies], strict=True):
                each.stream = streams[which]
                container.mux(each)


def _open(kind: Container, path: Path) -> OutputContainer:
    options = _MP4 if kind == "mp4" else _HLS | {"hls_segment_filename": str(path.with_name(f"{path.stem}%05d.ts"))}
    return av.open(str(path), "w", format=kind, options=options)


def _set_up_video(codec: VideoCodecContext, form: Format) -> None:
    codec.width, codec.height = form.width, form.height
    codec.pix_fmt = "yuv420p"
    codec.framerate = Fraction(form.fps, 1)
    codec.time_base = _TIME_BASE
    codec.thread_count = 1  # jobs share a machine with live sessions
    codec.gop_size = 10 * SEGMENT_S * form.fps  # key frames come where they are asked for


def _set_up_sound(codec: AudioCodecContext) -> None:
    codec.layout = "mono"
    codec.format = "fltp"
    codec.bit_rate = SOUND_BITRATE
    codec.time_base = Fraction(1, SOUND_RATE)


def _copy(packet: AnyPacket) -> AnyPacket:
    """Muxing uses a packet up."""
    copy: AnyPacket = Packet(bytes(packet))
    copy.pts, copy.dts, copy.time_base, copy.duration = packet.pts, packet.dts, packet.time_base, packet.duration
    copy.is_keyframe = packet.is_keyframe
    return copy
