"""The child of ``decode``: a file on stdin, PCM16LE at 16 kHz mono on stdout, one JSON line on stderr at the end.

It limits itself before it looks at the data: memory, CPU, no core, no new file or socket.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import os
import re
import resource
import sys
import wave
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import av
import numpy as np
from numpy.typing import NDArray

from mouthpiece.codec.decode import CHANNELS, RATES, sniff
from mouthpiece.codec.resample import Resampler
from mouthpiece.media import SAMPLE_RATE, Pcm

CODECS: Final = {
    "wav": (
        *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
        *("pcm_alaw", "pcm_mulaw", "adpcm_ima_wav", "adpcm_ms"),
    ),
    "mp3": ("mp3", "mp3float"),
    "ogg": ("vorbis", "opus", "libopus", "flac", "speex", "libspeex"),
}
"""Decoders that a container may call for; the library knows some five hundred."""

RAW: Final[dict[str, np.dtype[Any]]] = {"pcm16": np.dtype("<i2"), "pcm32": np.dtype("<i4")}
BLOCK: Final = 65_536  # samples converted at a time
NICENESS: Final = 5  # uploads give way to live sessions
_DATA_URL = re.compile(rb"data:[^,]{0,100};base64,")


class _Wrong(Exception):
    """The data cannot be taken; the text is for the caller."""


class _TooLong(Exception):
    """More sound than is allowed."""


def _sound(task: dict[str, Any], data: bytes) -> Iterator[Pcm]:
    kind = task["kind"]
    seen = sniff(data[:12])
    if not data:
        raise _Wrong("it is empty")
    if kind in RAW:
        if seen in ("wav", "ogg"):  # an MP3's two bytes may begin raw samples by chance
            raise _Wrong(f"the data is {seen}, not {kind}")
        yield from _raw(data, RAW[kind], task["rate"], task["channels"])
    elif seen not in (kind, None):
        raise _Wrong(f"the data is {seen}, not {kind}")
    else:
        yield from _file(data, kind)


def _raw(data: bytes, dtype: np.dtype[Any], rate: int, channels: int) -> Iterator[Pcm]:
    whole = len(data) // (dtype.itemsize * channels)  # an incomplete last sample is dropped
    samples = np.frombuffer(data, dtype, whole * channels).reshape(whole, channels)
    resampler = Resampler(rate)
    for start in range(0, whole, BLOCK):
        yield resampler.push(_mono16(samples[start : start + BLOCK]))
    yield resampler.flush()


def _mono16(samples: NDArray[Any]) -> Pcm:
    """Average the channels, shape (n, channels), and keep the upper 16 bits."""
    mean = samples.astype(np.int64).sum(axis=1) // samples.shape[1]
    mono: Pcm = (mean >> (8 * (samples.itemsize - 2))).astype(np.int16)
    return mono


def _file(data: bytes, kind: str) -> Iterator[Pcm]:
    try:
        container = av.open(io.BytesIO(data), "r", format=kind, options={"codec_whitelist": ",".join(CODECS[kind])})
    except (av.FFmpegError, ValueError) as error:
        raise _Wrong(f"it is not a readable {kind} file") from error
    with container:
        if not container.streams.audio:
            raise _Wrong(f"the {kind} file has no sound in it")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec.name not in CODECS[kind]:
            raise _Wrong(f"{kind} with {codec.name} inside is not supported")
        if not codec.sample_rate:
            raise _Wrong(f"it is not a readable {kind} file")
        if codec.sample_rate not in RATES or codec.channels not in CHANNELS:
            raise _Wrong(f"{codec.sample_rate} Hz with {codec.channels} channels is not supported")
        yield from _resampled(_frames(container, stream))


def _frames(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Decoded frames. Damaged packets are left out, as players do, but must stay fewer than the sound ones."""
    good = bad = 0
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            bad += 1
            continue
        good += bool(frames)
        yield from frames
    if bad > good:
        raise _Wrong(f"{bad} of its {good + bad} packets are damaged")


def _packets(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.Packet[av.AudioStream]]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return  # cut off in the middle of a page: what came before it counts


def _resampled(frames: Iterator[av.AudioFrame]) -> Iterator[Pcm]:
    """To 16 kHz mono; a file may change its rate or channels on the way (chained Ogg, joined MP3)."""
    swr, shape = None, None
    for frame in frames:
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if now != shape:
            yield from _arrays(swr.resample(None) if swr else [])
            swr, shape = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE), now
        frame.pts = None  # gaps in the time stamps are not filled
        yield from _arrays(swr.resample(frame) if swr else [])
    yield from _arrays(swr.resample(None) if swr else [])


def _arrays(frames: list[av.AudioFrame]) -> Iterator[Pcm]:
    for frame in frames:
        yield frame.to_ndarray()[0].astype(np.int16, copy=False)


def _unwrapped(text: bytes) -> bytes:
    """Base64, standard or URL-safe, with JSON's escaped slashes, white space or missing padding."""
    if prefix := _DATA_URL.match(text):
        text = text[prefix.end() :]
    text = text.translate(bytes.maketrans(b"-_", b"+/"), b" \r\n\t\\").rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise _Wrong("its base64 is damaged") from error


def _write(pieces: Iterator[Pcm], out: BinaryIO, limit: int) -> int:
    written = 0
    for piece in pieces:
        written += len(piece)
        if written > limit:
            raise _TooLong
        out.write(piece.tobytes())
    out.flush()
    if not written:
        raise _Wrong("there is no sound in it")
    return written


def _warm_up() -> None:
    """Decode a moment of silence, so that everything that is loaded on first use is loaded before files are shut."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8_000)
        out.writeframes(bytes(3_200))
    for _ in _file(file.getvalue(), "wav"):
        pass


def _confine(task: dict[str, Any]) -> None:
    os.nice(NICENESS)
    for what, limit in (
        (resource.RLIMIT_AS, task["memory"]),
        (resource.RLIMIT_CPU, task["cpu_s"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, int(task["max_s"] * SAMPLE_RATE) * 2 + BLOCK),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(what, (limit, limit))


def main() -> None:
    """Decode stdin as the task (JSON, first argument) says."""
    task = json.loads(sys.argv[1])
    av.logging.set_level(None)
    _warm_up()
    _confine(task)
    limit = int(task["max_s"] * SAMPLE_RATE)
    try:
        data = sys.stdin.buffer.read()
        data = _unwrapped(data) if task["base64"] else data
        answer: dict[str, object] = {"samples": _write(_sound(task, data), sys.stdout.buffer, limit)}
    except _TooLong:
        answer = {"too_long_s": task["max_s"]}
    except _Wrong as wrong:
        answer = {"invalid": str(wrong)}
    except MemoryError:
        answer = {"invalid": "decoding it takes too much memory"}
    sys.stderr.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
