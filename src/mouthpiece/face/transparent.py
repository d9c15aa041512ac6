"""Pictures that carry their own matte: colours on the left, how much of them is person on the right.

The renderer composes every layer's opacity in the A lane of its canvas, over a plate of one colour with none. What
that plate has lent to soft edges is taken out again, so that the colours are straight (not premultiplied).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from mouthpiece.face.rig import Bytes, Texels
from mouthpiece.face.scenery import Overlay, planes
from mouthpiece.media import Picture

NOBODY: Final = np.uint32(126 | 128 << 8 | 128 << 16)
"""Where nobody is: grey, which a lossy codec mixes into an edge with the least to be seen; A 0."""

FAINT: Final = np.uint8(8)
"""Opacity of 255 below which a pixel keeps the plate's colour: there is not enough of its own to work it out."""


def nobody(width: int, height: int) -> Texels:
    """A plate for transparent pictures."""
    return np.full((height, width), NOBODY, np.uint32)


def parted(picture: Picture) -> tuple[Picture, Bytes]:
    """The picture that a transparent look was drawn as, and its opacity (h, w), 0..255."""
    height, width = picture.height, picture.width // 2
    left = np.concatenate([plane[:, : plane.shape[1] // 2].reshape(-1) for plane in planes(picture.data)])
    grey = planes(picture.data)[0][:, width:]
    return Picture(left.reshape(height * 3 // 2, width)), _FROM_GREY[grey]


class Matting:
    """The last thing that happens to a renderer's transparent pictures."""

    def __init__(self, pixels: Texels, overlay: Overlay | None) -> None:
        """``pixels``: the canvas that is drawn on; ``overlay``: what was laid over the pictures before."""
        self._pixels = pixels
        self._front = None if overlay is None else overlay.share
        height, width = pixels.shape
        self._sheet = _Sheet(width, height)

    def apply(self, picture: Picture) -> Picture:
        """The picture drawn last, beside its opacity; a view, valid until the next call."""
        opacity = (self._pixels >> np.uint32(24)).astype(np.uint8)
        if self._front is not None:
            covered = 255 * self._front + opacity * (1 - self._front)
            opacity = (covered + np.float32(0.5)).astype(np.uint8)
        out = self._sheet.put(picture, opacity)
        self._straighten(out, opacity)
        return out

    def _straighten(self, out: Picture, opacity: Bytes) -> None:
        """Take the plate's share out of the colours of soft edges."""
        luma, u, v = planes(out.data)
        _unmix((luma,), opacity, 126)
        _unmix((u, v), _quartered(opacity), 128)


class _Sheet:
    """A picture twice as wide, whose right half is grey."""

    def __init__(self, width: int, height: int) -> None:
        self._out = np.full((height * 3 // 2, 2 * width), 128, np.uint8)
        self._planes = planes(self._out)

    def put(self, picture: Picture, opacity: Bytes) -> Picture:
        for ours, theirs in zip(self._planes, planes(picture.data), strict=True):
            ours[:, : theirs.shape[1]] = theirs
        self._planes[0][:, picture.width :] = np.take(_TO_GREY, opacity)
        return Picture(self._out)


def _unmix(wide: Sequence[Bytes], opacity: Bytes, plate: int) -> None:
    """In place, in the left halves of planes. Only the few per cent of pixels that are neither full nor faint."""
    rows, columns = np.divmod(np.flatnonzero(opacity.reshape(-1) - FAINT < 255 - FAINT), opacity.shape[1])
    share = 255 / opacity[rows, columns].astype(np.float32)
    for plane in wide:
        colour = plate + (plane[rows, columns] - np.float32(plate)) * share
        plane[rows, columns] = (colour + np.float32(0.5)).clip(0, 255).astype(np.uint8)


def _quartered(opacity: Bytes) -> Bytes:
    """The mean of each four neighbours, as chroma has it; integers, in a twentieth of the time of ``mean``."""
    pairs = opacity[::2].astype(np.uint16) + opacity[1::2]
    return ((pairs[:, ::2] + pairs[:, 1::2] + 2) >> 2).astype(np.uint8)


_LEVELS: Final = np.arange(256, dtype=np.float32)
_TO_GREY: Final = (16 + _LEVELS * 219 / 255).round().astype(np.uint8)
_FROM_GREY: Final = ((_LEVELS - 16) * 255 / 219).round().clip(0, 255).astype(np.uint8)
