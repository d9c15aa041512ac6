"""Speech with phone times, and how it is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from mouthpiece.lipsync.articulation import parse_ipa, shares

RATE = 16_000


@dataclass
class Segment:
    """One sound as the engine names it: ``start`` and ``end`` in seconds, ``ipa`` empty in a pause."""

    start: float
    end: float
    ipa: str


@dataclass(frozen=True)
class Utterance:
    """Speech of one voice. ``pcm`` int16 at 16 kHz; ``times`` (n, 2) seconds; ``phones`` (n,) indices."""

    voice: str
    language: str
    text: str
    pcm: NDArray[np.int16]
    times: NDArray[np.float32]
    phones: NDArray[np.int64]

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.pcm) / RATE


def to_16k(pcm: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """The sound at 16 kHz."""
    if rate == RATE:
        return pcm
    common = gcd(rate, RATE)
    y = resample_poly(pcm.astype(np.float32), RATE // common, rate // common)
    return np.clip(y, -32767, 32767).astype(np.int16)


def utterance(voice: str, language: str, text: str, pcm: NDArray[np.int16], segments: list[Segment]) -> Utterance:
    """Split the engine's segments into phones and keep them with the sound."""
    times: list[tuple[float, float]] = []
    phones: list[int] = []
    for s in segments:
        units = parse_ipa(s.ipa) or [0]
        edges = s.start + (s.end - s.start) * np.concatenate([[0], np.cumsum(shares(len(units)))])
        times += list(pairwise(edges))
        phones += units
    return Utterance(voice, language, text, pcm, np.array(times, np.float32).reshape(-1, 2), np.array(phones))


def save(path: Path, speech: list[Utterance]) -> None:
    """Write utterances to one compressed-free ``.npz``."""
    np.savez(
        path,
        pcm=np.concatenate([u.pcm for u in speech]),
        pcm_len=np.array([len(u.pcm) for u in speech]),
        times=np.concatenate([u.times for u in speech]),
        phones=np.concatenate([u.phones for u in speech]),
        phones_len=np.array([len(u.phones) for u in speech]),
        names=np.array([[u.voice, u.language, u.text] for u in speech]),
    )


def load(path: Path) -> list[Utterance]:
    """Read what ``save`` wrote."""
    z = dict(np.load(path))
    cut = np.cumsum(z["phones_len"])[:-1]
    parts = zip(
        z["names"],
        np.split(z["pcm"], np.cumsum(z["pcm_len"])[:-1]),
        np.split(z["times"], cut),
        np.split(z["phones"], cut),
        strict=True,
    )
    return [Utterance(str(n[0]), str(n[1]), str(n[2]), p, t, q) for n, p, t, q in parts]
