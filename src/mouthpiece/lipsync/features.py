"""Streaming log-mel energies: what the network hears.

A frame every 10 ms sees the last 25 ms through a Hann window: 40 triangular bands, 60 to 7,800 Hz on the mel scale
``2595 log10(1 + f / 700)``, as ``(ln(power + 1e-6) + 4) / 3``, roughly -4 to 3. The constants are part of the trained
weights. Frames are computed two at a time, always, so their bits do not depend on the pieces in which sound comes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mouthpiece.media import SAMPLE_RATE, Pcm

HOP: Final = 160
"""Samples between frames (10 ms)."""
WINDOW: Final = 400
"""Samples that a frame sees (25 ms), ending with the frame's own hop."""
STEP: Final = 2 * HOP
"""Samples in a step of the network: two frames (20 ms)."""
BANDS: Final = 40
"""Energies in a frame."""
_FFT = 512
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7800.0


def _mel(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))


def mel_bands() -> NDArray[np.float32]:
    """Triangular filters of unit sum over the bins of the spectrum, shape (257, 40)."""
    edges = 700.0 * (10.0 ** (np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), BANDS + 2) / 2595.0) - 1.0)
    bins = np.arange(_FFT // 2 + 1) * SAMPLE_RATE / _FFT
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - low) / (mid - low)
    falling = (high - bins[:, None]) / (high - mid)
    filters = np.clip(np.minimum(rising, falling), 0.0, None)
    nearest = np.abs(bins[:, None] - mid).argmin(axis=0)
    empty = np.flatnonzero(filters.sum(axis=0) == 0.0)  # bands narrower than a bin: their nearest bin
    filters[nearest[empty], empty] = 1.0
    filters /= filters.sum(axis=0)
    return filters.astype(np.float32, copy=False)


_HANN = (np.hanning(WINDOW) / 32768.0).astype(np.float32)
_FILTERS = mel_bands()


def _levels(energy: NDArray[np.float32]) -> NDArray[np.float32]:
    levels: NDArray[np.float32] = (np.log(energy + np.float32(1e-6)) + np.float32(4.0)) / np.float32(3.0)
    return levels


class LogMel:
    """Turns steps of sound into pairs of frames of log-mel energies."""

    def __init__(self) -> None:
        self._heard = np.zeros(WINDOW + HOP, np.float32)
        self._windows = sliding_window_view(self._heard, WINDOW)[::HOP]

    def step(self, pcm: Pcm) -> NDArray[np.float32]:
        """The two frames that end with the halves of these ``STEP`` samples, shape (2, 40)."""
        heard = self._heard
        heard[:-STEP] = heard[STEP:]
        heard[-STEP:] = pcm
        spectrum = np.fft.rfft(self._windows * _HANN, _FFT)
        power = spectrum.real**2 + spectrum.imag**2
        # einsum, not BLAS: no threads that spin for a product this small
        energy = np.einsum("ti,ij->tj", power, _FILTERS)
        return _levels(energy)

    def steps(self, pcm: Pcm) -> NDArray[np.float32]:
        """As ``step`` for many steps in a row, shape (n, 2, 40); quicker, and the same but for the last bits."""
        sound = np.concatenate([self._heard[STEP:], pcm.astype(np.float32)])
        self._heard[:] = sound[-len(self._heard) :]
        spectrum = np.fft.rfft(sliding_window_view(sound, WINDOW)[::HOP] * _HANN, _FFT)
        energy = np.einsum("ti,ij->tj", (spectrum.real**2 + spectrum.imag**2).astype(np.float32), _FILTERS)
        return _levels(energy).reshape(-1, STEP // HOP, BANDS)

    def reset(self) -> None:
        """Forget what was heard."""
        self._heard[:] = 0.0
