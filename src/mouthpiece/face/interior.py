"""Inside of the mouth: pictures of teeth and tongue in the portrait's light, and their places in the head.

Places are millimetres in the mouth's own frame: origin in the middle of the seam, y in the image plane, so that a
wrong estimate of the head's pitch cannot slide the teeth under a lip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.imaging import resize

Array = NDArray[np.float64]

TOOTH_PICTURE: Final = (320, 96)
"""Width and height of a row of teeth: 52 mm along the arch by 11 mm."""
ARCH_MM, ROW_MM = 26.0, 11.0
EDGE_MARGIN: Final = 0.8
"""Empty millimetres beyond the biting edge, so that the edge is antialiased by the picture's alpha."""
UPPER_TEETH: Final = ((8.6, 9.6), (6.6, 8.8), (7.4, 9.6), (6.6, 8.4), (6.4, 7.8))
LOWER_TEETH: Final = ((5.3, 8.4), (5.8, 8.6), (6.6, 9.2), (6.8, 8.4), (6.8, 8.0))
"""Width and height in mm from the middle outwards (Wheeler's tables of dental anatomy, rounded)."""
ARCH_COLUMNS: Final = 17
TONGUE_GRID: Final = (7, 5)
TONGUE_TOP: Final = -4.2


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours inside the mouth, RGB 0..255."""

    teeth: Array
    gum: Array
    tongue: Array
    cavity: Array
    shadow: Array


def palette(skin: Array, eye_white: float) -> Palette:
    """Colours for a face with this skin colour, whose eye whites have this brightness.

    Teeth take the light from the eye whites, so that they are as bright on a dark face, and from a light skin where
    the eyes lie in shadow. A grey portrait gets a grey mouth.
    """
    weights = np.array([0.299, 0.587, 0.114])
    light = float(skin @ weights)
    colour = float(np.clip((skin.max() - skin.min()) / max(skin.max(), 1) / 0.18, 0, 1))
    flesh = float(np.clip(0.5 * light + 0.5 * eye_white * 0.75, 60, 200))
    white = float(np.clip(max(eye_white * 0.93, 0.35 * eye_white + 0.60 * light), 100, 226))

    def tint(r: float, g: float, b: float, level: float) -> Array:
        full = np.array([r, g, b]) * level
        grey = full @ weights
        return np.asarray(grey + (full - grey) * colour)

    return Palette(
        teeth=tint(1.04, 0.99, 0.92, white),
        gum=tint(0.92, 0.52, 0.52, flesh),
        tongue=tint(1.12, 0.60, 0.58, flesh),
        cavity=tint(0.42, 0.15, 0.15, flesh),
        shadow=tint(0.20, 0.06, 0.06, flesh),
    )


def smoothstep(low: float, high: float, x: Array) -> Array:
    """0 below ``low``, 1 above ``high``, a cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def teeth_picture(colours: Palette, upper: bool) -> Array:
    """A row of ten teeth with gum, RGBA float, TOOTH_PICTURE in size; the biting edge at the bottom if ``upper``."""
    scale = 3
    width, height = TOOTH_PICTURE[0] * scale, TOOTH_PICTURE[1] * scale
    x, y = np.meshgrid(np.linspace(-ARCH_MM, ARCH_MM, width), np.linspace(0, ROW_MM, height))
    from_edge = (ROW_MM - y if upper else y) - EDGE_MARGIN
    rgb = np.broadcast_to(colours.gum, (height, width, 3)).copy()
    behind = _behind(colours, from_edge)
    cover = np.zeros((height, width))
    start = 0.0
    for k, (wide, tall) in enumerate(UPPER_TEETH if upper else LOWER_TEETH):
        for sign in (-1, 1):
            across = (x - sign * (start + wide / 2)) / (wide / 2 * 0.985)
            along = 1 - (from_edge - (0.20 if k == 1 else 0.08 * k) * (1 if upper else 0.4)) / tall
            alpha, shade = _tooth(across, along, k)
            rgb = rgb * (1 - alpha[..., None]) + colours.teeth * shade[..., None] * alpha[..., None]
            cover = np.maximum(cover, alpha)
        start += wide
    rgb = rgb * cover[..., None] + behind * (1 - cover[..., None])
    cover = np.maximum(cover, smoothstep(0.30, 0.75, from_edge) * (np.abs(x) < ARCH_MM - 1))
    rgb *= (1 - 0.62 * smoothstep(9, 25, np.abs(x)))[..., None] * (1.0 if upper else 0.86)
    out = np.concatenate([rgb.clip(0, 255), cover[..., None] * 255], 2)
    return resize(out, *TOOTH_PICTURE).astype(float)


def _behind(colours: Palette, from_edge: Array) -> Array:
    """Gum above, a soft shade of tooth between the teeth: embrasures read as thin lines, not as holes."""
    gum = smoothstep(7.0, 8.6, from_edge)[..., None]
    return np.asarray(colours.teeth * 0.86 * (1 - gum) + colours.gum * gum)


def _tooth(across: Array, along: Array, k: int) -> tuple[Array, Array]:
    """Coverage and shade of one tooth; ``across`` -1..1, ``along`` 0 at the gum, 1 at the biting edge."""
    edge = 1 - 0.02 * (k == 1) - 0.05 * np.abs(across) ** 5
    outline = np.abs(across) ** 7 + np.clip((along - 0.5) / (edge - 0.5), 0, 2) ** 9
    neck = np.abs(across) ** 2 * 0.16
    alpha = (1 - smoothstep(0.93, 1.05, outline)) * smoothstep(-0.03, 0.03, along - neck)
    shade = 0.95 + 0.07 * (1 - across**2) - 0.04 * smoothstep(0.75, 1.0, along)
    shade -= 0.12 * (1 - smoothstep(0.0, 0.3, along)) + 0.10 * np.abs(across) ** 6
    return alpha, shade * (1 - 0.04 * (k == 2) - 0.03 * (k > 2))


def tongue_picture(colours: Palette) -> Array:
    """The tongue from the tip (top) to the back, RGBA float, 128 x 96."""
    y, x = np.mgrid[0:96, 0:128]
    x, y = x / 127 * 2 - 1, y / 95
    cover = 1 - smoothstep(0.90, 1.0, np.abs(x) ** 2.4 + np.clip((0.45 - y) / 0.45, 0, 1) ** 2.2)
    shade = 0.70 + 0.42 * np.exp(-(x**2 / 0.5 + (y - 0.32) ** 2 / 0.12))
    shade += 0.16 * np.exp(-((np.abs(x) - 0.22) ** 2 / 0.02 + (y - 0.10) ** 2 / 0.006))  # the wet tip shines
    shade -= 0.12 * np.exp(-((x / 0.07) ** 2)) * smoothstep(0.05, 0.4, y)
    shade *= 1 - 0.30 * smoothstep(0.55, 1.0, np.abs(x))
    return np.concatenate([(colours.tongue * shade[..., None]).clip(0, 255), cover[..., None] * 255], 2)


def cavity_picture(colours: Palette) -> Array:
    """The back of the mouth: dark red, darkest in the middle; opaque RGBA float, 64 x 64."""
    y, x = np.mgrid[0:64, 0:64] / 63
    dark = np.exp(-(((x - 0.5) / 0.30) ** 2 + ((y - 0.45) / 0.34) ** 2))
    rgb = colours.cavity * (1.0 - 0.62 * dark)[..., None]
    return np.concatenate([rgb, np.full((64, 64, 1), 255.0)], 2)


def lid_picture(colours: Array, lash: Array) -> tuple[Array, Array]:
    """A lid (rows from crease to edge) and its lash line from a row of skin colours (n, 3); opaque RGBA float."""
    columns = resize(np.repeat(colours[None], 2, 0), 68, 2)[:1].astype(float)
    shades = np.interp(np.arange(40), [0, 6, 16, 26, 34, 39], [0.93, 0.97, 1.02, 1.03, 0.98, 0.88])
    skin = columns * shades[:, None, None]
    lashes = np.broadcast_to(lash, (8, 68, 3))
    return tuple(np.concatenate([p, np.full((*p.shape[:2], 1), 255.0)], 2).clip(0, 255) for p in (skin, lashes))  # type: ignore[return-value]


# --- places ---------------------------------------------------------------------------------------------------------
def arch(radius: float, top: float, depth: float, curve: float) -> Array:
    """A row of teeth on an arch of this radius, (2 * ARCH_COLUMNS, 3) mm: top edges, then bottom edges."""
    angle = np.linspace(-1, 1, ARCH_COLUMNS) * np.radians(78)
    x, z = radius * np.sin(angle), depth + 0.85 * radius * (1 - np.cos(angle))
    lift = curve * np.sin(angle) ** 2
    return np.concatenate([np.stack([x, y + lift, z], 1) for y in (top, top + ROW_MM)])


def arch_uv(radius: float) -> Array:
    """Picture coordinates of ``arch``'s points."""
    width, height = TOOTH_PICTURE
    along = np.linspace(-1, 1, ARCH_COLUMNS) * radius * 1.12 / ARCH_MM * 0.5 + 0.5
    across = np.concatenate([np.zeros(ARCH_COLUMNS), np.full(ARCH_COLUMNS, float(height))])
    return np.stack([np.tile(along * width, 2), across], 1)


def tongue_points(width: float, depth: float) -> tuple[Array, Array, Array]:
    """The tongue at rest behind the lower teeth: mm, picture coordinates, and how much of the tip each point is."""
    x, y = np.meshgrid(np.linspace(-1, 1, TONGUE_GRID[0]), np.linspace(0, 1, TONGUE_GRID[1]))
    place = np.stack(
        [x * 17 * width * (1 - 0.25 * (y - 0.3) ** 2), TONGUE_TOP + 15 * y + 1.9 * x**2, depth + 7 + 6 * x**2 - 5 * y],
        -1,
    )
    uv = np.stack([x * 63.5 + 64, y * 95], -1)
    return place.reshape(-1, 3), uv.reshape(-1, 2), ((1 - y) ** 1.2).reshape(-1)


def grid_triangles(columns: int, rows: int) -> NDArray[np.int32]:
    """Triangles of a regular grid of points, row by row."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    a, b, c, d = corner, corner + 1, corner + columns, corner + columns + 1
    return np.stack([np.stack([a, b, c], 1), np.stack([b, d, c], 1)], 1).reshape(-1, 3).astype(np.int32)
