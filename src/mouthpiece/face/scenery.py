"""Pictures behind and before a face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.pack import decoded, resized
from mouthpiece.face.rig import Bytes, Texels
from mouthpiece.face.stage import packed, texels
from mouthpiece.media import Picture


@dataclass(frozen=True, slots=True, eq=False)
class Scenery:
    """Decoded pictures of any size: ``background`` (h, w, 3), ``foreground`` (h, w, 4); None: none."""

    background: Bytes | None = None
    foreground: Bytes | None = None


EMPTY: Final = Scenery()


def scenery_of(background: bytes | None, foreground: bytes | None) -> Scenery:
    """From picture files."""
    return Scenery(
        None if background is None else decoded(background, "RGB"),
        None if foreground is None else decoded(foreground, "RGBA"),
    )


def covering(picture: Bytes, width: int, height: int) -> Bytes:
    """The middle of the picture, scaled so that it fills the canvas."""
    h, w = picture.shape[:2]
    scale = max(width / w, height / h)
    across, down = min(w, round(width / scale)), min(h, round(height / scale))
    left, top = (w - across) // 2, (h - down) // 2
    return resized(np.ascontiguousarray(picture[top : top + down, left : left + across]), width, height)


def backdrop(scenery: Scenery, width: int, height: int) -> Texels | None:
    """The background as a plate of this canvas."""
    return None if scenery.background is None else texels(packed(covering(scenery.background, width, height)))


class Overlay:
    """A foreground over pictures of one size, in a buffer of its own."""

    def __init__(self, foreground: Bytes, width: int, height: int) -> None:
        layer = covering(foreground, width, height)
        pixels = packed(layer[..., :3])
        self._out = np.zeros((height * 3 // 2, width), np.uint8)
        self._planes = []
        self.share = (layer[..., 3] / 255).astype(np.float32)
        """How much of each pixel is foreground, (h, w), 0..1."""
        for plane, (shift, half) in zip(planes(self._out), ((0, False), (16, True), (32, True)), strict=True):
            share = self.share
            level = (((pixels >> np.uint64(shift)) & np.uint64(255)) * share).astype(np.float32)
            if half:
                level, share = _halved(level), _halved(share)
            seen = np.nonzero(share.any(1))[0]
            rows = slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(0, 0)
            self._planes.append((plane, rows, (level[rows] + 0.5).astype(np.float32), (1 - share[rows])))

    def over(self, picture: Picture) -> Picture:
        """The picture with the foreground over it; a view, valid until the next call."""
        np.copyto(self._out, picture.data)
        for plane, rows, level, rest in self._planes:
            np.copyto(plane[rows], plane[rows] * rest + level, casting="unsafe")
        return Picture(self._out)


def planes(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Views of Y, U and V of an I420 picture."""
    height, width = picture.shape[0] * 2 // 3, picture.shape[1]
    flat, quarter = picture.reshape(-1), height * width // 4
    u_at, v_at = height * width, height * width + quarter
    half = (height // 2, width // 2)
    return [
        flat[:u_at].reshape(height, width),
        flat[u_at:v_at].reshape(half),
        flat[v_at : v_at + quarter].reshape(half),
    ]


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    h, w = plane.shape
    return np.asarray(plane.reshape(h // 2, 2, w // 2, 2).mean((1, 3)), np.float32)
