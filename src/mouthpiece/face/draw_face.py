"""Head and features of a drawn person, in millimetres around the landmarks."""

from __future__ import annotations

from typing import Final

import numpy as np

from mouthpiece.face import topology as topo
from mouthpiece.face.characters import Character
from mouthpiece.face.colour import Colour, mix, scaled
from mouthpiece.face.draw_detail import DetailArtist
from mouthpiece.face.drawing import WHITE, Linear, Painter, Points, Radial, Touch, curve, ellipse, moved

SIDES: Final = (-1.0, 1.0)


class FaceArtist:
    """Draws the skin of the head and every feature on it."""

    def __init__(self, painter: Painter, person: Character, landmarks: Points) -> None:
        self.paint, self.person, self.points = painter, person, landmarks
        p = person.proportions
        self.top, self.chin, self.cheek = p.top, p.chin, p.cheek
        self.eye_y = float(landmarks[topo.IRIS_RIGHT, 1])
        oval = curve(self.row(topo.OVAL), closed=True)
        crown = oval[:, 1] < self.top + 40
        lift = 1 - (np.abs(oval[:, 0]) / (0.95 * self.cheek)).clip(0, 1) ** 2
        self.head = np.stack([oval[:, 0], oval[:, 1] - np.where(crown, 14 * lift, 0)], 1)
        self.rng = np.random.default_rng(person.seed)

    def row(self, ids: tuple[int, ...]) -> Points:
        """Landmarks as 2-D points."""
        return np.asarray(self.points[list(ids), :2])

    def soft(self, alpha: float, blur: float) -> Touch:
        """A blurred touch that stays on the head."""
        return Touch(alpha, blur, self.head)

    def draw(self) -> None:
        """Everything from the ears to the brows."""
        self._ears()
        self._skin()
        self._eye_sockets()
        self._nose()
        if self.person.stubble:
            self._stubble()
        DetailArtist(self.paint, self.person, self.points, self.head).draw()
        self._lips()
        for side in SIDES:
            self._eye(side)
            self._brow(side)

    # --- skin ------------------------------------------------------------------------------------------------------
    def _ears(self) -> None:
        c = self.person
        for side in SIDES if c.style in ("short", "receding") else ():
            x, y = side * (self.cheek + 0.5), self.eye_y + 21
            shade = 0.16 if side < 0 else 0.34
            self.paint.fill(ellipse(x, y, 8.5, 17.5, side * 0.12), c.dark(shade))
            self.paint.fill(ellipse(x + side * 1.6, y - 1, 4.6, 11.5, side * 0.12), c.dark(0.55), Touch(120, 1.6))
            self.paint.line(
                curve([(x - side * 1, y - 13), (x + side * 5.4, y - 9), (x + side * 5.2, y + 4)]),
                c.light(0.3),
                1.6,
                Touch(70, 1.2),
            )

    def _skin(self) -> None:
        c, p = self.person, self.paint
        span = self.chin - self.top
        stops = ((0.0, c.light(0.34)), (0.5, c.skin), (1.0, c.dark(0.24)))
        p.fill(self.head, Radial((-0.22 * self.cheek, self.top + 0.40 * span), 0.86 * span, stops))
        for side, alpha in ((-1.0, 62.0), (1.0, 118.0)):
            p.fill(ellipse(side * 1.02 * self.cheek, -18, 17, 66), c.dark(0.6), self.soft(alpha, 12))
            p.fill(ellipse(side * 0.70 * self.cheek, 26, 16, 24, side * 0.6), c.dark(0.5), self.soft(alpha * 0.42, 10))
            p.fill(ellipse(side * 0.93 * self.cheek, self.eye_y - 26, 12, 26), c.dark(0.5), self.soft(alpha * 0.5, 9))
        p.fill(ellipse(0, self.chin + 3, 38, 9), c.dark(0.6), self.soft(80, 6))
        p.fill(ellipse(0, self.top - 8, 60, 20), c.dark(0.6), self.soft(58, 12))
        for side in SIDES:
            p.fill(ellipse(side * 36, -27, 16, 11), c.blush, self.soft(c.blush_alpha, 8))
        light = (255.0, 248.0, 236.0)
        for x, y, rx, ry, alpha in (
            (-8.0, self.top + 22, 28.0, 11.0, 52.0),
            (-33.0, -38.0, 11.0, 6.0, 58.0),
            (29.0, -38.0, 8.0, 5.0, 30.0),
            (-2.0, self.chin - 14, 8.0, 4.5, 46.0),
        ):
            p.fill(ellipse(x, y, rx, ry), light, self.soft(alpha * _skin_gloss(c), 6))
        for side in SIDES:
            fold = curve([(side * 21, -23), (side * 28, -12), (side * 33, 1)])
            p.brush(fold, c.dark(0.6), 2.2, self.soft(c.folds, 1.4))

    def _eye_sockets(self) -> None:
        c, p = self.person, self.paint
        for side in SIDES:
            x = side * 31.5
            p.fill(ellipse(x - side * 2, self.eye_y - 9, 19, 7.5), c.dark(0.55), self.soft(60, 4.2))
            p.fill(ellipse(side * 14.5, self.eye_y - 4, 5, 10, side * 0.2), c.dark(0.55), self.soft(62, 3.4))
            p.fill(ellipse(x, self.eye_y + 11, 15, 3.2), c.dark(0.5), self.soft(44, 2.8))
            p.fill(ellipse(x + side * 4, self.eye_y - 15.5, 11, 2.6), c.light(0.6), self.soft(56 * _skin_gloss(c), 2.2))

    # --- nose ------------------------------------------------------------------------------------------------------
    def _nose(self) -> None:
        c, p = self.person, self.paint
        wing, base = c.proportions.nose, c.proportions.nose_base
        tip = base - 9
        lit = [(3.5, self.eye_y + 2), (7.5, self.eye_y + 18), (wing * 0.86, base - 6), (wing * 0.6, base - 1)]
        inner = [(4, base - 2), (5.5, tip - 3), (3.5, self.eye_y + 16)]
        p.fill(curve([*lit, *inner], closed=True), c.dark(0.55), self.soft(74, 3.0))
        dim = [(-5, self.eye_y + 3), (-8, self.eye_y + 20), (-wing * 0.9, base - 6), (-8, base - 5), (-5.5, tip - 6)]
        p.fill(curve(dim, closed=True), c.dark(0.5), self.soft(34, 3.0))
        p.fill(ellipse(0.6, base + 1.2, wing * 0.72, 2.6), c.dark(0.62), self.soft(104, 1.8))
        p.brush([(-1.6, self.eye_y + 2), (-1.2, tip - 8)], c.light(0.8), 5.2, self.soft(74 * _skin_gloss(c), 1.9))
        p.fill(ellipse(-1.4, tip - 1, 5.2, 4.2), c.light(0.85), self.soft(104 * _skin_gloss(c), 1.9))
        for side in SIDES:
            nostril = curve([(side * 3.2, base - 1.8), (side * 6.4, base - 4.0), (side * 9.6, base - 2.2)])
            p.brush(nostril, mix(c.dark(0.9), (40.0, 12.0, 12.0), 0.45), 2.7, self.soft(215, 0.55))
            x = side * wing
            alar = curve([(x - side * 2.2, base - 12.5), (x + side * 0.8, base - 7.5), (x - side * 1.2, base - 2.4)])
            p.brush(alar, c.dark(0.75), 1.5, self.soft(128 if side > 0 else 96, 0.7))
            p.fill(ellipse(x * 0.78, base - 8, 3.0, 3.6), c.light(0.6), self.soft(44 * _skin_gloss(c), 1.6))
        p.fill(ellipse(0, base * 0.55, 3.0, 4.6), c.dark(0.55), self.soft(50, 1.6))

    def _stubble(self) -> None:
        c = self.person
        jaw = self.row((93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323))
        upper = [(40, -6), (24, -14), (0, -15), (-24, -14), (-40, -6)]
        tone = mix(scaled(c.hair, 1.1), c.skin, 0.30)
        self.paint.fill(curve(np.concatenate([jaw, upper]), closed=True), tone, self.soft(c.stubble, 5))

    # --- lips ------------------------------------------------------------------------------------------------------
    def _lips(self) -> None:
        c, p = self.person, self.paint
        upper = np.concatenate([curve(self.row(topo.UPPER_OUTER)), curve(self.row(topo.UPPER_INNER))[::-1]])
        lower = np.concatenate([curve(self.row(topo.LOWER_INNER)), curve(self.row(topo.LOWER_OUTER))[::-1]])
        low, high, seam = float(lower[:, 1].max()), float(upper[:, 1].min()), float(self.points[13, 1])
        p.fill(ellipse(0, low + 3.6, 15, 3.4), c.dark(0.62), self.soft(104, 2.4))
        p.fill(ellipse(0, high - 1.6, 11, 1.6), c.light(0.6), self.soft(44 * _skin_gloss(c), 1.2))
        edge = Touch(255, 0.32, self.head)
        dark, rim = scaled(c.lips, 0.80), mix(c.lips, c.skin, 0.22)
        p.fill(upper, Linear((0, high), (0, seam + 0.6), ((0, rim), (0.55, c.lips), (1, dark))), edge)
        full = mix(c.lips, (255.0, 214.0, 204.0), 0.16)
        p.fill(lower, Linear((0, seam), (0, low), ((0, scaled(c.lips, 0.90)), (0.45, full), (1, rim))), edge)
        p.fill(ellipse(-3, seam + 0.42 * (low - seam), 12, 1.5), (255.0, 238.0, 230.0), Touch(c.gloss, 1.1, lower))
        p.fill(ellipse(4, seam + 0.55 * (low - seam), 7, 1.0), (255.0, 238.0, 230.0), Touch(c.gloss * 0.6, 0.8, lower))
        for x in (-4.6, 4.6):
            p.fill(ellipse(x, high + 2.0, 3.4, 0.9), (255.0, 232.0, 224.0), Touch(c.gloss * 0.45, 0.7, upper))
        p.brush(curve(self.row(topo.UPPER_INNER)), scaled(c.lips, 0.42), 0.85, Touch(190, 0.22))
        for i in (61, 291):
            p.fill(
                ellipse(float(self.points[i, 0]), float(self.points[i, 1]), 1.5, 1.1),
                scaled(c.lips, 0.42),
                self.soft(84, 0.5),
            )

    # --- eyes ------------------------------------------------------------------------------------------------------
    def _eye(self, side: float) -> None:
        c, p = self.person, self.paint
        right = side < 0
        upper = curve(self.row(topo.EYE_R_UPPER if right else topo.EYE_L_UPPER))
        lower = curve(self.row(topo.EYE_R_LOWER if right else topo.EYE_L_LOWER))
        opening = np.concatenate([upper, lower[::-1]])
        centre = self.points[topo.IRIS_RIGHT if right else topo.IRIS_LEFT, :2]
        inside = Touch(255, 0, opening)
        whites = ((0.0, (250.0, 248.0, 246.0)), (0.6, (240.0, 236.0, 233.0)), (1.0, (206.0, 196.0, 194.0)))
        p.fill(opening, Radial((float(centre[0]), float(centre[1]) + 1), c.proportions.eye * 1.08, whites))
        inner = self.points[133 if right else 362, :2]
        p.fill(
            ellipse(inner[0] + side * 1.6, inner[1] + 0.1, 2.3, 1.6), (216.0, 146.0, 136.0), Touch(200, 0.7, opening)
        )
        self._iris(centre, inside)
        band = np.concatenate([moved(upper, 0, -4), (moved(upper, 0, 2.6))[::-1]])
        p.fill(band, (58.0, 40.0, 50.0), Touch(118, 1.25, opening))
        self._lids(side, upper, lower)

    def _iris(self, centre: Points, inside: Touch) -> None:
        c, p = self.person, self.paint
        x, y = float(centre[0]), float(centre[1])
        r = c.proportions.iris
        rim = scaled(c.iris, 0.34)
        p.fill(ellipse(x, y, r, r), rim, Touch(255, 0.22, inside.inside))
        glow = ((0.0, mix(c.iris, (255.0, 236.0, 190.0), 0.42)), (0.55, c.iris), (1.0, scaled(c.iris, 0.52)))
        p.fill(ellipse(x, y, r * 0.93, r * 0.93), Radial((x, y + 0.36 * r), r * 1.12, glow), inside)
        for angle in np.linspace(0, 2 * np.pi, 44, endpoint=False):
            d = np.array([np.cos(angle), np.sin(angle)])
            tint = mix(c.iris, (255.0, 240.0, 200.0), float(self.rng.uniform(0, 0.5)))
            ray = np.stack([centre + d * r * 0.44, centre + d * r * self.rng.uniform(0.72, 0.9)])
            p.line(ray, tint, 0.32, Touch(78, 0, inside.inside))
        p.fill(ellipse(x, y, r * 0.43, r * 0.43), (14.0, 10.0, 11.0), Touch(255, 0.16, inside.inside))
        p.fill(ellipse(x - 0.32 * r, y - 0.30 * r, r * 0.21, r * 0.19), WHITE, Touch(245, 0.14, inside.inside))
        p.fill(ellipse(x + 0.34 * r, y + 0.36 * r, r * 0.13, r * 0.11), WHITE, Touch(96, 0.2, inside.inside))

    def _lids(self, side: float, upper: Points, lower: Points) -> None:
        c, p = self.person, self.paint
        crease = curve(self.row(topo.LID_R_UPPER if side < 0 else topo.LID_L_UPPER))[6:-8]
        p.brush(moved(crease, 0, 0.8), c.dark(0.78), 1.25, Touch(150, 0.5, self.head))
        lid = np.concatenate([upper[4:-4], (moved(crease, 0, 1.2))[::-1]])
        p.fill(lid, c.dark(0.30), Touch(54, 0.9, self.head))
        lash: Colour = scaled(mix(c.hair, (26.0, 18.0, 20.0), 0.75), 0.8)

        def thick(t: Points) -> Points:
            return np.interp(t, [0, 0.15, 0.5, 0.85, 1], [0.70, 1.0, 0.92, 0.55, 0.10])

        p.brush(moved(upper, 0, -0.25 * c.lash), lash, c.lash * 1.12, Touch(255, 0.14), thick)
        for j in range(9 if c.wing else 0):
            root = upper[int(j * 4.2)]
            out = side * (2.7 - 0.26 * j) * c.wing
            hair = curve([root, moved(root, out * 0.45, -1.3 * c.wing), moved(root, out, -2.9 * c.wing)])
            p.brush(hair, lash, 0.85, Touch(245), lambda t: np.asarray(1 - t))
        p.brush(lower, mix(c.dark(0.9), lash, 0.4), 0.62, Touch(120, 0.18))
        p.brush(moved(lower[6:-4], 0, 0.75), (250.0, 222.0, 212.0), 0.7, Touch(90 * _skin_gloss(c), 0.25, self.head))

    def _brow(self, side: float) -> None:
        c, p = self.person, self.paint
        low = curve(self.row(topo.BROW_R_LOWER if side < 0 else topo.BROW_L_LOWER))
        high = curve(self.row(topo.BROW_R_UPPER if side < 0 else topo.BROW_L_UPPER))
        middle, thick = (low + high) / 2, np.linalg.norm(low - high, axis=1) * c.brow
        t = np.linspace(0, 1, len(middle))
        width = thick * np.interp(t, [0, 0.35, 0.85, 1], [0.22, 0.75, 1.0, 0.7])
        tone = scaled(c.hair, 0.62)
        down = np.array([0, 1.0])
        body = np.concatenate([middle - down * width[:, None] / 2, (middle + down * width[:, None] / 2)[::-1]])
        p.fill(body, tone, Touch(150, 0.9))
        for _ in range(110):
            j = int(self.rng.integers(2, len(middle) - 1))
            root = middle[j] + down * self.rng.uniform(-0.5, 0.5) * width[j]
            flow = middle[j - 1] - middle[min(j + 1, len(middle) - 1)]
            flow = flow / (np.linalg.norm(flow) + 1e-6)
            rise = np.array([0, -1.6 if j > 0.75 * len(middle) else -0.5])
            hair = curve([root, root + flow * 2.0 + rise * 0.7, root + flow * 3.8 + rise])
            p.brush(
                hair,
                scaled(tone, float(self.rng.uniform(0.7, 1.15))),
                0.62,
                Touch(150),
                lambda t: np.asarray(1 - 0.8 * t),
            )


def _skin_gloss(c: Character) -> float:
    """Highlights in white look chalky on dark skin: lay them thinner there."""
    return 0.45 + 0.55 * min(1.0, sum(c.skin) / 600)
