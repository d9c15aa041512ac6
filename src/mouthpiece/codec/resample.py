"""Sample-rate conversion of a stream, to the house's 16 kHz mono."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from mouthpiece.media import SAMPLE_RATE, Pcm


class Resampler:
    """Mono int16 at ``rate`` in, mono int16 at 16 kHz out, without delay or gaps (libswresample, zero phase).

    After ``flush``, ``n`` samples have become ``n * 16000 / rate``, to within one sample. One stream each.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._swr = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)

    def push(self, pcm: NDArray[np.int16]) -> Pcm:
        """Convert the next samples; the converter's own filter length stays inside until more comes."""
        if self._rate == SAMPLE_RATE or not len(pcm):
            return pcm
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None], format="s16", layout="mono")
        frame.sample_rate = self._rate
        return _joined(self._swr.resample(frame))

    def flush(self) -> Pcm:
        """The rest."""
        return np.zeros(0, np.int16) if self._rate == SAMPLE_RATE else _joined(self._swr.resample(None))


class Downmix:
    """PCM16LE of one stream, at any rate, of any number of interleaved channels; in the house's form, as bytes, out."""

    def __init__(self, rate: int, channels: int) -> None:
        self._plain = rate == SAMPLE_RATE and channels == 1
        self._resampler = Resampler(rate)
        self._channels = channels
        self._left = b""  # less than one sample of every channel

    def hear(self, data: bytes) -> bytes:
        """The next bytes, cut anywhere."""
        if self._plain:
            return data  # who plays it keeps an odd byte
        data = self._left + data
        whole = len(data) - len(data) % (2 * self._channels)
        self._left = data[whole:]
        sound = np.frombuffer(data[:whole], "<i2").reshape(-1, self._channels)
        mono = sound[:, 0] if self._channels == 1 else sound.mean(1)
        return self._resampler.push(np.ascontiguousarray(mono, np.int16)).astype("<i2").tobytes()

    def rest(self) -> bytes:
        """What the converter still holds, at the end of the stream."""
        return b"" if self._plain else self._resampler.flush().astype("<i2").tobytes()


def _joined(frames: list[av.AudioFrame]) -> Pcm:
    parts = [frame.to_ndarray()[0].astype(np.int16, copy=False) for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)
