"""A small vector painter in millimetres. The only file of this room that imports Skia (development group)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import skia
from numpy.typing import ArrayLike, NDArray

from mouthpiece.face.colour import Colour

Points = NDArray[np.float64]
WHITE: Final[Colour] = (255.0, 255.0, 255.0)


def curve(points: ArrayLike, closed: bool = False, steps: int = 12) -> Points:
    """A Catmull-Rom curve through points (n, 2)."""
    p = np.asarray(points, float)
    q = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    out = []
    for a, b, c, d in zip(q[:-3], q[1:-2], q[2:-1], q[3:], strict=True):
        out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    if not closed:
        out.append(p[-1:])
    return np.concatenate(out)


def moved(points: Points, dx: float, dy: float) -> Points:
    """The points, shifted."""
    return np.asarray(points + np.array((dx, dy)), float)


def mirrored(points: ArrayLike) -> Points:
    """A symmetric outline from its left half (top to bottom)."""
    p = np.asarray(points, float)
    return np.concatenate([p, p[::-1] * np.array((-1, 1))])


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Points:
    """Outline of an ellipse; ``turn`` in radians."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    c, s = np.cos(turn), np.sin(turn)
    turned = np.stack([rx * np.cos(t), ry * np.sin(t)], 1) @ np.array([[c, s], [-s, c]])
    return moved(turned, x, y)


@dataclass(frozen=True, slots=True)
class Linear:
    """A gradient along a line; colours with their places 0..1."""

    start: tuple[float, float]
    end: tuple[float, float]
    stops: Sequence[tuple[float, Colour]]


@dataclass(frozen=True, slots=True)
class Radial:
    """A gradient around a point."""

    centre: tuple[float, float]
    radius: float
    stops: Sequence[tuple[float, Colour]]


Fill = Colour | Linear | Radial


@dataclass(frozen=True, slots=True)
class Touch:
    """How a shape is laid down: opacity 0..255, blur in mm (standard deviation), outline that it stays inside."""

    alpha: float = 255.0
    blur: float = 0.0
    inside: Points | None = None


SOLID: Final = Touch()


class Painter:
    """A transparent square picture of ``side`` pixels; ``scale`` px per mm, ``origin`` in px."""

    def __init__(self, side: int, scale: float, origin: tuple[float, float]) -> None:
        self.pixels = np.zeros((side, side, 4), np.uint8)
        self._surface = skia.Surface(self.pixels, colorType=skia.kRGBA_8888_ColorType)
        self._canvas = self._surface.getCanvas()
        self._canvas.translate(*origin)
        self._canvas.scale(scale, scale)

    def rgba(self) -> NDArray[np.float32]:
        """The picture so far, premultiplied, 0..255."""
        straight = self.pixels.astype(np.float32)
        straight[..., :3] *= straight[..., 3:] / 255
        return straight

    def fill(self, outline: ArrayLike, colour: Fill, touch: Touch = SOLID) -> None:
        """A filled closed outline."""
        self._paint(_path(outline, closed=True), _paint(colour, touch), touch)

    def line(self, points: ArrayLike, colour: Fill, width: float, touch: Touch = SOLID) -> None:
        """A stroke of even width with round ends."""
        paint = _paint(colour, touch)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(width)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        self._paint(_path(points, closed=False), paint, touch)

    def brush(
        self, points: ArrayLike, colour: Fill, width: float, touch: Touch = SOLID, profile: Profile | None = None
    ) -> None:
        """A stroke whose width swells and thins: ``profile`` maps 0..1 along it to a share of ``width``."""
        p = np.asarray(points, float)
        along = np.gradient(p, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], 1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        t = np.linspace(0, 1, len(p))
        half = ((profile or _swelling)(t) * width / 2)[:, None]
        self.fill(np.concatenate([p + normal * half, (p - normal * half)[::-1]]), colour, touch)

    def _paint(self, path: object, paint: object, touch: Touch) -> None:
        self._canvas.save()
        if touch.inside is not None:
            self._canvas.clipPath(_path(touch.inside, closed=True), doAntiAlias=True)
        self._canvas.drawPath(path, paint)
        self._canvas.restore()


Profile = Callable[[Points], Points]


def _swelling(t: Points) -> Points:
    return np.asarray(np.sin(np.pi * t).clip(0) ** 0.7)


def _path(points: ArrayLike, closed: bool) -> skia.Path:
    path = skia.PathBuilder() if hasattr(skia, "PathBuilder") else skia.Path()
    first, *rest = np.asarray(points, float).tolist()
    path.moveTo(*first)
    for point in rest:
        path.lineTo(*point)
    if closed:
        path.close()
    return path.detach() if hasattr(path, "detach") else path


def _colour(c: Colour, alpha: float = 255.0) -> int:
    return int(skia.Color(*(int(min(max(v, 0), 255)) for v in (*c, alpha))))


def _paint(colour: Fill, touch: Touch) -> skia.Paint:
    paint = skia.Paint(AntiAlias=True, Alpha=int(touch.alpha))
    if isinstance(colour, tuple):
        paint.setColor(_colour(colour, touch.alpha))
    else:
        colours, places = [_colour(c) for _, c in colour.stops], [p for p, _ in colour.stops]
        if isinstance(colour, Linear):
            ends = [skia.Point(*colour.start), skia.Point(*colour.end)]
            paint.setShader(skia.GradientShader.MakeLinear(ends, colours, places))
        else:
            paint.setShader(skia.GradientShader.MakeRadial(skia.Point(*colour.centre), colour.radius, colours, places))
    if touch.blur:
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, touch.blur))
    return paint
