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


def _joined(frames: list[av.AudioFrame]) -> Pcm:
    parts = [frame.to_ndarray()[0].astype(np.int16, copy=False) for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)
