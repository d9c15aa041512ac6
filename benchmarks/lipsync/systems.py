"""Who is scored: this project's lip sync, live, patient and with known text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from training.lipsync.engines.espeak import Espeak
from training.lipsync.labels import on_grid
from training.lipsync.speech import Utterance

from benchmarks.lipsync.score import Guess
from mouthpiece.lipsync import follow_visemes
from mouthpiece.lipsync.articulation import VISEME_OF, Word, spoken_shapes, words_of
from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.cues import described
from mouthpiece.lipsync.listen import AudioLipSync, Frame, track_of
from mouthpiece.lipsync.visemes import VISEMES, TimedViseme
from mouthpiece.media import MouthPose, Pcm

PIECE = 640
"""Samples pushed at once (40 ms), as a live call would."""
SPEAKS = {"en": "en-us"}
System = Callable[[Utterance], Guess]


@cache
def _face() -> Callable[[MouthPose], float]:
    """Lip gap in mm of the first built-in face's mesh."""
    from mouthpiece.face.catalog import SHIPPED, load

    return load(SHIPPED[0].alias).lip_gap


def follow(pcm: Pcm, *, patient: bool = False, words: Sequence[Word] = ()) -> list[Frame]:
    """All frames of a sound, pushed in pieces, with enough silence after it."""
    sync = AudioLipSync(patient=patient)
    sync.expect(words)
    padded = np.concatenate([pcm, np.zeros(sync.lookahead + POSE_STEP, np.int16)])
    frames = [f for at in range(0, len(padded), PIECE) for f in sync.follow(padded[at : at + PIECE])]
    return frames[: len(pcm) // POSE_STEP]


def guess(frames: Sequence[Frame], gap: Callable[[MouthPose], float] | None) -> Guess:
    """The frames as the scorer wants them."""
    shape = np.array([f.shape for f in frames], np.float64)
    return Guess(
        np.array([f.visemes for f in frames], np.float64),
        None if gap is None else np.array([gap(f.pose) for f in frames]),
        np.array([f.closure > 0.5 for f in frames]),
        shape[:, 1],
        shape[:, 3],
    )


@cache
def _voice() -> Espeak:
    return Espeak()


def spoken_words(text: str, language: str) -> list[Word]:
    """The words of a text as espeak-ng would say them."""
    voice = _voice()
    if not voice.choose(SPEAKS.get(language, language)):
        raise ValueError(f"espeak-ng has no voice for {language}")
    voice.tune(165, 50, 50)
    return words_of(*voice.pronounce(text))


@dataclass(frozen=True)
class Ours:
    """This project's lip sync."""

    patient: bool = False
    text: bool = False
    drawn: bool = True

    def __call__(self, u: Utterance) -> Guess:
        """Score material of one utterance."""
        words = spoken_words(u.text, u.language) if self.text else ()
        return guess(follow(u.pcm, patient=self.patient, words=words), _face() if self.drawn else None)


@dataclass(frozen=True)
class KnownPhones:
    """The mouth driven by the true phones, as of a voice that tells them."""

    def __call__(self, u: Utterance) -> Guess:
        """Score material of one utterance."""
        shown = spoken_shapes(u.phones)
        spans = [
            TimedViseme(round(a * 16_000), round(b * 16_000), VISEMES[VISEME_OF[p]])
            for (a, b), p in zip(u.times.tolist(), shown, strict=True)
            if b > a
        ]
        sync = follow_visemes(spans)
        padded = np.concatenate([u.pcm, np.zeros(sync.lookahead + POSE_STEP, np.int16)])
        poses = [pose for at in range(0, len(padded), PIECE) for _, pose in sync.push(padded[at : at + PIECE])]
        n = len(u.pcm) // POSE_STEP
        truth = on_grid(u.times, VISEME_OF[shown], n)
        return Guess(np.eye(len(VISEMES))[truth], np.array([_face()(pose) for pose in poses[:n]]))


OURS: dict[str, System] = {
    "audio, live (60 ms)": Ours(),
    "audio, patient (file)": Ours(patient=True),
    "text-informed, live": Ours(text=True),
    "true phones": KnownPhones(),
}


def opening_of(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """The lip gap over time that the live system tells, as ``mouthpiece lipsync --live`` prints it."""
    return np.array([frame["lip_gap"] for frame in described(track_of(follow(pcm)))])
