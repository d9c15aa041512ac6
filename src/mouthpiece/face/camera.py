"""The camera before a face: offsets from its own framing, exact in the picture's plane, as deep as the mesh allows.

The camera moves the person; the background stands still. Position, zoom and roll are exact. Pan and tilt shift the
picture as a long lens would. Orbit turns the head, within what the portrait shows.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from typing import Final

DISTANCE: Final = 1.5
"""Metres from the camera to the person: a usual distance of portraits. 1.5 further away is half as large."""

LENS: Final = 2.5
"""Focal length of pan and tilt in canvas heights."""

WIDEST_PAN: Final = 20.0
ORBIT_YAW: Final = 14.0
ORBIT_PITCH: Final = 9.0
"""Degrees that the mesh can be turned before it shows what the portrait does not."""

SMALLEST, LARGEST = 0.05, 8.0


@dataclass(frozen=True, slots=True)
class Camera:
    """Offsets, as simli-ai 2.1's ``CameraSetting`` has them.

    ``pos_x`` and ``pos_y`` move the person right and down, in half canvas widths and heights; ``pos_z`` is how many
    metres the camera backs away. ``rot_x`` tilts it up, ``rot_y`` pans it right, ``rot_z`` rolls it clockwise;
    ``orbit_x`` and ``orbit_y`` take it over the head and round it: degrees. ``zoom`` is a factor.
    """

    pos_x: float = 0.0
    pos_y: float = 0.0
    pos_z: float = 0.0
    rot_x: float = 0.0
    rot_y: float = 0.0
    rot_z: float = 0.0
    zoom: float = 1.0
    orbit_x: float = 0.0
    orbit_y: float = 0.0

    def values(self) -> tuple[float, ...]:
        """The nine numbers, as a look carries them."""
        return astuple(self)


STRAIGHT: Final = Camera()


def camera_of(values: tuple[float, ...]) -> Camera:
    """The camera of a look: nine numbers, or none."""
    return Camera(*values) if values else STRAIGHT


def between(start: Camera, end: Camera, share: float) -> Camera:
    """On the way from one to the other; ``share`` 0..1, eased at both ends; zoom by ratio, so that it looks even."""
    t = min(max(share, 0.0), 1.0)
    t = t * t * (3 - 2 * t)
    if t == 1.0:
        return end
    mixed = {f.name: getattr(start, f.name) * (1 - t) + getattr(end, f.name) * t for f in fields(Camera)}
    if start.zoom > 0 and end.zoom > 0:
        mixed["zoom"] = start.zoom ** (1 - t) * end.zoom**t
    return Camera(**mixed)


def view(camera: Camera, position: tuple[float, float], width: int, height: int) -> tuple[float, ...]:
    """The affine map of canvas points, x' = v0 x + v1 y + v2 and y' = v3 x + v4 y + v5, in canvas pixels."""
    size = camera.zoom * DISTANCE / (DISTANCE + max(camera.pos_z, -0.9 * DISTANCE))
    size = min(max(size, SMALLEST), LARGEST)
    turn = math.radians(-camera.rot_z)
    a, b = size * math.cos(turn), size * math.sin(turn)
    pan, tilt = (math.tan(math.radians(_held(angle, WIDEST_PAN))) for angle in (camera.rot_y, camera.rot_x))
    dx = (position[0] - 0.5) * width + camera.pos_x * width / 2 - LENS * height * pan - width / 2
    dy = (position[1] - 1.0) * height + camera.pos_y * height / 2 + LENS * height * tilt - height / 2
    return (a, -b, a * dx - b * dy + width / 2, b, a, b * dx + a * dy + height / 2)


def orbit(camera: Camera) -> tuple[float, float]:
    """Yaw and pitch of the head in radians."""
    yaw, pitch = _held(camera.orbit_y, ORBIT_YAW), _held(camera.orbit_x, ORBIT_PITCH)
    return math.radians(yaw), math.radians(pitch)


def _held(angle: float, most: float) -> float:
    return min(max(angle, -most), most)
