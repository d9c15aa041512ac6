"""Step 3: rooms, microphones, telephones, noise, music, babble, speed: sound as people really have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, lfilter, stft

from training.lipsync.speech import RATE

Sound = NDArray[np.float32]
Rng = np.random.Generator
PAD = 8192


@dataclass(frozen=True)
class Heard:
    """Augmented sound: ``scale`` is how much slower it runs, ``offset`` seconds of silence put before it."""

    sound: Sound
    scale: float
    offset: float


def _db(value: float) -> float:
    return float(10 ** (value / 20))


def _unit(y: NDArray[np.float64]) -> Sound:
    return (y / (y.std() + 1e-9)).astype(np.float32)


def noise(rng: Rng, n: int) -> Sound:
    """Coloured noise, between white and brown, of unit power."""
    tilt = rng.uniform(0, 2)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    k = np.arange(len(spectrum)) + 20 * n / RATE
    y = np.fft.irfft(spectrum * (k / k[-1]) ** (-tilt / 2), n)
    if rng.random() < 0.4:
        y *= np.interp(np.arange(n), np.linspace(0, n, 12), rng.uniform(0.2, 1, 12))
    return _unit(y)


def music(rng: Rng, n: int) -> Sound:
    """Chords and beats, of unit power."""
    y = np.zeros(n)
    beat = rng.uniform(0.25, 0.8)
    for start in np.arange(0, n / RATE, beat):
        first = int(start * RATE)
        t = np.arange(min(n - first, int(beat * 2 * RATE))) / RATE
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        for step in (0, rng.choice([3, 4]), 7):
            for h in range(1, 4):
                tone = np.sin(2 * np.pi * root * 2 ** (step / 12) * h * t + rng.uniform(0, 6))
                y[first : first + len(t)] += tone * np.exp(-t * rng.uniform(1, 5)) / h
        if rng.random() < 0.6:
            y[first : first + len(t)] += rng.standard_normal(len(t)) * np.exp(-t * 40) * 2
    return _unit(y)


def babble(rng: Rng, n: int, others: Sequence[NDArray[np.int16]], least: int = 1) -> Sound:
    """Several people of the pool at once, of unit power."""
    y = np.zeros(n)
    for _ in range(rng.integers(least, 6)):
        voice = others[rng.integers(len(others))].astype(np.float64)
        y += np.roll(np.resize(voice / (voice.std() + 1), n), rng.integers(n)) * rng.uniform(0.4, 1)
    return _unit(y)


def breath(rng: Rng, n: int) -> Sound:
    """Breaths, puffs and voiceless laughter: noise through a resonance, in swells, of unit power."""
    centre = rng.uniform(600, 2500) / RATE * 2 * np.pi
    r = rng.uniform(0.8, 0.97)
    y = lfilter([1 - r], [1, -2 * r * np.cos(centre), r * r], rng.standard_normal(n))
    rate = rng.choice([rng.uniform(0.3, 1), rng.uniform(3, 6)])
    swell = np.clip(np.sin(2 * np.pi * rate * np.arange(n) / RATE + rng.uniform(0, 6)), 0, None) ** rng.uniform(1, 3)
    return _unit(y * swell)


def not_speech(rng: Rng, n: int, others: Sequence[NDArray[np.int16]]) -> Sound:
    """Sound that moves no mouth: noise, music, breath, or a crowd, at any level."""
    kinds: list[Callable[[], Sound]] = [
        lambda: noise(rng, n),
        lambda: music(rng, n),
        lambda: breath(rng, n),
        lambda: babble(rng, n, others, least=4),
    ]
    y = kinds[rng.integers(4)]()
    if rng.random() < 0.3:
        y = y + kinds[rng.integers(3)]() * _db(-rng.uniform(0, 12))
    return y / (np.abs(y).max() + 1e-9) * np.float32(_db(rng.uniform(-45, -8)))


def _respeed(x: Sound, rng: Rng) -> tuple[Sound, float]:
    """Play faster and higher, or slower and lower."""
    if rng.random() >= 0.8:
        return x, 1.0
    speed = rng.uniform(0.84, 1.2)
    n = int(len(x) / speed)
    return np.interp(np.arange(n) * speed, np.arange(len(x)), x).astype(np.float32), 1 / speed


def _compress(x: Sound, rng: Rng) -> Sound:
    power = lfilter([0.005], [1, -0.995], x * x)
    envelope = np.sqrt(power + 1e-8)
    return (x * (envelope / (envelope.max() + 1e-9) + 0.02) ** (-rng.uniform(0.1, 0.5))).astype(np.float32)


def _room(rng: Rng, n: int) -> NDArray[np.complex128]:
    """Transfer function of a room of 80 to 600 ms reverberation."""
    seconds = rng.uniform(0.08, 0.6)
    t = np.arange(min(8000, int(seconds * RATE))) / RATE
    h = rng.standard_normal(len(t)) * np.exp(-6.9 * t / seconds)
    h[: int(0.003 * RATE)] = 0
    h *= _db(-rng.uniform(-1, 16)) / np.sqrt((h**2).sum() + 1e-9)
    h[0] += 1
    return np.fft.rfft(h, n)


def _channel(x: Sound, rng: Rng) -> Sound:
    """Equaliser, telephone or low-pass band, room: one multiplication of the spectrum."""
    n = len(x) + PAD
    spectrum = np.fft.rfft(x, n)
    f = np.linspace(0, RATE / 2, len(spectrum))
    if rng.random() < 0.8:
        points = int(rng.integers(4, 12))
        gain = rng.uniform(2, 10) * rng.uniform(-1, 1, points)
        spectrum *= 10 ** (np.interp(f, np.linspace(0, RATE / 2, points), gain) / 20)
    band = rng.random()
    if band < 0.10:
        spectrum *= 1 / (1 + (f / 3400) ** 16) * (1 - 1 / (1 + (f / 300 + 1e-9) ** 6))
    elif band < 0.30:
        spectrum *= 1 / (1 + (f / rng.uniform(3500, 7500)) ** 12)
    if rng.random() < 0.45:
        spectrum *= _room(rng, n)
    return np.fft.irfft(spectrum, n)[: len(x)].astype(np.float32)


def _surround(x: Sound, rng: Rng, others: Sequence[NDArray[np.int16]]) -> Sound:
    """Noise, other voices, music or breath behind the speech."""
    level = np.sqrt((x**2).mean() + 1e-12)
    kind = rng.random()
    if kind < 0.25:
        return x + noise(rng, len(x)) * level * _db(-rng.uniform(5, 35))
    if kind < 0.57:
        return x + babble(rng, len(x), others, least=int(rng.integers(1, 5))) * level * _db(-rng.uniform(4, 22))
    if kind < 0.67:
        return x + music(rng, len(x)) * level * _db(-rng.uniform(6, 25))
    return x


def _codec(x: Sound, rng: Rng) -> Sound:
    """The harm of a codec: mu-law steps, or a spectrum with its weak parts taken out, as at low bit rates."""
    kind = rng.random()
    if kind < 0.06:
        y = x / (np.abs(x).max() + 1e-9)
        y = np.round(np.sign(y) * np.log1p(255 * np.abs(y)) / np.log(256) * 127) / 127
        return (np.sign(y) * (256 ** np.abs(y) - 1) / 255).astype(np.float32)
    if kind < 0.18:
        _, _, z = stft(x, RATE, nperseg=320)
        size = np.abs(z)
        z[size < size.max(0, keepdims=True) * _db(-rng.uniform(25, 45))] = 0
        return istft(z, RATE, nperseg=320)[1][: len(x)].astype(np.float32)
    return x


def plain(pcm: NDArray[np.int16]) -> Heard:
    """The utterance as it is."""
    return Heard(pcm.astype(np.float32) / 32768, 1.0, 0.0)


def augment(pcm: NDArray[np.int16], rng: Rng, others: Sequence[NDArray[np.int16]]) -> Heard:
    """One random telling of the utterance."""
    x, scale = _respeed(pcm.astype(np.float32) / 32768, rng)
    before, after = rng.uniform(0, 0.5), rng.uniform(0.1, 0.5)
    x = np.concatenate([np.zeros(int(before * RATE), np.float32), x, np.zeros(int(after * RATE), np.float32)])
    if rng.random() < 0.25:
        x = _compress(x, rng)
    x = _codec(_surround(_channel(x, rng), rng, others), rng)
    x = x / (np.abs(x).max() + 1e-9) * _db(rng.uniform(-26, -0.5))
    if rng.random() < 0.05:
        x = np.clip(x * rng.uniform(1, 3), -0.9, 0.9)
    x = x + rng.standard_normal(len(x)).astype(np.float32) * _db(rng.uniform(-100, -65))
    return Heard(x.astype(np.float32), scale, int(before * RATE) / RATE)
