"""The lip-sync engine on the session's clock.

The lip-sync engine counts the samples that it heard; the session counts the samples that it plays. They differ: a
sleeping mouth hears nothing, and look-ahead that was never played (padding that real sound replaced) is heard but has
no place on the session's clock. This file keeps the two apart.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from mouthpiece.lipsync.base import POSE_STEP, LipSync, Weights
from mouthpiece.lipsync.visemes import SIL, VISEMES
from mouthpiece.media import REST, MouthPose, Pcm
from mouthpiece.session.script import NOTHING, Cue

SILENCE: Final[Weights] = np.eye(len(VISEMES), dtype=np.float32)[SIL]
"""Weights of the visemes of a mouth at rest."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    """From ``heard`` on, a sample heard at ``heard + x`` is played at ``played + x``."""

    heard: int
    played: int


class MouthTrack:
    """Poses by session sample. Feed sound in playout order, each piece with the sample at which it plays."""

    def __init__(self, lipsync: LipSync) -> None:
        self._lipsync = lipsync
        self._heard = 0
        self._anchors = deque([_Anchor(0, 0)])
        self._poses: deque[tuple[int, MouthPose, Weights]] = deque()
        self._current = REST
        self._told: Weights = SILENCE

    @property
    def lookahead(self) -> int:
        """Samples after a pose's own that must have been fed before it is complete."""
        return self._lipsync.lookahead

    def feed(self, start: int, pcm: Pcm, cue: Cue = NOTHING) -> None:
        """``pcm`` plays at ``start``. Going back replaces what was fed for that time; going forward leaves a pause.

        ``cue``: what is known of it.
        """
        last = self._anchors[-1]
        if start - last.played != self._heard - last.heard:
            self._anchor(start)
        self._lipsync.cue(cue.visemes)
        if cue.words:
            self._lipsync.expect(cue.words)
        self._hear(pcm)

    def _anchor(self, start: int) -> None:
        """What is fed next plays at ``start``. A few zeros keep the poses on the session's own grid of pose steps."""
        filler = (start - self._heard) % POSE_STEP
        self._anchors.append(_Anchor(self._heard + filler, start))
        while self._poses and self._poses[-1][0] >= start:
            self._poses.pop()
        self._hear(np.zeros(filler, np.int16))

    def _hear(self, pcm: Pcm) -> None:
        self._heard += len(pcm)
        poses = self._lipsync.push(pcm)
        told = self._lipsync.told or [SILENCE] * len(poses)
        for (heard, pose), weights in zip(poses, told, strict=True):
            played = self._played(heard)
            if played is not None:
                self._poses.append((played, pose, weights))

    def interrupt(self) -> None:
        """What was fed and not yet played will not be heard: ease the mouth shut from here on."""
        self._lipsync.interrupt()

    def at(self, sample: int) -> MouthPose:
        """The pose at ``sample``; calls must not go back in time."""
        while self._poses and self._poses[0][0] <= sample:
            _, self._current, self._told = self._poses.popleft()
        return self._current

    @property
    def visemes(self) -> tuple[float, ...]:
        """Weights of the fifteen visemes at the pose that ``at`` gave last."""
        return tuple((SILENCE if self._current == REST else self._told).tolist())

    def rested(self) -> bool:
        """Whether the mouth is shut now and in every pose that is already known."""
        return self._current == REST and all(pose == REST for _, pose, _ in self._poses)

    def _played(self, heard: int) -> int | None:
        """Session sample of a heard sample, None when it was replaced before it was played."""
        while len(self._anchors) > 1 and self._anchors[1].heard <= heard:
            self._anchors.popleft()
        played = self._anchors[0].played + heard - self._anchors[0].heard
        replaced = any(later.played <= played for later in list(self._anchors)[1:])
        return None if replaced else played
