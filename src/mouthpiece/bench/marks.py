"""Sound and pictures that tell the time of the second they belong to, and the twins that make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.base import Weights
from mouthpiece.lipsync.visemes import TimedViseme
from mouthpiece.live.base import SessionSpec
from mouthpiece.media import SAMPLE_RATE, Look, MouthPose, Pcm, Picture
from mouthpiece.session.events import EndReason

LOW, HIGH = 0.1, 0.9
TONE_HZ = 1000


def ramp(seconds: int) -> Pcm:
    """A tone whose amplitude rises from LOW to HIGH over every second."""
    t = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    return ((LOW + (HIGH - LOW) * (t % 1.0)) * 32767 * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.int16)


class MarkLipSync:
    """A lip-sync engine whose jaw is the amplitude at the pose's very instant, with the real look-ahead."""

    lookahead = 960
    told: Sequence[Weights] = ()

    def __init__(self) -> None:
        self._heard = np.zeros(0, np.int16)
        self._next = 0

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        """Poses every 10 ms; the amplitude is the peak of the 2 ms around the instant."""
        self._heard = np.concatenate((self._heard, pcm))
        out = []
        while len(self._heard) >= self.lookahead + 160:
            level = float(np.abs(self._heard[:16].astype(np.int32)).max()) / 32767
            out.append((self._next, MouthPose(jaw_open=level)))
            self._heard = self._heard[160:]
            self._next += 160
        return out

    def cue(self, visemes: Sequence[TimedViseme]) -> None:
        """The amplitude is all that counts."""

    def expect(self, words: Sequence[Word]) -> None:
        """The amplitude is all that counts."""

    def interrupt(self) -> None:
        """Nothing to ease."""


class MarkFace:
    """A face that is one grey: the jaw."""

    face_id = name = "mark"

    def renderer(self, look: Look) -> MarkFace:
        """Itself."""
        return self

    def lively(self, look: Look, seconds: float) -> bool:
        """Never."""
        return False

    def draw(self, pose: MouthPose, seconds: float) -> Picture:
        """A grey of 16 + 219 * jaw."""
        data = np.full((96, 64), 128, np.uint8)
        data[:64] = round(16 + 219 * min(1.0, pose.jaw_open))
        return Picture(data)


class Ledger:
    """Writes nothing down."""

    async def begin(self, spec: SessionSpec) -> None:
        """Nothing."""

    async def end(self, spec: SessionSpec, reason: EndReason, frames: int) -> None:
        """Nothing."""
