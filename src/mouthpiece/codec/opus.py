"""Live Opus: 20 ms of 16 kHz mono in, one packet out (RFC 6716, RFC 7587), and the way back for microphones.

libopus is opened at 16 kHz, so nothing is resampled; on the wire it is 48 kHz Opus like any other.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from mouthpiece.media import SAMPLE_RATE, TICK, EncodedSound, Pcm

SILENCE_PACKET: Final = b"\xf8\xff\xfe"
"""20 ms of mono CELT that says "silence": decoders give exact zeros from the second one in a row on.

Encoded zeros would not: with some settings they decode to a hum of +-1 for ever.
"""

BITRATE: Final = 32_000
COMPLEXITY: Final = 5  # of 10: 0.06 ms a packet against 0.09, no audible difference at 32 kb/s
EXPECTED_LOSS: Final = 10
"""Per cent. Makes libopus code energies afresh wherever prediction would be risky, at 2 % more bytes and equal quality.

Without it a decoder that has just heard silence fades the first 100 ms of speech in from -34 dB, and one that missed
the silence plays them at twelve times their strength.
"""
_TIME_BASE: Final = Fraction(1, SAMPLE_RATE)


class OpusEncoder:
    """One session's voice. Not thread-safe.

    The first 20 ms of zeros after sound are really encoded, because they carry the last 6.5 ms of the sound (the
    codec's look-ahead); all further zeros are ``SILENCE_PACKET``. Sound after silence starts a fresh encoder, whose
    first packet depends on nothing before it (see ``EXPECTED_LOSS``).
    """

    def __init__(self, bitrate: int = BITRATE) -> None:
        self._bitrate = bitrate
        self._codec: AudioCodecContext | None = None

    def encode(self, pcm: Pcm, sample: int) -> EncodedSound:
        """Encode 320 samples that begin at media time ``sample``.

        Raises ValueError unless ``pcm`` is int16 of shape (320,).
        """
        if pcm.shape != (TICK,) or pcm.dtype != np.int16:
            raise ValueError(f"a packet is {TICK} int16 samples, not {pcm.shape} {pcm.dtype}")
        audible = bool(pcm.any())
        if not audible and self._codec is None:
            return EncodedSound(SILENCE_PACKET, sample)
        codec = self._codec = self._codec or self._open()
        data = _encode(codec, pcm, sample)
        if not audible:
            self._codec = None
        return EncodedSound(data, sample)

    def _open(self) -> AudioCodecContext:
        codec = av.CodecContext.create("libopus", "w")
        codec.sample_rate = SAMPLE_RATE
        codec.layout = "mono"
        codec.format = "s16"
        codec.bit_rate = self._bitrate
        codec.time_base = _TIME_BASE
        codec.options = {
            "application": "audio",
            "frame_duration": "20",
            "compression_level": str(COMPLEXITY),
            "packet_loss": str(EXPECTED_LOSS),
        }
        codec.open()
        return codec


def _encode(codec: AudioCodecContext, pcm: Pcm, sample: int) -> bytes:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = sample
    frame.time_base = _TIME_BASE
    return b"".join(bytes(packet) for packet in codec.encode(frame))


class Downsampler:
    """Decoded audio frames of any rate and layout to 16 kHz mono. One for each stream; not thread-safe."""

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)

    def push(self, frame: object) -> Pcm:
        """The next samples; a few stay in the filter until the next call. Anything but an AudioFrame is no sound."""
        if not isinstance(frame, AudioFrame):
            return np.zeros(0, np.int16)
        parts = [out.to_ndarray().reshape(-1) for out in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class OpusDecoder:
    """A microphone's Opus packets to 16 kHz mono. One for each stream; not thread-safe. 0.06 ms a packet."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("libopus", "r")
        self._codec.sample_rate = 48_000
        self._codec.layout = "mono"
        self._codec.format = "s16"
        self._downsampler = Downsampler()

    def decode(self, packet: bytes) -> Pcm:
        """The packet's sound, 2.5 to 120 ms; nothing for a packet that is empty or damaged."""
        if not packet:  # FFmpeg takes an empty packet for the end of the stream
            return np.zeros(0, np.int16)
        try:
            frames = self._codec.decode(av.Packet(packet))
        except av.FFmpegError:
            return np.zeros(0, np.int16)
        parts = [self._downsampler.push(frame) for frame in frames]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)
