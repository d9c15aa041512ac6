"""A face's numbers as the compiled renderer takes them: vertices, layers, canvases. Plain arrays, no behaviour."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Pixels = NDArray[np.uint64]
Texels = NDArray[np.uint32]
Places = NDArray[np.int64]


class State(NamedTuple):
    """Where each number lies in the state vector, after the shape weights."""

    yaw: int = 0
    pitch: int = 1
    roll: int = 2
    x: int = 3
    y: int = 4
    z: int = 5
    gaze_x: int = 6
    gaze_y: int = 7
    breath: int = 8
    tongue_up: int = 9
    tongue_out: int = 10


LID_FROM = np.float32(0.12)  # a lid less closed than this is only the warped skin

POSE = State()
POSE_SIZE = len(POSE)


class Rig(NamedTuple):
    """A face's fixed numbers, shared by all its renderers. Lengths in scene pixels unless said otherwise."""

    base: Floats  # (n, 3) vertices at rest
    basis: Floats  # (shapes, 3 n)
    gain: Floats  # (shapes + 2, n) change of brightness; the last two per radian of yaw and pitch
    gained: Bytes  # (shapes + 2,) whether the row of gain is not zero
    weights: Floats  # (n, 3): share of head motion, of breathing, seam darkening
    lips: Ints  # (4, 21): upper and lower inner contour, and the next row outward of each
    loops: Ints  # hole contours, one after another: mouth, right eye, left eye
    loop_at: Ints  # (4,) where each begins
    seam: Floats  # (m, 4) texture x, y of the mouth's contour when shut, and how far that moves into the lip when open
    eyes: Floats  # (2, 4): iris centre x, y, depth, iris radius
    eye_grid: Floats  # (2 g, 4): x, y and how much each point follows the gaze along x and y
    inside: Floats  # (m, 4): tongue, lower and upper teeth in millimetres; 4th: how much the tongue's tip it is
    axes: Floats  # (6, 3): mouth frame x, y, z, its origin; jaw hinge in mm; edge of the teeth and top of the tongue
    lids: Ints  # (4, 17): lid edge and crease, right then left
    body: Floats  # (8,): pivot x, y, z, focal length, scene centre x, y, px per mm, jaw radians
    special: Ints  # (3,): index of blink_r, blink_l and jaw_open among the shapes
    groups: Ints  # first vertex of each group, see Group
    layers: Ints  # (layers, 2): first and last triangle of each layer, see Layer
    triangles: Ints  # (t, 3)
    opaque: Bytes  # (t,): texture is opaque everywhere under the triangle


class Group(NamedTuple):
    """Index of each vertex group in ``Rig.groups``."""

    skin: int = 0
    feather: int = 1
    eyes: int = 2
    cavity: int = 3
    inside: int = 4
    roll: int = 5
    shade: int = 6
    lids: int = 7
    end: int = 8


class Layer(NamedTuple):
    """Index of each layer in ``Rig.layers``, back to front."""

    eyes: int = 0
    cavity: int = 1
    tongue: int = 2
    lower_teeth: int = 3
    upper_teeth: int = 4
    roll: int = 5
    shade: int = 6
    skin: int = 7
    lid_r: int = 8
    lid_l: int = 9


GROUP, LAYER = Group(), Layer()


class Canvas(NamedTuple):
    """Pixels at one scale: textures and background, shared by the renderers of that scale; own canvas and output."""

    skin: Texels  # (h, w) texture of the person, with a margin of its own border pixels
    atlas: Texels  # (h, w) mouth interior and lids
    plate: Texels  # (H, W) background
    pixels: Texels  # (H, W) being drawn
    places: Places  # (H, W) which place of the skin each pixel shows; 0 between the passes that note and colour it
    spans: Ints  # (H, 4): first and end column that this picture was drawn on, and those of the picture before
    strip: Texels  # (8 STRIP,) working numbers of the colouring
    out: Bytes  # (3 H / 2, W) the I420 picture
    framing: Floats  # (11,): canvas = framing[0] * scene + framing[1:3]; texels of the skin per scene pixel; then the
    # camera, as the affine map of canvas points: x' = f[4] x + f[5] y + f[6], y' = f[7] x + f[8] y + f[9]; then the
    # margin of the skin's texture


class Scratch(NamedTuple):
    """One renderer's working vertices."""

    points: Floats  # (n, 3) deformed, scene pixels
    turn: Floats  # (4, 3): head rotation, and its shift
    pos: Floats  # (N, 2) canvas pixels
    uv: Floats  # (N, 2) texels
    alpha: Floats  # (N,)
    light: Floats  # (N,) gain


class Vertices(NamedTuple):
    """What every vertex of every group is at rest; texture coordinates still without a texture's scale."""

    uv: Floats  # (N, 2) scene pixels, or pixels of the stored atlas
    alpha: Floats  # (N,)
    light: Floats  # (N,)
