"""The matte of a portrait: who is person and who is background, sharp at hair and shoulders."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo
from mouthpiece.face.imaging import blur, box, dilate, grab_cut, polygon_mask, region_of, resize

SURE: Final = 0.8
"""Mean of the segmentation inside the face below which it is no use: flat drawings give 0.0, photographs 0.99."""

RADIUS: Final = 12
EDGE: Final = 1e-3
"""Window (pixels at 1024) and regularisation of the guided filter (He, Sun, Tang 2010)."""

GRAB_SIDE: Final = 256

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def refined(image: Bytes, rough: NDArray[np.floating], landmarks: NDArray[np.floating]) -> tuple[Floats, float]:
    """A matte (s, s), 0..1, from a rough one of any size, and how sure it is (0..1, see ``SURE``).

    Args:
        image: the square portrait, (s, s, 3).
        rough: how much of each pixel is a person, 0..1, as a segmentation network gives it.
        landmarks: (478, 3) in pixels of ``image``.
    """
    side = image.shape[0]
    mask = resize(rough, side, side).clip(0, 1)
    oval = polygon_mask(landmarks[list(topo.OVAL), :2], side, side)
    certainty = float(mask[oval > 0.5].mean())
    grey = (image @ np.array([0.299, 0.587, 0.114], np.float32) / 255).astype(np.float32)
    radius = max(2, RADIUS * side // 1024)
    sharp = ((_guided(grey, mask, radius) - 0.15) / 0.7).clip(0, 1)
    matte = np.maximum(sharp, blur(oval, side / 256))
    nose = landmarks[4]
    mine = dilate(region_of(matte > 0.5, float(nose[0]), float(nose[1])), max(3, side // 56) | 1)
    return np.asarray(matte * mine, np.float32), certainty


def guessed(image: Bytes, landmarks: NDArray[np.floating]) -> tuple[Floats, float]:
    """A matte by colour alone, where no segmentation is at hand; and how sure it is, as ``refined``."""
    small = resize(image, GRAB_SIDE, GRAB_SIDE).clip(0, 255).astype(np.uint8)
    points = landmarks[:, :2] * (GRAB_SIDE / image.shape[0])
    oval = points[list(topo.OVAL)]
    centre = oval.mean(0)
    tall, wide = np.ptp(oval[:, 1]), np.ptp(oval[:, 0])
    y, x = np.mgrid[0:GRAB_SIDE, 0:GRAB_SIDE]
    head = ((x - centre[0]) / (0.72 * wide)) ** 2 + ((y - centre[1] + 0.10 * tall) / (0.80 * tall)) ** 2 < 1
    chin = float(oval[:, 1].max())
    spread = 0.55 * wide + 1.1 * np.clip(y - chin, 0, None)
    body = (y > chin - 0.1 * tall) & (np.abs(x - centre[0]) < spread)
    neck = (y > chin) & (np.abs(x - centre[0]) < 0.25 * wide)
    sure = (polygon_mask(oval, GRAB_SIDE, GRAB_SIDE) > 0.5) | neck
    above = y < oval[:, 1].min() - 0.75 * tall
    rough = grab_cut(small, sure, head | body, above)
    covered = float(rough[(head | body) & ~above].mean())
    matte, _ = refined(image, blur(rough, 1.0), landmarks)
    return matte, 1.0 if covered > 0.35 and rough.mean() < 0.92 else 0.0


def _guided(guide: Floats, mask: Floats, radius: int) -> Floats:
    size = 2 * radius + 1
    mean_guide, mean_mask = box(guide, size), box(mask, size)
    slope = (box(guide * mask, size) - mean_guide * mean_mask) / (box(guide * guide, size) - mean_guide**2 + EDGE)
    return np.asarray(box(slope, size) * guide + box(mean_mask - slope * mean_guide, size), np.float32)
