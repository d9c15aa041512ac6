"""Portrait to face pack: the way every face is made, drawn or photographed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mouthpiece.errors import InvalidPortrait
from mouthpiece.face import topology as topo
from mouthpiece.face.assembly import Scene, assemble
from mouthpiece.face.imaging import dilate, fill_holes, foreground_colours, resize
from mouthpiece.face.mesh import build_mesh
from mouthpiece.face.pack import SCENE, Pack
from mouthpiece.face.source import SIDE

TEXTURE = SIDE
"""Side of the stored portrait: twice the scene, else a sub-pixel sway blurs it to 0.37 of its sharpness."""

Bytes = NDArray[np.uint8]


def build(
    image: Bytes,
    landmarks: NDArray[np.floating],
    matte: NDArray[np.floating],
    *,
    face_id: str,
    name: str,
    plate: Bytes | None = None,
) -> Pack:
    """A face pack from a square portrait.

    Args:
        image: RGB, shape (s, s, 3), s at least 256; the face about 0.4 of its height.
        landmarks: (478, 3) in pixels of ``image`` (z on the same scale, away from the viewer).
        matte: (s, s), 0..1: how much of each pixel is the person.
        face_id: the id that requests will name.
        name: the name for people.
        plate: the background alone, where it is known; else it is continued behind the person.

    Raises:
        InvalidPortrait: sizes that do not fit together.
    """
    side = image.shape[0]
    if image.shape != (side, side, 3) or matte.shape != (side, side) or side < 256:
        raise InvalidPortrait(reason="a portrait must be square, at least 256 px, with a matte of the same size")
    if landmarks.shape != (topo.LANDMARKS, 3):
        raise InvalidPortrait(reason=f"{topo.LANDMARKS} landmarks with x, y and z are needed")
    alpha = resize(matte, TEXTURE, TEXTURE).clip(0, 1)
    colours = resize(image, TEXTURE, TEXTURE).clip(0, 255)
    behind = _plate(colours, alpha) if plate is None else resize(plate, TEXTURE, TEXTURE).clip(0, 255)
    front = foreground_colours(colours, behind, alpha)
    points = landmarks.astype(float) * (SCENE / side)
    small = resize(alpha, SCENE, SCENE).clip(0, 1)
    scene = Scene(resize(colours, SCENE, SCENE), small, points, build_mesh(points, small))
    made = assemble(scene)
    return Pack(
        face_id=face_id,
        name=name,
        portrait=_bytes(front),
        matte=_bytes(alpha * 255),
        plate=_bytes(behind),
        atlas=made.atlas,
        landmarks=points.astype(np.float32),
        rig=made.rig,
        vertices=made.vertices,
    )


def _plate(image: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """The background, continued behind the person and a margin of 9 px."""
    person = dilate((alpha > 0.03).astype(np.float32), 17)
    return fill_holes(image, (1 - person).astype(np.float32)).clip(0, 255)


def _bytes(values: NDArray[np.float32]) -> Bytes:
    return values.round().clip(0, 255).astype(np.uint8)
