"""A face's scene on a canvas of some size: where it stands, its textures at that scale, and the background around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.detail import suited
from mouthpiece.face.pack import SCENE, Pack, halved, resized, softened
from mouthpiece.face.rig import GROUP, Bytes, Canvas, Floats, Pixels, Rig, Texels

OVERSAMPLE: Final = 2.0
"""Texels per canvas pixel. With 1 a head that sways by half a pixel loses two thirds of its sharpness; 2 keeps 85 %."""
INSIDE_OVERSAMPLE: Final = 1.25
"""The same for teeth, tongue and lids: they are small and have hard edges, which sampling at 2 leaves as stairs."""
MARGIN: Final = 2
"""Texels of its own border around the skin's texture: what filtering and rounding may reach over the edge."""
LARGEST_TEXTURE: Final = 2048 - 2 * MARGIN
NARROW: Final = 0.66
"""Share of the scene's width that an upright canvas must show: hair and neck, the shoulders may be cut."""
STRIP: Final = 256
"""As in the kernels: places that are turned into colours at a time."""

STRAIGHT: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The camera's map that changes nothing."""


@dataclass(frozen=True, slots=True)
class Placing:
    """canvas = scale * scene + (x, y)."""

    scale: float
    x: float
    y: float


def place(width: int, height: int) -> Placing:
    """Where the square scene stands: fills the height of a wide canvas; on an upright one it stands on the bottom."""
    scale = min(height / SCENE, width / (NARROW * SCENE))
    return Placing(scale, (width - SCENE * scale) / 2, height - SCENE * scale)


def packed(rgb: NDArray[np.integer], alpha: NDArray[np.integer] | None = None) -> Pixels:
    """RGB and alpha 0..255 as uint64 lanes Y, U, V, A (ITU-R BT.601, limited range)."""
    r, g, b = (rgb[..., k].astype(np.float32) for k in range(3))
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255
    v = 128 + (112.0 * r - 93.786 * g - 18.214 * b) / 255
    a = np.full(y.shape, 255, np.uint64) if alpha is None else alpha.astype(np.uint64)
    out = a << np.uint64(48)
    for shift, plane in ((0, y), (16, u), (32, v)):
        out |= plane.round().clip(0, 255).astype(np.uint64) << np.uint64(shift)
    return np.ascontiguousarray(out)


def texels(pixels: Pixels) -> Texels:
    """The same in a byte each, in the order Y, V, U, A: half the memory that a picture has to be fetched from."""
    lane = [(pixels >> np.uint64(shift)).astype(np.uint32) & np.uint32(255) for shift in (0, 32, 16, 48)]
    return np.ascontiguousarray(lane[0] | lane[1] << np.uint32(8) | lane[2] << np.uint32(16) | lane[3] << np.uint32(24))


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What all renderers of one face and one canvas size share."""

    rig: Rig
    skin: Texels
    atlas: Texels
    plate: Texels
    background: Bytes
    uv: Floats
    framing: Floats

    def canvas(self, plate: Texels | None = None) -> Canvas:
        """A renderer's own canvas on this stage, showing the background, or another one (texels, canvas size)."""
        behind = self.plate if plate is None else plate
        height, width = behind.shape
        return Canvas(
            skin=self.skin,
            atlas=self.atlas,
            plate=behind,
            pixels=behind.copy(),
            places=np.zeros((height, width), np.int64),
            spans=np.tile(np.array([width, 0, width, 0], np.int32), (height, 1)),
            strip=np.zeros(8 * STRIP, np.uint32),
            out=self.background.copy() if plate is None else converted(plate),
            framing=self.framing.copy(),
        )


def converted(pixels: Texels) -> Bytes:
    """Texels as an I420 picture."""
    from mouthpiece.face.kernels import convert

    height, width = pixels.shape
    out = np.zeros((height * 3 // 2, width), np.uint8)
    convert(pixels, out, np.tile(np.array([0, width, 0, width], np.int32), (height, 1)))
    return out


def set_stage(pack: Pack, width: int, height: int) -> Stage:
    """Textures and background of ``pack`` for a canvas; both sides even."""
    placing = place(width, height)
    side = min(round(OVERSAMPLE * SCENE * placing.scale), LARGEST_TEXTURE)
    per_pixel = side / SCENE
    skin = texels(packed(resized(pack.portrait, side, side), resized(pack.matte, side, side)))
    skin = np.ascontiguousarray(np.pad(skin, MARGIN, mode="edge"))
    shrink = min(1.0, INSIDE_OVERSAMPLE * placing.scale * float(pack.rig.body[6]) / ATLAS_PER_MM)
    rows, columns = (max(8, round(n * shrink)) for n in pack.atlas.shape[:2])
    atlas = resized(pack.atlas, columns, rows)
    plate = texels(packed(_background(pack.plate, width, height, placing)))
    uv = pack.vertices.uv * np.float32(per_pixel) + np.float32(MARGIN)
    for first, last in ((GROUP.cavity, GROUP.roll), (GROUP.shade, GROUP.end)):
        a, b = pack.rig.groups[first], pack.rig.groups[last]
        uv[a:b] = pack.vertices.uv[a:b] * [columns / pack.atlas.shape[1], rows / pack.atlas.shape[0]]
    return Stage(
        rig=suited(pack.rig, pack.vertices.uv, placing.scale),
        skin=skin,
        atlas=texels(packed(atlas[..., :3], atlas[..., 3])),
        plate=plate,
        background=converted(plate),
        uv=np.ascontiguousarray(uv, np.float32),
        framing=np.array([placing.scale, placing.x, placing.y, per_pixel, *STRAIGHT, MARGIN], np.float32),
    )


ATLAS_PER_MM: Final = 320 / 52
"""Pixels of the stored atlas per millimetre of tooth."""


def _background(plate: Bytes, width: int, height: int, placing: Placing) -> Bytes:
    """The plate on the canvas, continued beyond its edges where the canvas is larger and cut where it is smaller."""
    side = max(2, round(SCENE * placing.scale))
    scaled = (halved if side < len(plate) else resized)(plate, side, side)
    soft = softened(scaled, 0.03 * side).astype(np.float32)
    left, top = round(placing.x), round(placing.y)
    wide = _continued(scaled.astype(np.float32), soft, left, width)
    soft = _continued(soft, soft, left, width)
    tall = _continued(wide.swapaxes(0, 1), soft.swapaxes(0, 1), top, height).swapaxes(0, 1)
    return np.asarray(tall.round().clip(0, 255), np.uint8)


def _continued(picture: Floats, soft: Floats, before: int, size: int) -> Floats:
    """Columns 0..size of a canvas on which ``picture`` starts at column ``before``.

    Beyond an edge the colours run on in their own direction (odd reflection of the blurred picture, fading to the
    edge's colour), and the grain is mirrored: no crease where a mirror would turn a gradient back, no repeated row.
    """
    side = picture.shape[1]
    at = np.arange(size) - before
    near = at.clip(0, side - 1)
    mirrored = _mirrored(at, side)
    away = np.abs(at - near)[None, :, None] / side
    run_on = 2 * soft[:, near] - soft[:, mirrored]
    fade = np.exp(-((away / 0.30) ** 2))
    beyond = soft[:, near] * (1 - fade) + run_on * fade + (picture - soft)[:, mirrored]
    return np.where(away > 0, beyond, picture[:, near]).astype(np.float32)


def _mirrored(index: NDArray[np.integer], size: int) -> NDArray[np.integer]:
    wrapped = index % (2 * size)
    return np.asarray(np.where(wrapped < size, wrapped, 2 * size - 1 - wrapped))
