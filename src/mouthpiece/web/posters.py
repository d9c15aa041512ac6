"""A face as a still picture: for lists, while a call connects, and to look at every mouth of it."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mouthpiece.errors import BadInput
from mouthpiece.face.base import Face
from mouthpiece.lipsync.visemes import SHAPES, TABLE, VISEMES
from mouthpiece.media import REST, Look, MouthPose, Picture

SECONDS = 0.4
"""A moment of idle life with the eyes open, for every seed: the first blink comes later."""


def to_rgb(picture: Picture) -> NDArray[np.uint8]:
    """I420 (BT.601, limited range) to RGB, shape (height, width, 3)."""
    h, w = picture.height, picture.width
    flat = picture.data.reshape(-1)
    y = flat[: h * w].reshape(h, w).astype(np.float32) - 16
    u, v = (
        plane.reshape(h // 2, w // 2).astype(np.float32).repeat(2, 0).repeat(2, 1) - 128
        for plane in (flat[h * w : h * w * 5 // 4], flat[h * w * 5 // 4 :])
    )
    rgb = np.stack((1.164 * y + 1.596 * v, 1.164 * y - 0.392 * u - 0.813 * v, 1.164 * y + 2.017 * u), -1)
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8)


def poster(face: Face) -> bytes:
    """A JPEG of the face at rest, 512x512."""
    return still(face, Look(face.face_id), REST)


def saying(viseme: str, weight: float = 1.0) -> MouthPose:
    """The mouth of a viseme, ``weight`` 0..1 of its full shape. Raises BadInput."""
    if viseme not in VISEMES:
        raise BadInput(reason=f"no viseme {viseme[:20]}: give one of {', '.join(VISEMES)}")
    row = TABLE[VISEMES.index(viseme)] * weight
    return MouthPose(**dict(zip(SHAPES, map(float, row), strict=True)))


def still(face: Face, look: Look, pose: MouthPose) -> bytes:
    """A JPEG of the face with this look and mouth. Raises InvalidEmotion."""
    picture = face.renderer(look).draw(pose, SECONDS)
    out = io.BytesIO()
    Image.fromarray(to_rgb(picture)).save(out, "JPEG", quality=88)
    return out.getvalue()
