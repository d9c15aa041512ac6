"""The mouth as data, beside the video: an extension of ours for clients that open a data channel of this name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from mouthpiece.lipsync.visemes import VISEMES, lip_gap
from mouthpiece.media import MOUTH_SHAPES, SAMPLE_RATE
from mouthpiece.session.events import Frame

CHANNEL: Final = "mouthpiece-visemes"
"""Label of the data channel that a client opens to be told."""

Send = Callable[[str], None]


class VisemeStream:
    """Tells every listener what the mouth does at each picture; a mouth that stays at rest is told once."""

    def __init__(self) -> None:
        self._listeners: list[Send] = []
        self._resting = False

    def add(self, send: Send, fps: int) -> None:
        """Somebody listens from now on; the first message names what the numbers are."""
        send(_compact({"fps": fps, "visemes": VISEMES, "shapes": MOUTH_SHAPES}))
        self._listeners.append(send)
        self._resting = False

    def tell(self, frame: Frame) -> None:
        """The next picture."""
        if not self._listeners or (frame.resting and self._resting):
            return
        self._resting = frame.resting
        text = described(frame)
        for send in self._listeners:
            send(text)


def described(frame: Frame) -> str:
    """One picture in JSON: its number, media time in seconds, visemes, mouth shapes, and the lip gap in millimetres."""
    weights = frame.visemes or (1.0, *[0.0] * (len(VISEMES) - 1))
    return _compact(
        {
            "frame": frame.n,
            "time": round(frame.sample / SAMPLE_RATE, 4),
            "visemes": [round(w, 3) for w in weights],
            "shapes": [round(w, 3) for w in frame.pose.array().tolist()],
            "lip_gap": round(lip_gap(frame.pose), 2),
        }
    )


def _compact(value: dict[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))
