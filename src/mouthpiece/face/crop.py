"""The square that a portrait is cut to: inside the picture where one fits, else continued beyond its border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.imaging import blur, reflected

FACE_SHARE: Final = 0.44
"""Share of the square's height from hairline to chin that is aimed at, as in the shipped faces."""
TIGHTEST: Final = 0.62
"""The same share at most: a face that nearly fills the square is better than a border that was made up."""
ACROSS: Final = (0.36, 0.64)
DOWN: Final = (0.48, 0.74)
"""Where the mouth may stand in the square before anything is made up, as shares of its side."""
MOUTH_AT: Final = (0.5, 0.60)

Picture = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the picture in its pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int

    def landmarks(self, points: NDArray[np.floating], size: int) -> NDArray[np.float64]:
        """Landmarks (n, 3) of the picture in pixels of the cut square of ``size``."""
        moved = np.asarray(points, np.float64) - [self.left, self.top, 0]
        return np.asarray(moved * (size / self.side))


def choose_crop(landmarks: NDArray[np.floating], width: int, height: int) -> Crop:
    """The square for a face with these landmarks (478, 3) in a picture of this size.

    A square inside the picture is preferred, with less head room or the face off the middle where that helps; only when
    even the tightest one does not fit does it reach beyond the border.
    """
    tall = float(np.linalg.norm(landmarks[10, :2] - landmarks[152, :2]))
    mouth = landmarks[[13, 14], :2].mean(0)
    middle = float(landmarks[[234, 454], 0].mean()), float(mouth[1])
    side = tall / FACE_SHARE
    while side > tall / TIGHTEST and not _fits(middle, side, (width, height)):
        side *= 0.98
    whole = round(side)
    return Crop(_corner(middle[0], width, whole, 0), _corner(middle[1], height, whole, 1), whole)


def _limits(axis: int) -> tuple[float, float]:
    return ACROSS if axis == 0 else DOWN


def _fits(middle: tuple[float, float], side: float, size: tuple[int, int]) -> bool:
    for axis in range(2):
        low, high = _limits(axis)
        nearest, farthest = middle[axis] - high * side, middle[axis] - low * side
        if side > size[axis] or farthest < 0 or nearest > size[axis] - side:
            return False
    return True


def _corner(at: float, span: int, side: int, axis: int) -> int:
    """As near to the wanted place as the picture allows, within what looks well."""
    low, high = _limits(axis)
    wanted = at - MOUTH_AT[axis] * side
    inside = min(max(wanted, 0.0), max(0.0, float(span - side)))
    return round(min(max(inside, at - high * side), at - low * side))


def cut(picture: Picture, crop: Crop) -> NDArray[np.float32]:
    """The square of a picture (h, w) or (h, w, channels), float; what lies beyond the border is made up.

    Beyond the border the picture is mirrored and blurred, the more the further: never a row repeated to a streak.
    """
    height, width = picture.shape[:2]
    right, bottom = crop.left + crop.side, crop.top + crop.side
    beyond = (max(0, -crop.top), max(0, bottom - height), max(0, -crop.left), max(0, right - width))
    inner = picture[max(0, crop.top) : min(height, bottom), max(0, crop.left) : min(width, right)].astype(np.float32)
    if not any(beyond):
        return np.ascontiguousarray(inner)
    return _softened_beyond(reflected(inner, beyond), beyond)


def _softened_beyond(whole: NDArray[np.float32], beyond: tuple[int, int, int, int]) -> NDArray[np.float32]:
    side = whole.shape[0]
    y, x = np.mgrid[0:side, 0 : whole.shape[1]]
    top, bottom, left, right = beyond
    out = np.maximum.reduce([top - y, y - (side - 1 - bottom), left - x, x - (whole.shape[1] - 1 - right)])
    away = np.clip(out, 0, None) / side
    for sigma, full_at in ((0.006, 0.01), (0.018, 0.035), (0.045, 0.09)):
        share = np.clip(away / full_at, 0, 1)
        share = share[..., None] if whole.ndim == 3 else share
        whole = (whole * (1 - share) + blur(whole, sigma * side) * share).astype(np.float32)
    return whole
