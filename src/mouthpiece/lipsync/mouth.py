"""One mouth: shapes, closures and tone in, poses out. Shared by lip sync from sound and from known visemes."""

from __future__ import annotations

import numpy as np

from mouthpiece.lipsync.prosody import Tone
from mouthpiece.lipsync.smooth import Array, shown, smoothstep
from mouthpiece.media import MOUTH_SHAPES, REST, MouthPose

_EASE_SHUT = 10  # poses that an interrupted mouth takes to close
_AT_REST = np.zeros(len(MOUTH_SHAPES))


class Mouth:
    """The mouth of one session, a pose every 10 ms."""

    def __init__(self) -> None:
        self._last = self._from = _AT_REST
        self._easing = 0

    def show(self, shapes: Array, closure: float, tuck: float, tone: Tone) -> MouthPose:
        """The next pose: mouth shapes in the order of ``SHAPES``, closure and tuck 0..1, hushed by the tone's presence.

        With a presence of zero it is exactly ``REST``, as soon as an interruption has eased shut.
        """
        weights = _AT_REST
        if tone.presence > 0.0:
            weights = shown(shapes, closure, tuck, smoothstep(tone.presence), tone.loudness, tone.emphasis)
        if self._easing:
            self._easing -= 1
            weights = weights + smoothstep(self._easing / _EASE_SHUT) * (self._from - weights)
        self._last = weights
        values = weights.tolist()
        return MouthPose(*values) if any(values) else REST

    def interrupt(self) -> None:
        """Ease from the last pose to what comes now, over 100 ms."""
        self._from, self._easing = self._last, _EASE_SHUT
