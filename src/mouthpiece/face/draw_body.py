"""Backdrop, neck and clothes of a drawn person, and the glasses."""

from __future__ import annotations

from typing import Final

import numpy as np

from mouthpiece.face import topology as topo
from mouthpiece.face.characters import Character
from mouthpiece.face.colour import mix, scaled
from mouthpiece.face.drawing import WHITE, Linear, Painter, Points, Radial, Touch, curve, ellipse, mirrored, moved

BOTTOM: Final = 190.0
"""Millimetres below the mouth: beyond the lower border of the picture."""


def draw_backdrop(painter: Painter, person: Character) -> None:
    """A wall with light on it, out of focus."""
    near, far = person.backdrop
    square = [(-400, -400), (400, -400), (400, 400), (-400, 400)]
    painter.fill(square, Radial((-45, -105), 340, ((0.0, near), (0.45, mix(near, far, 0.38)), (1.0, far))))
    rng = np.random.default_rng(person.seed)
    for _ in range(8):
        x, y = rng.uniform(-190, 190), rng.uniform(-220, 90)
        painter.fill(ellipse(x, y, rng.uniform(18, 46), rng.uniform(18, 46)), mix(near, WHITE, 0.4), Touch(24, 7))


class BodyArtist:
    """Neck, shoulders and clothes."""

    def __init__(self, painter: Painter, person: Character) -> None:
        self.paint, self.person = painter, person
        self.chin = person.proportions.chin
        self.collar = self.chin + 25.0
        w, s = person.neck, person.shoulders
        y = self.collar
        left = [(-w * 1.04, y + 1), (-w * 1.30, y + 4), (-s * 0.62, y + 17), (-s * 0.91, y + 34), (-s * 1.05, y + 68)]
        self.body = curve(mirrored([(0, y + 12), *left, (-s * 1.10, BOTTOM + 40)]), closed=True)
        throat = [(-w * 1.0, self.chin - 46), (-w * 0.97, self.chin + 2), (-w * 1.03, y - 8), (-w * 1.26, y + 6)]
        self.neck = curve(mirrored([*throat, (-w * 1.36, y + 22), (-w * 1.2, y + 70)]), closed=True)

    def draw(self) -> None:
        """The neck, then what covers it."""
        self._neck()
        if self.person.neckline == "blazer":
            self._blazer()
        else:
            self._crew()

    def _neck(self) -> None:
        c, p, w, y = self.person, self.paint, self.person.neck, self.collar
        sides = ((0.0, c.dark(0.20)), (0.36, c.skin), (0.62, c.dark(0.08)), (1.0, c.dark(0.42)))
        p.fill(self.neck, Linear((-w * 1.1, 0), (w * 1.2, 0), sides))
        on = self.neck
        p.fill(ellipse(4, self.chin - 2, w * 1.25, 27), c.dark(0.62), Touch(168, 7.5, on))
        for side, alpha in ((-1, 58.0), (1, 84.0)):
            tendon = curve([(side * w * 0.72, self.chin + 18), (side * w * 0.42, y + 6), (side * w * 0.14, y + 22)])
            p.brush(tendon, c.dark(0.6), 3.0, Touch(alpha, 2.0, on))
            bone = curve([(side * w * 0.22, y + 22), (side * w * 0.8, y + 17), (side * w * 1.5, y + 14)])
            p.brush(bone, c.dark(0.6), 2.6, Touch(alpha * 0.8, 1.8, on))
            p.brush(moved(bone, 0, -3), c.light(0.6), 2.4, Touch(54, 1.8, on))
        p.fill(ellipse(0, y + 21, 5.5, 4), c.dark(0.6), Touch(80, 2.6, on))

    def _cloth(self) -> None:
        c, s, y = self.person, self.person.shoulders, self.collar
        stops = ((0.0, mix(c.cloth, WHITE, 0.20)), (0.42, c.cloth), (1.0, scaled(c.cloth, 0.60)))
        self.paint.fill(self.body, Linear((-s, y), (s * 1.0, y + 110), stops))
        for side, alpha in ((-1, 70.0), (1, 104.0)):
            for x0, x1, x2, width in ((0.86, 0.78, 0.80, 5.0), (0.98, 0.94, 0.9, 4.0), (0.60, 0.52, 0.46, 3.4)):
                fold = curve([(side * s * x0, BOTTOM), (side * s * x1, y + 62), (side * s * x2, y + 40)])
                self.paint.brush(fold, scaled(c.cloth, 0.45), width, Touch(alpha * 0.7, 3.0, self.body))
            top = curve([(side * s * 0.40, y + 10), (side * s * 0.68, y + 20), (side * s * 0.92, y + 36)])
            self.paint.brush(top, mix(c.cloth, WHITE, 0.5), 3.4, Touch(70 if side < 0 else 34, 2.2, self.body))

    def _opening(self, outline: Points) -> None:
        """Skin that a neckline leaves bare, on top of the cloth."""
        c, w = self.person, self.person.neck
        p, y = self.paint, self.collar
        sides = ((0.0, c.dark(0.18)), (0.4, c.skin), (1.0, c.dark(0.34)))
        p.fill(outline, Linear((-w * 1.1, 0), (w * 1.2, 0), sides), Touch(255, 0, self.body))
        for side, alpha in ((-1, 58.0), (1, 84.0)):
            tendon = curve([(side * w * 0.50, y + 2), (side * w * 0.28, y + 14), (side * w * 0.12, y + 23)])
            p.brush(tendon, c.dark(0.6), 3.0, Touch(alpha, 1.8, outline))
        p.fill(ellipse(0, y + 22, 5.0, 3.6), c.dark(0.6), Touch(86, 2.4, outline))

    def _crew(self) -> None:
        c, p, w, y = self.person, self.paint, self.person.neck, self.collar
        self._cloth()
        rim = [(-w * 1.06, y - 1), (-w * 0.90, y + 10), (-w * 0.48, y + 19), (0, y + 22)]
        opening = curve(mirrored([(0, y - 40), *rim]), closed=True)
        self._opening(opening)
        line = curve(np.concatenate([rim, (np.array(rim) * [-1, 1])[::-1][1:]]))
        p.line(moved(line, 0, -1.2), c.dark(0.75), 3.0, Touch(96, 1.8, opening))
        p.line(moved(line, 0, 2.8), mix(c.cloth, WHITE, 0.10), 5.4, Touch(255, 0, self.body))
        p.line(moved(line, 0, 5.8), scaled(c.cloth, 0.45), 1.1, Touch(150, 0.5, self.body))
        p.line(moved(line, 0, 0.4), scaled(c.cloth, 0.55), 0.9, Touch(130, 0.4, self.body))

    def _blazer(self) -> None:
        c, p, w, y = self.person, self.paint, self.person.neck, self.collar
        self._cloth()
        opening = np.array(
            [(-w * 1.14, y - 7), (-w * 0.62, y + 28), (0, y + 74), (w * 0.62, y + 28), (w * 1.14, y - 7), (0, y - 46)]
        )
        self._opening(opening)
        shirt = curve(
            [(-w * 0.8, y + 34), (-w * 0.36, y + 34), (0, y + 37), (w * 0.36, y + 34), (w * 0.8, y + 34), (0, y + 110)],
            closed=True,
        )
        p.fill(moved(shirt, 0, -1.4), c.dark(0.7), Touch(110, 1.6, opening))
        p.fill(
            shirt,
            Linear((-w, y), (w, y + 60), ((0, (250.0, 249.0, 247.0)), (1, (212.0, 214.0, 220.0)))),
            Touch(255, 0, opening),
        )
        for side in (-1.0, 1.0):
            lapel = np.array(
                [
                    (w * 1.12, y - 9),
                    (w * 1.72, y + 14),
                    (w * 1.20, y + 34),
                    (w * 1.34, y + 41),
                    (w * 0.05, y + 92),
                    (-2, y + 80),
                ]
            )
            lapel = lapel * [side, 1]
            p.fill(moved(lapel, 0.8 * side, 2.0), (0.0, 0.0, 0.0), Touch(96, 2.4, self.body))
            lit = 0.20 if side < 0 else 0.08
            stops = ((0.0, mix(c.cloth, WHITE, lit)), (1.0, scaled(c.cloth, 0.80 if side < 0 else 0.70)))
            p.fill(lapel, Linear((side * w * 1.6, y), (0, y + 74), stops), Touch(255, 0.25))
            p.line(lapel[[1, 2, 3]], scaled(c.cloth, 0.45), 0.9, Touch(150, 0.4))
            p.line(lapel[[0, 5]], mix(c.cloth, WHITE, 0.35), 0.8, Touch(84, 0.4))


def draw_glasses(painter: Painter, person: Character, landmarks: Points) -> None:
    """Thin rounded frames, a little shadow and a glint."""
    if person.glasses is None:
        return
    t = np.linspace(0, 2 * np.pi, 96)
    frame = person.glasses
    for side, iris in ((-1.0, topo.IRIS_RIGHT), (1.0, topo.IRIS_LEFT)):
        x, y = moved(landmarks[iris, :2], side * 0.8, 2.6)
        ring = np.stack(
            [
                x + 22.5 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** 0.74,
                y + 17.5 * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.74,
            ],
            1,
        )
        painter.fill(ring, WHITE, Touch(13))
        painter.line(moved(ring, 0.5, 1.6), person.dark(0.9), 1.9, Touch(66, 1.3))
        painter.line(ring, frame, 1.75)
        painter.line(moved(ring[52:66], 0.3, 0.3), WHITE, 0.6, Touch(120, 0.3))
        ear = landmarks[234 if side < 0 else 454, :2]
        painter.line([(x + side * 22.2, y - 4.5), (float(ear[0]) + side * 1.0, y - 3.0)], frame, 1.75)
    y = float(landmarks[topo.IRIS_RIGHT, 1])
    bridge = curve([(-9.2, y - 0.5), (-4, y - 3.2), (4, y - 3.2), (9.2, y - 0.5)])
    painter.line(moved(bridge, 0.3, 1.4), person.dark(0.9), 1.9, Touch(60, 1.1))
    painter.line(bridge, frame, 1.75)
