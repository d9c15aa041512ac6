"""Age and beard of a drawn person: wrinkles, bags, grey jaw, hair by hair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from mouthpiece.face import topology as topo
from mouthpiece.face.characters import Character
from mouthpiece.face.colour import mix, scaled
from mouthpiece.face.drawing import Painter, Points, Touch, curve, ellipse, moved

SIDES: Final = (-1.0, 1.0)
JAW: Final = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323)


class DetailArtist:
    """Draws what years and razors leave, on the head's outline; before lips and eyes."""

    def __init__(self, painter: Painter, person: Character, landmarks: Points, head: Points) -> None:
        self.paint, self.person, self.points, self.head = painter, person, landmarks, head
        self.rng = np.random.default_rng(person.seed + 200)
        self.eye_y = float(landmarks[topo.IRIS_RIGHT, 1])

    def draw(self) -> None:
        """All that the character has of it."""
        if self.person.age:
            self._forehead()
            for side in SIDES:
                self._around_eye(side)
                self._around_mouth(side)
        if self.person.beard:
            self._beard()

    def _crease(self, points: Sequence[tuple[float, float]], width: float, alpha: float) -> None:
        """A soft dark line with light below it."""
        c, line = self.person, curve(points)
        much = c.age * alpha
        self.paint.brush(line, c.dark(0.72), width, Touch(much, 0.55, self.head))
        self.paint.brush(moved(line, 0, 1.15 * width), c.light(0.7), width, Touch(0.5 * much, 0.7, self.head))

    # --- age -------------------------------------------------------------------------------------------------------
    def _forehead(self) -> None:
        top = self.person.proportions.top
        for k, (y, reach) in enumerate(((top + 9, 27), (top + 16.5, 33), (top + 23, 29))):
            shift = (-2.0, 1.5, -1.0)[k]
            self._crease([(shift - reach, y + 2.2), (shift - reach * 0.4, y - 0.4), (shift, y + 0.8)], 1.1, 88)
            self._crease([(shift, y + 0.8), (shift + reach * 0.45, y - 0.5), (shift + reach, y + 2.0)], 1.1, 80)
        for side in SIDES:
            self._crease(
                [(side * 5.2, self.eye_y - 21), (side * 4.4, self.eye_y - 15), (side * 5.0, self.eye_y - 10)], 1.0, 96
            )

    def _around_eye(self, side: float) -> None:
        y, c = self.eye_y, self.person
        x = side * (31.5 + c.proportions.eye)
        for up, down in ((-5.5, -8.5), (-1.0, -1.2), (3.0, 6.0), (6.0, 11.0)):
            start = (x + side * 2.0, y + 2.5 + 0.5 * up)
            self._crease([start, (x + side * 6.0, y + 2.5 + up * 0.8), (x + side * 10.5, y + 2.5 + down)], 0.75, 84)
        bag = [(side * 20, y + 7.5), (side * 27, y + 12.0), (side * 36, y + 12.4), (side * 43.5, y + 7.5)]
        self._crease(bag, 1.3, 104)
        self.paint.fill(ellipse(side * 31, y + 9.2, 11, 2.6), c.light(0.5), Touch(46 * c.age, 1.8, self.head))
        self._crease([(side * 19, y + 10), (side * 25, y + 17.5), (side * 31, y + 21)], 1.2, 60)

    def _around_mouth(self, side: float) -> None:
        wide, c = self.person.proportions.mouth, self.person
        self._crease(
            [(side * 20.5, -24), (side * 28.5, -13), (side * (wide + 8), 0), (side * (wide + 8.5), 7)], 1.7, 150
        )
        self._crease([(side * (wide + 2.5), 4), (side * (wide + 3.5), 12), (side * (wide + 1.5), 21)], 1.3, 92)
        hollow = ellipse(side * (wide + 21), -4, 7, 19, side * -0.25)
        self.paint.fill(hollow, c.dark(0.5), Touch(52 * c.age, 6, self.head))
        jowl = [(side * (wide + 6), 24), (side * (wide + 14), 31), (side * (wide + 21), 28)]
        self._crease(jowl, 1.6, 48)

    # --- beard -----------------------------------------------------------------------------------------------------
    def _outline(self) -> Points:
        c = self.person.proportions
        jaw = self.points[list(JAW), :2]
        right = [
            (0.86 * c.cheek, -10),
            (0.66 * c.cheek, 0),
            (c.mouth + 8, -3),
            (c.mouth - 1, -11),
            (10, -16),
            (0, -14.5),
        ]
        upper = np.array([*right, *[(-x, y) for x, y in right[-2::-1]]])
        return curve(np.concatenate([jaw, upper]), closed=True)

    def _beard(self) -> None:
        c, rng = self.person, self.rng
        outline = self._outline()
        self.paint.fill(outline, mix(scaled(c.hair, 0.95), c.skin, 0.18), Touch(150 * c.beard, 3.2, self.head))
        low, high = outline.min(0), outline.max(0)
        within = Touch(235, 0, moved(outline, 0, 0))
        for _ in range(int(3400 * c.beard)):
            root = rng.uniform(low, high)
            out = np.array([root[0] * 0.030, 1.0 if root[1] > -6 else 0.55])
            flow = out / np.linalg.norm(out) * rng.uniform(2.4, 5.0)
            bend = rng.normal(0, 0.5, 2)
            lit = float(np.clip(rng.normal(0.16 - 0.1 * root[0] / 60, 0.13), 0, 0.8))
            tone = mix(scaled(c.hair, 0.75), c.shine, lit)
            hair = curve([root, root + flow * 0.5 + bend, root + flow])
            self.paint.brush(hair, tone, 0.62, Touch(float(rng.uniform(70, 150)), 0, within.inside))
        self.paint.fill(ellipse(0, 14.0, 5.0, 2.4), c.dark(0.25), Touch(70, 2.0, self.head))
