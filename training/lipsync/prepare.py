"""Steps 2 and 3 together: speech files to features and labels, several random tellings of each utterance."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mouthpiece.lipsync.features import HOP, WINDOW, mel_bands
from training.lipsync import augment
from training.lipsync.labels import Labels, Timeline, silent
from training.lipsync.speech import RATE, Utterance, load

NOT_SPEECH = 0.07
"""Share of clips without speech."""
_FILTERS = mel_bands()
_HANN = np.hanning(WINDOW).astype(np.float32)


def log_mel(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """All frames at once, shape (n, 40): the same numbers as ``mouthpiece.lipsync.features.LogMel``."""
    n = len(sound) // HOP
    padded = np.concatenate([np.zeros(WINDOW - HOP, np.float32), sound[: n * HOP]])
    spectrum = np.fft.rfft(sliding_window_view(padded, WINDOW)[::HOP][:n] * _HANN, 512)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return ((np.log(power @ _FILTERS + np.float32(1e-6)) + 4) / 3).astype(np.float32)


@dataclass
class Clips:
    """Features and labels of many clips, end to end; ``starts`` are the first frames of clips."""

    mel: list[NDArray[np.float16]]
    phones: list[NDArray[np.int8]]
    visemes: list[NDArray[np.int8]]
    closed: list[NDArray[np.int8]]
    shape: list[NDArray[np.float16]]

    def add(self, sound: NDArray[np.float32], labels: Labels) -> None:
        """Add a clip, cut to an even number of frames."""
        mel = log_mel(sound)
        n = len(mel) // 2 * 2
        self.mel.append(mel[:n].astype(np.float16))
        self.phones.append(labels.phones[:n].astype(np.int8))
        self.visemes.append(labels.visemes[:n].astype(np.int8))
        self.closed.append(labels.closed[:n].astype(np.int8))
        self.shape.append(labels.shape[:n].astype(np.float16))

    def save(self, path: Path) -> None:
        """Write one ``.npz``."""
        joined = {k: np.concatenate(v) for k, v in vars(self).items()}
        np.savez(path, **joined, lengths=np.array([len(m) for m in self.mel]))


def tellings(
    speech: list[Utterance], rng: np.random.Generator, *, plain: bool = False
) -> Iterator[tuple[NDArray[np.float32], Labels]]:
    """One random telling of each utterance in turn, and now and then sound that is no speech.

    ``plain``: as they are.
    """
    pool = [u.pcm for u in speech]
    for u in speech:
        heard = augment.plain(u.pcm) if plain else augment.augment(u.pcm, rng, pool)
        labels = Timeline.of(u).labels(len(heard.sound) // HOP, heard.scale, heard.offset)
        yield heard.sound, labels
        if rng.random() < NOT_SPEECH:
            sound = augment.not_speech(rng, int(rng.uniform(2, 5) * RATE), pool)
            yield sound.astype(np.float32), silent(len(sound) // HOP)


@dataclass(frozen=True)
class Amount:
    """``copies`` random tellings (``plain``: as they are) of a ``share`` of the utterances, shuffled by ``seed``."""

    copies: int
    seed: int
    share: float = 1.0
    plain: bool = False


def prepare(files: list[Path], out: Path, amount: Amount) -> None:
    """Write ``out`` with so much of the utterances in ``files``."""
    rng = np.random.default_rng(amount.seed)
    speech = [u for f in files for u in load(f)]
    clips = Clips([], [], [], [], [])
    for _ in range(amount.copies):
        order = rng.permutation(len(speech))[: int(len(speech) * amount.share)]
        for sound, labels in tellings([speech[i] for i in order], rng, plain=amount.plain):
            clips.add(sound, labels)
    clips.save(out)
    print(f"{out.name}: {len(clips.mel)} clips, {sum(map(len, clips.mel)) / 360000:.1f} h", flush=True)


def main() -> None:
    """Prepare features from a folder of speech."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speech", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--seed", type=int, default=11)
    a = parser.parse_args()
    prepare(sorted(a.speech.glob("*.npz")), a.out, Amount(a.copies, a.seed))


if __name__ == "__main__":
    main()
