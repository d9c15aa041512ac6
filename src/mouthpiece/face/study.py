"""From any picture to a portrait: which face, is it usable, where to cut, where its points and its outline are.

The eyes are somebody else's: a ``Looker`` finds faces (a network in another process, or a twin in tests). What it
cannot see is an error of its own; what it sees badly is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mouthpiece.errors import (
    BadInput,
    FaceTooSmall,
    FaceTurnedAway,
    FaceUpsideDown,
    NoFaceFound,
    SeveralFaces,
)
from mouthpiece.face import topology as topo
from mouthpiece.face.characters import CHARACTERS
from mouthpiece.face.crop import choose_crop, cut
from mouthpiece.face.cutout import SURE, guessed, refined
from mouthpiece.face.handles import check_points
from mouthpiece.face.imaging import blur, polygon_mask, resize, turned
from mouthpiece.face.mesh import face_frame
from mouthpiece.face.portrait import TEXTURE
from mouthpiece.face.proportions import landmarks as drawn_landmarks
from mouthpiece.face.source import DOUBTFUL, Portrait

LEAST_FACE: Final = 64
SMALL_FACE: Final = 128
"""Pixels from hairline to chin: below the first there is not enough to see, below the second it will look soft."""

LIKE_SIZE: Final = 1.6
"""A face so many times higher than the next is the one that is meant."""

TILTED: Final = 15.0
LYING: Final = 60.0
AWAY: Final = 35.0
ASIDE: Final = 25.0
"""Degrees: beyond the first a face is set upright; beyond the second that is left to people; and its yaw."""

TURNED: Final = "the face is turned"
DOUBTS: Final = "the points are doubtful: is something before the face? check them in the studio"

SOFT: Final = 0.9
"""Fine detail of the face (grey levels at 512 px) below which a picture is blurred."""

Bytes = NDArray[np.uint8]
Points = NDArray[np.float64]
Tell = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Sighted:
    """One face: landmarks (478, 3) in pixels; ``mirrored``: the same, found in the mirror image and turned back."""

    landmarks: Points
    mirrored: Points | None = None
    score: float = 1.0

    @property
    def height(self) -> float:
        """Pixels from hairline to chin."""
        return float(np.linalg.norm(self.landmarks[10, :2] - self.landmarks[152, :2]))


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What is in a picture. ``matte``: how much of each pixel is a person, 0..1, where it was asked for."""

    faces: Sequence[Sighted]
    matte: NDArray[np.floating] | None = None


class Looker(Protocol):
    """Finds faces."""

    def look(self, image: Bytes, *, mirror: bool = False, matte: bool = False) -> Sighting:
        """Every face of an RGB picture (h, w, 3), in any order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What was sent: RGB (h, w, 3), upright; ``alpha`` (h, w) where it has one; own ``landmarks`` (478, 3) in pixels.

    ``framed``: the picture is a cut portrait already, and stays as it is; ``matte`` (any size) may come with it.
    """

    rgb: Bytes
    alpha: Bytes | None = None
    landmarks: Points | None = None
    face_index: int | None = None
    framed: bool = False
    matte: Bytes | None = None


def study(picture: Picture, looker: Looker | None, tell: Tell = lambda *_: None) -> Portrait:
    """The portrait in a picture. ``looker`` None: only for pictures that bring their landmarks.

    Raises:
        NoFaceFound, SeveralFaces, FaceTooSmall, FaceUpsideDown, FaceTurnedAway: what is wrong with the picture.
        BadInput: landmarks that do not fit it.
    """
    tell(0.1, "looking for the face")
    points = _given(picture) if picture.landmarks is not None else _found(picture, _eyes(looker))
    warnings: list[str] = []
    tall = float(np.linalg.norm(points[10, :2] - points[152, :2]))
    if tall < LEAST_FACE:
        raise FaceTooSmall(pixels=round(tall), least=LEAST_FACE)
    if tall < SMALL_FACE:
        warnings.append(f"the face is only {round(tall)} pixels high: it will look soft; a closer picture is better")
    picture, points = _upright(picture, points)
    square, alpha, points = _cut(picture, points)
    tell(0.3, "finding its points")
    if picture.landmarks is None:
        seen = _seen_again(square, points, _eyes(looker))
        points, rough, mirror = seen
        _check_upside(square, mirror, _eyes(looker))
    else:
        rough, mirror = (looker.look(square, matte=True).matte if looker and picture.matte is None else None), 0.0
    yaw = _check_turn(points, warnings)
    if mirror > DOUBTFUL:
        warnings.append(DOUBTS)
    detail = _detail(square, points)
    if detail < SOFT:
        warnings.append("the picture is blurred: a sharper one is better")
    tell(0.5, "cutting it out")
    if picture.framed and picture.matte is not None:
        alpha = (resize(picture.matte, TEXTURE, TEXTURE) / 255).clip(0, 1)
    matte, sure = _matte(square, alpha, rough, points)
    if sure < SURE:
        warnings.append("person and background cannot be told apart: the whole picture is kept in motion")
        matte = np.ones(square.shape[:2], np.float32)
    measures = (("face_px", tall), ("yaw", yaw), ("mirror", mirror), ("detail", detail), ("matte", sure))
    return Portrait(square, points, matte, tuple(warnings), measures)


def corrected(portrait: Portrait, points: Points) -> Portrait:
    """The portrait with points (478, 3) that a person has set, and no doubt about them any more.

    Raises BadInput, FaceTurnedAway.
    """
    check_points(points, portrait.rgb.shape[0])
    warnings = [each for each in portrait.warnings if not each.startswith((DOUBTS, TURNED))]
    yaw = _check_turn(points, warnings)
    measures = dict(portrait.measures) | {"yaw": yaw, "mirror": 0.0}
    return replace(portrait, landmarks=points, warnings=tuple(warnings), measures=tuple(measures.items()))


def _eyes(looker: Looker | None) -> Looker:
    if looker is None:
        raise BadInput(reason="landmarks are needed, or a landmarker")
    return looker


# --- which face ----------------------------------------------------------------------------------------------------
def _given(picture: Picture) -> Points:
    points = np.asarray(picture.landmarks, float)
    height, width = picture.rgb.shape[:2]
    if points.shape != (topo.LANDMARKS, 3) or not np.isfinite(points).all():
        raise BadInput(reason=f"landmarks must be {topo.LANDMARKS} points of x, y and z")
    middle = points[: topo.SURFACE_POINTS, :2].mean(0)
    if not (0 <= middle[0] <= width and 0 <= middle[1] <= height):
        raise BadInput(
            reason="the landmarks lie outside the picture: give them in its pixels, or as shares of its size"
        )
    return points


def _found(picture: Picture, looker: Looker) -> Points:
    faces = sorted(looker.look(picture.rgb).faces, key=lambda face: -face.height)
    if not faces:
        raise _turned_or_none(picture.rgb, looker)
    if picture.face_index is not None:
        from_left = sorted(faces, key=lambda face: float(face.landmarks[4, 0]))
        if picture.face_index >= len(from_left):
            raise BadInput(reason=f"face_index {picture.face_index}: there are {len(from_left)} faces, counted from 0")
        return from_left[picture.face_index].landmarks
    like = [face for face in faces if face.height * LIKE_SIZE > faces[0].height]
    if len(like) > 1:
        raise SeveralFaces(count=len(like))
    return faces[0].landmarks


def _turned_or_none(rgb: Bytes, looker: Looker) -> BadInput:
    for quarter in (1, 3, 2):
        if looker.look(np.ascontiguousarray(np.rot90(rgb, quarter))).faces:
            return FaceUpsideDown(degrees={1: 90, 2: 180, 3: 270}[quarter])
    return NoFaceFound()


def _check_upside(square: Bytes, mirror: float, looker: Looker) -> None:
    """A face on its head is found too, with points that make no sense: does the other way round make more?"""
    if mirror <= DOUBTFUL:
        return
    other = looker.look(np.ascontiguousarray(square[::-1, ::-1]), mirror=True).faces
    if other and mirror_score(other[0]) < 0.6 * mirror:
        raise FaceUpsideDown(degrees=180)


# --- where it is cut -----------------------------------------------------------------------------------------------
def angles(points: Points) -> tuple[float, float, float]:
    """Yaw, pitch and roll of landmarks in degrees; the pitch is biased by some 12 degrees."""
    axes = face_frame(points).rotation
    yaw = np.degrees(np.arctan2(axes[0, 2], axes[2, 2]))
    pitch = np.degrees(np.arcsin(-axes[1, 2]))
    return float(yaw), float(pitch), float(np.degrees(np.arctan2(axes[1, 0], axes[0, 0])))


def _upright(picture: Picture, points: Points) -> tuple[Picture, Points]:
    roll = angles(points)[2]
    if abs(roll) > LYING:
        raise FaceUpsideDown(degrees=round(abs(roll)))
    if abs(roll) <= TILTED or picture.framed:
        return picture, points
    centre = points[[10, 152], :2].mean(0)
    at = (float(centre[0]), float(centre[1]))
    rgb = turned(picture.rgb, roll, at).round().clip(0, 255).astype(np.uint8)
    alpha = None if picture.alpha is None else turned(picture.alpha, roll, at).round().clip(0, 255).astype(np.uint8)
    turn = np.radians(roll)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    moved = points.copy()
    moved[:, :2] = (points[:, :2] - centre) @ matrix.T + centre
    return replace(picture, rgb=rgb, alpha=alpha), moved


def _cut(picture: Picture, points: Points) -> tuple[Bytes, NDArray[np.floating] | None, Points]:
    """The square at texture size; transparent parts on a quiet grey."""
    height, width = picture.rgb.shape[:2]
    rgb = picture.rgb
    if picture.alpha is not None:
        share = picture.alpha[..., None] / 255
        rgb = (rgb * share + np.array(BACKDROP) * (1 - share)).round().astype(np.uint8)
    if picture.framed and height == width:
        scale = TEXTURE / width
        square = resize(rgb, TEXTURE, TEXTURE)
        alpha = None if picture.alpha is None else resize(picture.alpha, TEXTURE, TEXTURE) / 255
        return square.round().clip(0, 255).astype(np.uint8), alpha, points * scale
    crop = choose_crop(points, width, height)
    square = resize(cut(rgb, crop), TEXTURE, TEXTURE).round().clip(0, 255)
    alpha = None if picture.alpha is None else (resize(cut(picture.alpha, crop), TEXTURE, TEXTURE) / 255).clip(0, 1)
    return square.astype(np.uint8), alpha, crop.landmarks(points, TEXTURE)


BACKDROP: Final = (206.0, 210.0, 216.0)


# --- its points ----------------------------------------------------------------------------------------------------
def _seen_again(square: Bytes, points: Points, looker: Looker) -> tuple[Points, NDArray[np.floating] | None, float]:
    """More exact points from the cut picture, the matte, and the mirror score; the first points where it is lost."""
    seen = looker.look(square, mirror=True, matte=True)
    nose = points[4, :2]
    near = sorted(seen.faces, key=lambda face: float(np.linalg.norm(face.landmarks[4, :2] - nose)))
    if not near or np.linalg.norm(near[0].landmarks[4, :2] - nose) > 0.15 * TEXTURE:
        return points, seen.matte, 2 * DOUBTFUL
    return near[0].landmarks, seen.matte, mirror_score(near[0])


@cache
def _mirror_order() -> NDArray[np.integer]:
    """Which point is which in the mirror: from our own drawn face, which is symmetric."""
    points = drawn_landmarks(CHARACTERS["mia"].proportions)
    flipped = points * [-1, 1, 1]
    return np.asarray(np.linalg.norm(points[:, None] - flipped[None], axis=-1).argmin(1))


def mirror_score(face: Sighted) -> float:
    """How far the points of the mirror image are from the points, in eye distances; see ``DOUBTFUL``."""
    if face.mirrored is None:
        return 2 * DOUBTFUL
    points, mirrored = face.landmarks, face.mirrored[_mirror_order()]
    apart = np.linalg.norm(points[topo.IRIS_LEFT, :2] - points[topo.IRIS_RIGHT, :2])
    surface = slice(0, topo.SURFACE_POINTS)
    return float(np.linalg.norm(points[surface, :2] - mirrored[surface, :2], axis=1).mean() / max(apart, 1e-6))


def _check_turn(points: Points, warnings: list[str]) -> float:
    yaw = angles(points)[0]
    if abs(yaw) > AWAY:
        raise FaceTurnedAway(degrees=round(abs(yaw)), limit=round(AWAY))
    if abs(yaw) > ASIDE:
        warnings.append(f"{TURNED} {round(abs(yaw))} degrees to the side: a more frontal one moves better")
    return yaw


def _detail(square: Bytes, points: Points) -> float:
    """Mean size of the finest detail inside the face, in grey levels at 512 pixels."""
    half = resize(square, TEXTURE // 2, TEXTURE // 2) @ np.array([0.299, 0.587, 0.114], np.float32)
    inside = polygon_mask(points[list(topo.OVAL), :2] / 2, TEXTURE // 2, TEXTURE // 2) > 0.5
    return float(np.abs(half - blur(half, 1.2))[inside].mean())


def _matte(
    square: Bytes, alpha: NDArray[np.floating] | None, rough: NDArray[np.floating] | None, points: Points
) -> tuple[NDArray[np.float32], float]:
    if alpha is not None and (alpha < 0.5).mean() > 0.02:
        inside = polygon_mask(points[list(topo.OVAL), :2], TEXTURE, TEXTURE) > 0.5
        return alpha.astype(np.float32), float(alpha[inside].mean())
    return guessed(square, points) if rough is None else refined(square, rough, points)
