"""Hair of a drawn person: locks that flow between two guide lines, back and front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mouthpiece.face.characters import Character
from mouthpiece.face.colour import mix, scaled
from mouthpiece.face.drawing import Fill, Linear, Painter, Points, Touch, curve, ellipse, mirrored, moved


@dataclass(frozen=True, slots=True)
class Lock:
    """Hair between two guide lines that run from root to tip."""

    outer: Points
    inner: Points
    strands: int
    shine: float = 0.30  # where along the lock the light falls
    width: float = 1.3  # of a strand in mm
    dark: float = 0.62

    def outline(self) -> Points:
        """The lock as a closed shape."""
        return np.concatenate([self.outer, self.inner[::-1]])

    def strand(self, across: float, start: float, end: float) -> Points:
        """One line of hair: ``across`` 0 outer to 1 inner, from ``start`` to ``end`` along the lock."""
        t = np.linspace(start, end, 24)
        lines = [
            np.stack([np.interp(t * (len(g) - 1), np.arange(len(g)), g[:, k]) for k in (0, 1)], 1)
            for g in (self.outer, self.inner)
        ]
        return np.asarray(lines[0] * (1 - across) + lines[1] * across)


class HairArtist:
    """Draws the hair behind the head and the hair over it."""

    def __init__(self, painter: Painter, person: Character, head: Points) -> None:
        self.paint, self.person, self.head = painter, person, head
        p = person.proportions
        self.top, self.chin, self.cheek = p.top, p.chin, p.cheek
        self.rng = np.random.default_rng(person.seed + 100)

    def back(self) -> None:
        """What lies behind neck and ears."""
        styles = {"bob": self._bob_back, "waves": self._waves_back, "short": self._short_back}
        (styles | {"receding": self._receding_back, "coils": self._coils_back})[self.person.style]()

    def front(self) -> None:
        """What lies on the forehead and beside the face."""
        styles = {"bob": self._bob_front, "waves": self._waves_front, "short": self._short_front}
        (styles | {"receding": self._receding_front, "coils": self._coils_front})[self.person.style]()

    # --- strokes ---------------------------------------------------------------------------------------------------
    def _mass(self, outline: Points, fill: Fill) -> None:
        self.paint.fill(outline, fill, Touch(255, 0.35))

    def _lock(self, lock: Lock, fill: Fill, shadow: bool = True) -> None:
        outline = lock.outline()
        if shadow:
            self.paint.fill(moved(outline, 0.6, 3.2), (34.0, 8.0, 8.0), Touch(112, 3.4, self.head))
        self._mass(outline, fill)
        c, rng = self.person, self.rng
        for _ in range(lock.strands):
            across = float(rng.uniform(0, 1))
            start, end = float(rng.uniform(0, 0.45)), float(rng.uniform(0.6, 1.0))
            middle = (start + end) / 2
            lit = np.exp(-(((middle - lock.shine) / 0.20) ** 2)) * np.exp(-(((across - 0.35) / 0.30) ** 2))
            tone = mix(scaled(c.hair, lock.dark), c.shine, float(np.clip(rng.normal(0.16 + 0.42 * lit, 0.14), 0, 0.9)))
            line = lock.strand(across, start, end) + rng.normal(0, 0.35, (1, 2))
            width = float(rng.uniform(0.4, 1.0)) * lock.width
            self.paint.brush(line, tone, width, Touch(float(rng.uniform(60, 110)), 0, outline))
        for _ in range(lock.strands // 6):
            across = float(np.clip(rng.normal(0.36, 0.18), 0.05, 0.95))
            span = float(rng.uniform(0.10, 0.2))
            line = lock.strand(across, max(0.02, lock.shine - span), min(0.98, lock.shine + span))
            self.paint.brush(line, c.shine, 0.9, Touch(64, 0.25, outline))

    def _shaded(self, x0: float, x1: float, y0: float, y1: float) -> Linear:
        c = self.person
        stops = ((0.0, mix(c.hair, c.shine, 0.30)), (0.4, c.hair), (1.0, scaled(c.hair, 0.58)))
        return Linear((x0, y0), (x1, y1), stops)

    def _across(self) -> Linear:
        c = self.person
        stops = (
            (0.0, scaled(c.hair, 0.72)),
            (0.3, scaled(c.hair, 0.46)),
            (0.7, scaled(c.hair, 0.38)),
            (1.0, scaled(c.hair, 0.56)),
        )
        return Linear((-1.2 * self.cheek, 0), (1.2 * self.cheek, 0), stops)

    # --- bob -------------------------------------------------------------------------------------------------------
    def _bob_back(self) -> None:
        c, t = self.cheek, self.top
        left = [(0, t - 46), (-0.62 * c, t - 38), (-1.12 * c, t + 4), (-1.30 * c, -60), (-1.36 * c, 0)]
        self._mass(
            curve(mirrored([*left, (-1.27 * c, 46), (-0.98 * c, 56), (-0.55 * c, 50)]), closed=True), self._across()
        )

    def _bob_front(self) -> None:
        c, t = self.cheek, self.top
        part = (-0.26 * c, t - 49)
        for side in (1.0, -1.0):
            outer = [
                part,
                (side * 0.46 * c, t - 45),
                (side * 1.00 * c, t - 13),
                (side * 1.27 * c, -62),
                (side * 1.34 * c, -6),
            ]
            outer += [(side * 1.24 * c, 40), (side * 1.02 * c, 51)]
            over = 0.46 if side > 0 else -0.66
            inner = [(part[0], t - 6), (over * c, t + 8), (side * 0.86 * c, t + 32), (side * 0.985 * c, -58)]
            inner += [(side * 1.00 * c, -14), (side * 0.93 * c, 26), (side * 0.88 * c, 46)]
            lock = Lock(curve(outer), curve(inner), 330)
            self._lock(lock, self._shaded(side * 0.05 * c, side * 1.25 * c, t - 40, 40))
        fringe = Lock(
            curve([part, (0.04 * c, t - 38), (0.50 * c, t - 12), (0.84 * c, t + 24), (1.0 * c, -64)]),
            curve([(part[0] + 1, t - 8), (-0.06 * c, t + 3), (0.36 * c, t + 17), (0.70 * c, t + 41), (0.93 * c, -58)]),
            120,
            shine=0.42,
        )
        self._lock(fringe, self._shaded(0, 0.9 * c, t - 44, -62))

    # --- waves -----------------------------------------------------------------------------------------------------
    def _wavy(self, points: list[tuple[float, float]], side: float, size: float) -> Points:
        line = curve(points, steps=16)
        t = np.linspace(0, 1, len(line))
        swing = np.sin(t * 17.0) * size * np.clip((t - 0.30) * 2.2, 0, 1)
        return line + np.stack([side * swing, np.zeros(len(line))], 1)

    def _waves_back(self) -> None:
        c, t = self.cheek, self.top
        left = [
            (0.0, t - 46),
            (-0.66 * c, t - 33),
            (-1.16 * c, t + 6),
            (-1.38 * c, -56),
            (-1.50 * c, 0),
            (-1.56 * c, 60),
        ]
        down = self._wavy([*left, (-1.50 * c, 104)], -1.0, 2.4)
        tail = np.array([(-1.1 * c, 112), (-0.4 * c, 100)])
        self._mass(mirrored(np.concatenate([down, tail])), self._across())
        for side in (-1.0, 1.0):
            outer = self._wavy([(side * x * -1, y) for x, y in left[1:]] + [(side * 1.48 * c, 102)], side, 2.4)
            inner = self._wavy(
                [(side * 0.5 * c, t), (side * 0.8 * c, -30), (side * 0.78 * c, 40), (side * 0.8 * c, 98)], side, 2.0
            )
            back = Lock(outer, inner, 190, shine=0.62, dark=0.45)
            self._lock(back, self._across(), shadow=False)

    def _waves_front(self) -> None:
        c, t = self.cheek, self.top
        part = (0.16 * c, t - 49)
        for side in (-1.0, 1.0):
            outer = [
                part,
                (side * 0.62 * c, t - 40),
                (side * 1.14 * c, t + 4),
                (side * 1.36 * c, -56),
                (side * 1.46 * c, 0),
            ]
            outer += [(side * 1.52 * c, 56), (side * 1.40 * c, 100)]
            inner = [(part[0], t - 10), (side * 0.50 * c + 3, t + 1), (side * 0.86 * c, t + 25), (side * 1.01 * c, -56)]
            inner += [(side * 1.03 * c, 0), (side * 1.00 * c, 52), (side * 1.07 * c, 90)]
            lock = Lock(self._wavy(outer, side, 2.6), self._wavy(inner, side, 2.2), 360, shine=0.28)
            self._lock(lock, self._shaded(side * 0.05 * c, side * 1.35 * c, t - 42, 80))

    # --- short -----------------------------------------------------------------------------------------------------
    def _short_back(self) -> None:
        c, t = self.cheek, self.top
        self._mass(ellipse(0, t + 18, 1.05 * c, 50), scaled(self.person.hair, 0.7))

    def _short_front(self) -> None:
        c, t = self.cheek, self.top
        rise = [(-1.02, -50), (-1.075, -70), (-1.06, t + 22), (-0.90, t - 22), (-0.46, t - 46), (0.14, t - 52)]
        fall = [(0.70, t - 39), (1.03, t), (1.075, t + 26), (1.075, -70), (1.02, -50)]
        line = [(-0.955, -50), (-0.93, -72), (-0.85, t + 34), (-0.76, t + 12), (-0.42, t - 1), (0.08, t - 5)]
        line += [(0.52, t + 2), (0.79, t + 15), (0.86, t + 36), (0.93, -72), (0.955, -50)]
        outer, inner = (curve(np.array(p) * np.array((c, 1.0))) for p in (rise + fall, line))
        outline = np.concatenate([outer, inner[::-1]])
        self.paint.fill(moved(outline, 0, 3.0), (34.0, 8.0, 8.0), Touch(100, 3.6, self.head))
        self._mass(outline, self._shaded(-0.6 * c, 0.9 * c, t - 44, t + 24))
        self._quiff(outer, inner, outline)

    def _quiff(self, outer: Points, inner: Points, outline: Points) -> None:
        """Hair that rises from the hairline and falls to the right, tuft by tuft."""
        c, rng = self.person, self.rng
        for _ in range(620):
            t = float(rng.uniform(0, 1))
            root = inner[int(t * (len(inner) - 1))]
            lean = 0.10 if t > 0.28 else -0.06  # up and over from the parting, down at the temples
            over = float(np.clip(t + rng.normal(lean, 0.04), 0, 1))
            tip = outer[int(over * (len(outer) - 1))]
            f0, f1 = float(rng.uniform(-0.06, 0.55)), float(rng.uniform(0.6, 1.0))
            p0, p1 = root + (tip - root) * f0, root + (tip - root) * f1
            bend = (p0 + p1) / 2 + [-2.5, -2.0]
            lit = np.exp(-(((f0 + f1) / 2 - 0.55) ** 2) / 0.05) * np.exp(-((t - 0.34) ** 2) / 0.05)
            tone = mix(scaled(c.hair, 0.6), c.shine, float(np.clip(rng.normal(0.14 + 0.5 * lit, 0.14), 0, 0.9)))
            self.paint.brush(
                curve([p0, bend, p1]),
                tone,
                float(rng.uniform(0.6, 1.7)),
                Touch(float(rng.uniform(70, 130)), 0, outline),
            )
        for _ in range(150):  # the hairline is not an edge
            j = int(rng.integers(0, len(inner) - 1))
            root = inner[j] + rng.normal(0, 0.8, 2) + [0, 1.2]
            up = (outer[min(len(outer) - 1, j + 4)] - root) * float(rng.uniform(0.12, 0.3))
            self.paint.brush(
                curve([root, root + up * 0.5 + [-0.8, 0], root + up]), scaled(c.hair, 0.9), 0.8, Touch(120)
            )

    # --- receding --------------------------------------------------------------------------------------------------
    def _receding_back(self) -> None:
        c, t = self.cheek, self.top
        self._mass(ellipse(0, t + 26, 1.03 * c, 48), scaled(self.person.hair, 0.62))

    def _receding_front(self) -> None:
        """Combed back from high temples, shorter at the sides."""
        c, t = self.cheek, self.top
        rise = [(-1.02, -44), (-1.065, -66), (-1.06, t + 30), (-0.93, t - 4), (-0.56, t - 27), (0.10, t - 33)]
        fall = [(0.64, t - 24), (0.98, t + 4), (1.065, t + 32), (1.065, -66), (1.02, -44)]
        line = [(-0.955, -44), (-0.935, -66), (-0.89, t + 42), (-0.83, t + 22), (-0.70, t + 3), (-0.52, t - 7)]
        line += [(-0.26, t - 7), (0.06, t - 5), (0.34, t - 8), (0.58, t - 7), (0.74, t + 5), (0.85, t + 24)]
        line += [(0.90, t + 42), (0.935, -66), (0.955, -44)]
        outer, inner = (curve(np.array(p) * np.array((c, 1.0))) for p in (rise + fall, line))
        outline = np.concatenate([outer, inner[::-1]])
        self.paint.fill(moved(outline, 0, 2.0), (60.0, 30.0, 26.0), Touch(60, 3.2, self.head))
        self._mass(outline, self._shaded(-0.6 * c, 0.9 * c, t - 34, t + 30))
        self._quiff(outer, inner, outline)

    # --- coils -----------------------------------------------------------------------------------------------------
    def _cloud(self, size: float) -> Points:
        """Outline of a round head of tight curls, uneven as curls are."""
        t = np.linspace(0, 2 * np.pi, 180, endpoint=False)
        rough = 1 + 0.012 * np.sin(17 * t + 0.6) + 0.010 * np.sin(29 * t) + self.rng.normal(0, 0.006, len(t))
        x, y = 1.42 * self.cheek * size * np.sin(t) * rough, -1.30 * self.cheek * size * np.cos(t) * rough
        return np.stack([x, y + self.top + 26 - 6 * np.cos(t)], 1)

    def _coils_back(self) -> None:
        outline = self._cloud(1.0)
        self._mass(outline, self._across())
        self._curls(outline, 2600, 0.5)

    def _coils_front(self) -> None:
        c, t = self.cheek, self.top
        hairline = [(-1.03, -40), (-0.985, -66), (-0.93, t + 34), (-0.70, t + 9), (-0.34, t - 1), (0, t + 1)]
        whole = mirrored(np.array(hairline[::-1]) * np.array((c, 1.0)))
        inner = curve(whole[np.argsort(whole[:, 0], kind="stable")])
        band = self._cloud(0.93)
        top = band[band[:, 1] < -40]
        top = top[np.argsort(np.arctan2(top[:, 0], -(top[:, 1] - self.top - 26)), kind="stable")]
        outline = np.concatenate([top, inner[::-1]])
        self.paint.line(moved(inner, 0, 1.6), (20.0, 6.0, 6.0), 5.0, Touch(80, 2.6, self.head))
        self._mass(outline, self._shaded(-0.8 * c, 0.9 * c, t - 60, t + 40))
        self._curls(outline, 3000, 1.0)
        for _ in range(520):  # the hairline is made of curls, too
            root = inner[int(self.rng.integers(0, len(inner)))] + self.rng.normal(0, 1.3, 2)
            self._curl(root, 1.5, float(self.rng.uniform(0, 0.25)), 150)

    def _curls(self, outline: Points, count: int, light: float) -> None:
        low, high = outline.min(0), outline.max(0)
        for _ in range(count):
            root = self.rng.uniform(low, high)
            towards = (root - [-0.35 * self.cheek, self.top - 34]) / [1.1 * self.cheek, 60]
            lit = light * float(np.exp(-(towards**2).sum()))
            self._curl(
                root,
                float(self.rng.uniform(1.6, 3.2)),
                float(np.clip(self.rng.normal(0.08 + 0.5 * lit, 0.14), 0, 0.9)),
                190,
                outline,
            )

    def _curl(self, root: Points, radius: float, lit: float, alpha: float, inside: Points | None = None) -> None:
        """Most of a small circle, thinning at its ends."""
        start = float(self.rng.uniform(0, 2 * np.pi))
        t = np.linspace(start, start + 4.6, 14)
        ring = np.stack([np.cos(t), 0.85 * np.sin(t)], 1) * radius * np.linspace(1, 0.6, 14)[:, None] + root
        tone = mix(scaled(self.person.hair, 0.55), self.person.shine, lit)
        self.paint.brush(ring, tone, 0.95, Touch(alpha * float(self.rng.uniform(0.4, 1.0)), 0, inside))
