"""Plain values that every room understands: sound, pictures, mouth poses, looks. No behaviour beyond arithmetic.

Time is an integer count of samples at 16 kHz everywhere inside the house. 16 kHz divides evenly into the clocks of
RTP: one sample is 3 ticks of Opus's 48 kHz clock, and 8 samples are 45 ticks of the 90 kHz video clock (RFC 3551).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE: Final = 16_000
"""Samples a second of all sound inside the house (mono, signed 16 bit)."""

TICK: Final = 320
"""Samples in one 20 ms tick, the length of one Opus packet."""

Pcm = NDArray[np.int16]
"""Mono 16 kHz sound, shape (n,)."""

SILENCE_BELOW: Final = 104
"""Peak amplitude of -50 dBFS in 16-bit samples (32768 * 10**(-50/20)): the line between sound and silence."""


def frame_sample(n: int, fps: int) -> int:
    """Sample at which picture ``n`` falls at ``fps`` pictures a second."""
    return n * SAMPLE_RATE // fps


def audio_pts(sample: int) -> int:
    """RTP timestamp (48 kHz) of a sample."""
    return sample * 3


def video_pts(sample: int) -> int:
    """RTP timestamp (90 kHz) of a sample."""
    return sample * 45 // 8


@dataclass(frozen=True, slots=True)
class MouthPose:
    """The mouth at one instant: weights of the face's mouth shapes, each 0 (rest) to about 1 (full).

    ``mouth_close`` is the exact inverse of ``jaw_open`` at the lips: equal values mean a lip gap of zero. The last
    two fields carry prosody for the rest of the face: ``loudness`` 0..1, and ``emphasis`` -0.3..0.5, positive on a
    stressed syllable (drives nods and brows).
    """

    jaw_open: float = 0.0
    mouth_close: float = 0.0
    pucker: float = 0.0
    funnel: float = 0.0
    stretch: float = 0.0
    smile: float = 0.0
    upper_up: float = 0.0
    lower_down: float = 0.0
    press: float = 0.0
    tuck: float = 0.0
    tongue_up: float = 0.0
    tongue_out: float = 0.0
    loudness: float = 0.0
    emphasis: float = 0.0

    def array(self) -> NDArray[np.float32]:
        """The weights as float32, shape (14,), in field order."""
        return np.array(_WEIGHTS(self), np.float32)


MOUTH_SHAPES: Final = tuple(f.name for f in fields(MouthPose))
_WEIGHTS: Final = attrgetter(*MOUTH_SHAPES)  # ``astuple`` copies deeply, at ten times the cost
REST: Final = MouthPose()
"""Lips together, jaw at rest: what silence looks like."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn around the mouth: which face, mood and canvas. Hashable: equal looks may share pictures.

    ``width`` and ``height`` in pixels, even; ``seed`` starts the idle life; ``start_frame`` shifts it, so that the
    first idle picture is the chosen one. ``position``: where the middle of the avatar's lower edge stands, as shares of
    the canvas. ``camera``: the nine numbers of ``face.camera.Camera``, empty for its own framing. ``background`` and
    ``foreground``: ids of pictures behind and before it, empty for its own background and for none. ``transparent``:
    nothing is behind it, and every picture shows its opacity beside its colours, see ``picture_size``.
    """

    face_id: str
    emotion: str = "natural"
    width: int = 512
    height: int = 512
    seed: int = 0
    start_frame: int = 0
    position: tuple[float, float] = (0.5, 1.0)
    camera: tuple[float, ...] = ()
    background: str = ""
    foreground: str = ""
    transparent: bool = False

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures in pixels: the canvas, twice as wide where its opacity stands beside it."""
        return (2 * self.width if self.transparent else self.width), self.height


@dataclass(frozen=True, slots=True)
class Picture:
    """One I420 picture (BT.601, limited range).

    ``data`` is uint8, C-contiguous, shape (height * 3 // 2, width): the Y plane, then U, then V, as FFmpeg's yuv420p
    with no padding. It may be a view into a renderer's own buffer, valid until that renderer draws again.
    """

    data: NDArray[np.uint8]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.data.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.data.shape[0]) * 2 // 3


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One encoded picture; ``sample`` is its media time. H.264 is Annex B, VP8 a bare frame."""

    data: bytes
    sample: int
    key: bool


@dataclass(frozen=True, slots=True)
class EncodedSound:
    """One 20 ms Opus packet, or PCM16LE where the way out encodes; ``sample`` is the media time of its first sample."""

    data: bytes
    sample: int
