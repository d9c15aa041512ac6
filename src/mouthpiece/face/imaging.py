"""Picture operations of the portrait builder. The only file of this room that imports OpenCV (extra ``faces``)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def resize(image: NDArray[np.generic], width: int, height: int) -> Floats:
    """Float copy at another size: area averaging down, Lanczos up."""
    shrinking = width < image.shape[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(image.astype(np.float32), (width, height), interpolation=method), np.float32)


def blur(image: NDArray[np.generic], sigma: float) -> Floats:
    """Gaussian blur; ``sigma`` in pixels."""
    return np.asarray(cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma), np.float32)


def reflected(image: Floats, beyond: tuple[int, int, int, int]) -> Floats:
    """The picture mirrored at its borders by ``beyond`` pixels (top, bottom, left, right), as often as that takes."""
    top, bottom, left, right = beyond
    rows, columns = (np.arange(-a, n + b) for a, n, b in ((top, image.shape[0], bottom), (left, image.shape[1], right)))
    return np.ascontiguousarray(image[_folded(rows, image.shape[0])][:, _folded(columns, image.shape[1])])


def _folded(index: NDArray[np.integer], size: int) -> NDArray[np.integer]:
    """Any index as one inside 0..size - 1, going back and forth."""
    there = index % max(1, 2 * (size - 1))
    return np.asarray(np.minimum(there, 2 * (size - 1) - there))


def box(image: Floats, size: int) -> Floats:
    """Mean over a ``size`` by ``size`` window."""
    return np.asarray(cv2.blur(image, (size, size)), np.float32)


def dilate(image: NDArray[np.generic], size: int) -> Floats:
    """Maximum over an elliptic window of ``size`` pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(image.astype(np.float32), kernel), np.float32)


def erode(image: NDArray[np.generic], width: int, height: int) -> Floats:
    """Minimum over a rectangular window."""
    return np.asarray(cv2.erode(image.astype(np.float32), np.ones((height, width))), np.float32)


def polygon_mask(outline: NDArray[np.floating], height: int, width: int) -> Floats:
    """Antialiased filled polygon, 0..1; ``outline`` (n, 2) in pixels."""
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(mask / 255, np.float32)


def remapped(image: Floats, x: NDArray[np.floating], y: NDArray[np.floating]) -> Floats:
    """The picture's values at (x, y), bilinear; beyond the border its edge."""
    places = (np.asarray(x, np.float32), np.asarray(y, np.float32))
    return np.asarray(cv2.remap(image, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def fill_holes(image: Floats, known: Floats) -> Floats:
    """Where ``known`` is 0, continue the known pixels smoothly (push-pull pyramid, Gortler et al. 1996)."""
    levels = [(image * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        colour, share = levels[-1]
        levels.append((_half(colour), _half(share)))
    colour, share = levels[-1]
    filled = colour / np.maximum(share, 1e-4)[..., None]
    for colour, share in levels[-2::-1]:
        up = cv2.resize(filled, (share.shape[1], share.shape[0]), interpolation=cv2.INTER_LINEAR)
        w = share.clip(0, 1)[..., None]
        here = np.where(w > 1e-3, colour / np.maximum(share, 1e-3)[..., None], up)
        filled = here * w + up * (1 - w)
    return np.asarray(np.where(known[..., None] > 0, image, filled), np.float32)


def _half(image: Floats) -> Floats:
    return np.asarray(cv2.pyrDown(image), np.float32)


def foreground_colours(source: Floats, back: Floats, matte: Floats) -> Floats:
    """Colours of the person without the background mixed in at soft edges (blur fusion, Forte 2021; r = 45, then 9)."""
    a = matte[..., None]
    front = source
    for size in (45, 9):
        share = box(matte, size)[..., None]
        mean_front = box(front * a, size) / (share + 1e-5)
        mean_back = box(back * (1 - a), size) / ((1 - share) + 1e-5)
        front = np.clip(mean_front + a * (source - a * mean_front - (1 - a) * mean_back), 0, 255)
    return np.asarray(np.where(a > 0.97, source, front), np.float32)


def turned(image: NDArray[np.generic], degrees: float, centre: tuple[float, float]) -> Floats:
    """The picture turned about a point (x, y); positive turns anticlockwise as seen. The border is mirrored."""
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    size = (image.shape[1], image.shape[0])
    source = image.astype(np.float32)
    return np.asarray(
        cv2.warpAffine(source, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.float32
    )


def region_of(mask: NDArray[np.bool], x: float, y: float) -> Floats:
    """1 in the connected part of ``mask`` that holds a point, 0 elsewhere; all of it when the point is not in it."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    row, column = (int(np.clip(v, 0, n - 1)) for v, n in zip((y, x), mask.shape, strict=True))
    label = labels[row, column]
    return np.asarray(labels == label if label else mask, np.float32)


def grab_cut(image: Bytes, sure: NDArray[np.bool], likely: NDArray[np.bool], never: NDArray[np.bool]) -> Floats:
    """Person from background by colour alone (GrabCut, Rother et al. 2004), 0 or 1, from first guesses."""
    state = np.full(image.shape[:2], cv2.GC_PR_BGD, np.uint8)
    state[likely], state[never], state[sure] = cv2.GC_PR_FGD, cv2.GC_BGD, cv2.GC_FGD
    back, front = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.setRNGSeed(1)
    cv2.grabCut(np.ascontiguousarray(image), state, (0, 0, 1, 1), back, front, 4, cv2.GC_INIT_WITH_MASK)
    return np.asarray((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD), np.float32)
