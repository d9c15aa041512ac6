"""Looking at what the engine draws: single pictures without idle life, and measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.mesh_face import ROW, SHAPES, MeshFace, MeshRenderer
from mouthpiece.face.pack import halved, resized
from mouthpiece.face.rig import POSE, POSE_SIZE, Bytes
from mouthpiece.face.stage import packed
from mouthpiece.media import REST, Look, MouthPose, Picture

MOUTHS: Final[Mapping[str, MouthPose]] = {
    "sil": REST,
    "PP": MouthPose(jaw_open=0.16, mouth_close=0.16, press=0.75),
    "FF": MouthPose(jaw_open=0.20, tuck=0.80, upper_up=0.25),
    "TH": MouthPose(jaw_open=0.26, lower_down=0.25, upper_up=0.2, tongue_up=0.25, tongue_out=0.9),
    "DD": MouthPose(jaw_open=0.22, stretch=0.2, lower_down=0.3, upper_up=0.2, tongue_up=0.8),
    "kk": MouthPose(jaw_open=0.30, lower_down=0.25, upper_up=0.15, stretch=0.1),
    "CH": MouthPose(jaw_open=0.14, funnel=0.75, lower_down=0.25, upper_up=0.25, pucker=0.15),
    "SS": MouthPose(jaw_open=0.10, stretch=0.45, lower_down=0.45, upper_up=0.30),
    "nn": MouthPose(jaw_open=0.24, stretch=0.15, lower_down=0.2, upper_up=0.15, tongue_up=1.0),
    "RR": MouthPose(jaw_open=0.20, funnel=0.45, pucker=0.30),
    "aa": MouthPose(jaw_open=0.85, lower_down=0.30, upper_up=0.25, stretch=0.10),
    "E": MouthPose(jaw_open=0.48, stretch=0.50, lower_down=0.35, upper_up=0.25),
    "I": MouthPose(jaw_open=0.26, stretch=0.65, lower_down=0.35, upper_up=0.25, smile=0.15),
    "O": MouthPose(jaw_open=0.52, funnel=0.60, pucker=0.30),
    "U": MouthPose(jaw_open=0.14, pucker=0.90, funnel=0.22),
}
"""One mouth for each of the fifteen visemes, at full strength: what the engine must be able to show."""

FACES: Final[Mapping[str, Mapping[str, float]]] = {
    "blink": {"blink_r": 1, "blink_l": 1},
    "half a blink": {"blink_r": 0.5, "blink_l": 0.5},
    "8 degrees left": {"yaw": 0.14, "gaze_x": 0.27},
    "8 degrees right": {"yaw": -0.14, "gaze_x": -0.27},
    "nod": {"pitch": 0.10, "gaze_y": -0.19},
    "up": {"pitch": -0.10, "gaze_y": 0.19},
    "tilt": {"roll": 0.08},
    "aside": {"gaze_x": 0.40},
    "brows up": {"brow_up": 1, "wide_r": 1, "wide_l": 1},
    "frown": {"brow_down": 1, "frown": 1},
    "smile": {"smile": 1, "squint_r": 0.4, "squint_l": 0.4},
}


def renderer(face: MeshFace, width: int = 512, height: int = 512) -> MeshRenderer:
    """A plain renderer of this size."""
    return face.renderer(Look(face.face_id, width=width, height=height))


def still(drawer: MeshRenderer, pose: MouthPose = REST, **extra: float) -> Picture:
    """A picture without idle life; ``extra`` names shapes of the basis or fields of ``rig.State``."""
    state = np.zeros(len(SHAPES) + POSE_SIZE, np.float32)
    mouth = pose.array()
    state[:10] = mouth[:10]
    state[len(SHAPES) + POSE.tongue_up], state[len(SHAPES) + POSE.tongue_out] = mouth[10], mouth[11]
    for name, value in extra.items():
        state[ROW[name] if name in ROW else len(SHAPES) + POSE._fields.index(name)] = value
    return drawer.draw_state(state)


def luma(picture: Picture) -> NDArray[np.float64]:
    """The Y plane, a copy."""
    return picture.data[: picture.height].astype(np.float64)


def rgb(picture: Picture) -> Bytes:
    """The picture as RGB, shape (height, width, 3)."""
    h, w = picture.height, picture.width
    flat = picture.data.reshape(-1).astype(np.float32)
    y = (flat[: h * w].reshape(h, w) - 16) * 255 / 219
    u, v = (plane.reshape(h // 2, w // 2).repeat(2, 0).repeat(2, 1) - 128 for plane in np.split(flat[h * w :], 2))
    return np.stack([y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u], -1).clip(0, 255).astype(np.uint8)


def psnr(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio of two planes 0..255, in dB."""
    return float(10 * np.log10(255**2 / max(1e-9, float(((a - b) ** 2).mean()))))


def portrait(face: MeshFace, side: int = 512) -> Bytes:
    """The stored portrait before its background, RGB: what the face was made from."""
    pack = face.pack
    alpha = pack.matte[..., None] / 255
    return halved((pack.portrait * alpha + pack.plate * (1 - alpha)).round().astype(np.uint8), side, side)


def portrait_luma(face: MeshFace, side: int = 512) -> NDArray[np.float64]:
    """Y plane of the portrait: what the face at rest must look like."""
    return (packed(portrait(face, side)) & np.uint64(255)).astype(np.float64)


def away_from_person(face: MeshFace, side: int = 512) -> NDArray[np.bool]:
    """Pixels of a square canvas further than 30 px from anything of the person."""
    reach = resized(face.pack.matte, side, side) > 0
    for axis in (0, 1):
        grown = reach.copy()
        for shift in range(1, 31):
            grown |= np.roll(reach, shift, axis) | np.roll(reach, -shift, axis)
        reach = grown
    return ~reach
