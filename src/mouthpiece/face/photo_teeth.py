"""Teeth that a portrait shows: their tone for the drawn rows, and the teeth themselves for the upper row."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.imaging import blur, erode, polygon_mask, remapped
from mouthpiece.face.interior import ARCH_COLUMNS, EDGE_MARGIN, ROW_MM, TOOTH_PICTURE

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
LEAST: Final = 40
"""Scene pixels of tooth below which a smile tells nothing."""
GREY: Final = 0.42
"""Teeth are less coloured than this (1 - least/greatest channel); gums and lips are more."""
TALL: Final = 3.0
"""Millimetres of tooth that must be seen in the middle before photographed teeth replace drawn ones."""


def tooth_mask(image: Floats, opening: Array) -> Floats:
    """Where the portrait (h, w, 3) shows teeth inside the lips' inner contour (n, 2), 0..1."""
    height, width = image.shape[:2]
    inside = polygon_mask(opening, height, width) > 0.9
    if inside.sum() < LEAST:
        return np.zeros((height, width), np.float32)
    luma = image @ LUMA
    colour = 1 - image.min(2) / np.maximum(image.max(2), 1)
    bright = luma > 0.62 * np.percentile(luma[inside], 92)
    whole = blur((inside & bright & (colour < GREY)).astype(np.float32), 0.7)
    return np.asarray(np.clip((whole - 0.25) / 0.5, 0, 1) * inside, np.float32)


def tooth_tone(image: Floats, opening: Array) -> Array | None:
    """Colour of the brighter half of the teeth that the portrait shows, None where it shows none."""
    mask = tooth_mask(image, opening) > 0.6
    if mask.sum() < LEAST:
        return None
    seen = image[mask].astype(float)
    luma = seen @ LUMA
    return np.asarray(seen[luma >= np.median(luma)].mean(0))


def photographed(picture: Array, arch_px: Array, arch_uv: Array, image: Floats, opening: Array) -> Array:
    """The drawn row of upper teeth with the portrait's own in it; unchanged where it shows too little of them.

    They are let down until their biting edge is where the drawn one was: the lips are shut at another height than the
    smile had them.

    Args:
        picture: drawn row, RGBA, TOOTH_PICTURE in size.
        arch_px: (2 * ARCH_COLUMNS, 2) where the arch's points lie in the portrait: top edges, then bottom edges.
        arch_uv: the same points in the picture.
        image: the portrait, RGB at scene size.
        opening: inner contour of its lips.
    """
    mask = tooth_mask(image, opening)
    x, y = _places(arch_px, arch_uv)
    tall, spare = _extent(remapped(mask, x, y))
    if tall < TALL:
        return picture
    down = (arch_px[ARCH_COLUMNS:] - arch_px[:ARCH_COLUMNS]).mean(0) / ROW_MM * spare
    x, y = x - down[0], y - down[1]
    teeth = remapped(mask, x, y)
    shown = remapped(erode(polygon_mask(opening, *image.shape[:2]), 3, 3), x, y)
    photo = remapped(image, x, y).astype(float)
    rgb = picture[..., :3] * (1 - teeth[..., None]) + photo * teeth[..., None]
    alpha = np.maximum(picture[..., 3] * (1 - shown), 255.0 * teeth)
    return np.concatenate([rgb, alpha[..., None]], 2).clip(0, 255)


def _extent(teeth: Floats) -> tuple[float, float]:
    """Height of the teeth in the middle of a tooth picture, and how far below them the drawn edge is, in mm."""
    per = TOOTH_PICTURE[1] / ROW_MM
    middle = teeth[:, TOOTH_PICTURE[0] // 2 - 40 : TOOTH_PICTURE[0] // 2 + 40] > 0.5
    seen = middle.any(0)
    if seen.mean() < 0.6:
        return 0.0, 0.0
    lowest = TOOTH_PICTURE[1] - np.argmax(middle[::-1], axis=0)[seen]
    tall = float(np.median(middle.sum(0)[seen])) / per
    return tall, max(0.0, ROW_MM - EDGE_MARGIN - float(np.median(lowest)) / per)


def _places(arch_px: Array, arch_uv: Array) -> tuple[Array, Array]:
    """For every pixel of the tooth picture its place in the portrait."""
    width, height = TOOTH_PICTURE
    columns = np.arange(width, dtype=float)
    down = np.linspace(0, 1, height)[:, None]
    rows = (slice(0, ARCH_COLUMNS), slice(ARCH_COLUMNS, None))
    edge = [[np.interp(columns, arch_uv[row, 0], arch_px[row, k]) for k in (0, 1)] for row in rows]
    x, y = (edge[0][k] * (1 - down) + edge[1][k] * down for k in (0, 1))
    return x, y
