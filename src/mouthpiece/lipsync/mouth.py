"""One mouth: shapes, closures and tone in, poses out. Shared by lip sync from sound and from known visemes."""

from __future__ import annotations

import numpy as np

from mouthpiece.lipsync.prosody import Tone
from mouthpiece.lipsync.smooth import Array, articulate, smoothstep
from mouthpiece.media import MOUTH_SHAPES, REST, MouthPose

_EASE_SHUT = 10  # poses that an interrupted mouth takes to close


class Mouth:
    """The mouth of one session, a pose every 10 ms."""

    def __init__(self) -> None:
        self._last = self._from = np.zeros(len(MOUTH_SHAPES))
        self._easing = 0

    def show(self, shapes: Array, closure: float, tuck: float, tone: Tone) -> MouthPose:
        """The next pose: mouth shapes in the order of ``SHAPES``, closure and tuck 0..1, hushed by the tone's presence.

        With a presence of zero it is exactly ``REST``, as soon as an interruption has eased shut.
        """
        weights = np.zeros(len(MOUTH_SHAPES))
        if tone.presence > 0.0:
            weights[:-2], weights[-2], weights[-1] = articulate(shapes, closure, tuck), tone.loudness, tone.emphasis
            weights *= smoothstep(tone.presence)
        if self._easing:
            self._easing -= 1
            weights += smoothstep(self._easing / _EASE_SHUT) * (self._from - weights)
        self._last = weights
        return MouthPose(*weights.tolist()) if weights.any() else REST

    def interrupt(self) -> None:
        """Ease from the last pose to what comes now, over 100 ms."""
        self._from, self._easing = self._last, _EASE_SHUT
