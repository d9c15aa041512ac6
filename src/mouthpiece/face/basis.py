"""The motion basis: what each expression shape does to the mesh, in millimetres at weight 1.

Every shape is a small table of handles (landmark -> displacement) and of places that stay still; a biharmonic solve
spreads it over the mesh. Amplitudes were tuned by eye on drawn and photographed faces. Axes as in the face frame:
x to the right of the picture, y down, z away from the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo
from mouthpiece.face.mesh import FaceMesh, curve_midpoints, outside
from mouthpiece.face.solving import Biharmonic
from mouthpiece.media import MOUTH_SHAPES

Points = NDArray[np.float64]
Handles = dict[int, Points]
Column = Callable[[int, float], Sequence[float]]

MOUTH: Final = MOUTH_SHAPES[:10]
EYES: Final = ("blink_r", "blink_l", "squint_r", "squint_l", "wide_r", "wide_l")
BROWS: Final = ("brow_inner_up", "brow_up", "brow_down")
EXTRA: Final = ("smile_skew", "brow_skew", "cheek", "sneer", "look_down")
SHAPES: Final = (*MOUTH, "frown", "shift", *EYES, *BROWS, *EXTRA)
"""Names of the basis, in order."""

JAW_DROP: Final = 12.0
"""Millimetres that the middle of the lower lip falls at jaw_open 1 (14 degrees or so about the ear axis)."""

AJAR: Final = 0.05
"""Millimetres between the lips of a portrait from which on pressing them together has to close that gap too."""

CORNER_DROP: Final = 0.26
"""Share of the jaw's rotation that the corners of the mouth take."""

UPPER_ROWS: Final = ((topo.UPPER_INNER, 0.0), (topo.UPPER_1, 0.33), (topo.UPPER_2, 0.66), (topo.UPPER_OUTER, 1.0))
LOWER_ROWS: Final = ((topo.LOWER_INNER, 0.0), (topo.LOWER_1, 0.33), (topo.LOWER_2, 0.66), (topo.LOWER_OUTER, 1.0))
UPPER: Final = tuple(row for row, _ in UPPER_ROWS)
LOWER: Final = tuple(row for row, _ in LOWER_ROWS)
CORNERS: Final = (0, 10)
MIDDLE: Final = range(1, 10)

# How much of the jaw's rotation each point of the jawline takes.
# fmt: off
JAWLINE: Final = {
    152: 1.0, 148: 1.0, 377: 1.0, 176: 0.99, 400: 0.99, 149: 0.96, 378: 0.96, 150: 0.88, 379: 0.88, 136: 0.74,
    365: 0.74, 172: 0.52, 397: 0.52, 58: 0.30, 288: 0.30, 132: 0.12, 361: 0.12, 93: 0.03, 323: 0.03,
}
# fmt: on
JAW_SIDES: Final = (93, 132, 58, 172, 323, 361, 288, 397)
TEMPLES: Final = (127, 356, 234, 454)
FOREHEAD: Final = (10, 151, 9, 8)
NOSTRILS: Final = frozenset((2, 98, 327, 94, 97, 326, 48, 278, 64, 294, 129, 358))
LID_EDGES: Final = topo.EYE_R_UPPER + topo.EYE_R_LOWER + topo.EYE_L_UPPER + topo.EYE_L_LOWER

EYE_SIDES: Final = {
    "r": (topo.EYE_R_UPPER, topo.EYE_R_LOWER, topo.LID_R_UPPER, topo.LID_R_LOWER),
    "l": (topo.EYE_L_UPPER, topo.EYE_L_LOWER, topo.LID_L_UPPER, topo.LID_L_LOWER),
}


def build_basis(mesh: FaceMesh) -> tuple[Points, Points]:
    """The neutral correction (n, 3) that shuts an open mouth, and the basis (len(SHAPES), n, 3), both in mm."""
    return _Builder(mesh).build()


class _Builder:
    def __init__(self, mesh: FaceMesh) -> None:
        self.mesh = mesh
        self.solver = Biharmonic(mesh.points[:, :2], mesh.triangles)
        self.chains = [c for c in topo.SMOOTH_CHAINS if len(c) < 20]
        self.source = mesh.mm[: topo.SURFACE_POINTS]
        self.neutral = self.source
        self.columns = self._columns()
        self.profile = np.sqrt(np.clip(1 - self.columns**2, 0, 1))
        self.bump = 1 - self.columns**2
        self._find_still()

    def _columns(self) -> Points:
        x = self.source[list(topo.UPPER_INNER), 0]
        s: Points = (x - x[0]) / (x[-1] - x[0]) * 2 - 1
        return s.clip(-1, 1)

    def _find_still(self) -> None:
        """Vertices that expressions never move: the border, far body, hair and ears."""
        mesh, px = self.mesh, self.mesh.points
        outer = np.arange(mesh.surface, len(px))
        xy = px[outer, :2]
        width = float(np.linalg.norm(px[454] - px[234]))
        height = float(np.linalg.norm(px[10] - px[152]))
        high = float(px[:, :2].max())
        border = (xy <= 1).any(1) | (xy >= high - 1).any(1)
        far = outside(xy, mesh.oval) > 0.45 * width
        self.still = set(outer[border | far | (xy[:, 1] < px[4, 1] - 0.15 * height)].tolist())
        self.crown = set(outer[border | (xy[:, 1] < px[10, 1] - 0.05 * height)].tolist())
        upper = {*topo.BROWS, *LID_EDGES, *topo.NOSE[:8], *FOREHEAD, *TEMPLES, 162, 389, 143, 372, 35, 265}
        self.around_mouth = self.still | upper | set(topo.NOSE)
        near = outside(xy, mesh.oval)
        beside = {*outer[near > 0.08 * width].tolist(), *JAW_SIDES}
        self.around_lips = self.around_mouth | beside
        self.fading = np.ones(len(px))
        self.fading[outer] = 1 - np.clip(near / (0.32 * width), 0, 1) ** 2
        smile = {*topo.BROWS, *topo.EYE_R_UPPER, *topo.EYE_L_UPPER, *FOREHEAD, *TEMPLES, 168, 6, 197, 195, 5, 4, 1}
        self.around_smile = self.still | smile | beside

    def spread(self, handles: Mapping[int, Sequence[float] | Points], still: set[int]) -> Points:
        """Displacement field of one shape; rows of handles move their in-between vertices along a curve."""
        full = {i: np.asarray(v, float) for i, v in handles.items()}
        for chain in self.chains:
            if not all(i in full for i in chain):
                continue
            between = curve_midpoints(np.array([full[i] for i in chain]))
            for (a, b), move in zip(pairwise(chain), between, strict=True):
                full[self.mesh.middle[min(a, b), max(a, b)]] = move
        return self.solver.spread(full, still - full.keys())

    def build(self) -> tuple[Points, Points]:
        correction = self._neutralise()
        self.neutral = self.source + correction[: topo.SURFACE_POINTS]
        shapes = {**self._jaw(), **self._lip_shapes(), **self._eyes(), **self._brows(), **self._cheeks()}
        shapes |= self._skewed(shapes)
        return correction, np.stack([shapes[name] for name in SHAPES])

    # --- an open source mouth --------------------------------------------------------------------------------------
    def _neutralise(self) -> Points:
        """Close the mouth of a portrait that shows an open one; zero for a closed one."""
        _, gap, depth = (self.source[list(topo.LOWER_INNER)] - self.source[list(topo.UPPER_INNER)]).T
        if gap[5] <= 0.8:
            return np.zeros_like(self.mesh.mm)
        toothy = gap[5] > 2.2
        share = 0.60 if toothy else 0.42
        narrow = 0.13 if toothy else 0.0
        seam = self.source[topo.UPPER_INNER[5], 1] + share * gap[5]
        sink = [0.62 * toothy * max(0.0, seam - self.source[topo.UPPER_INNER[k], 1] - 1.5) for k in CORNERS]
        handles: Handles = {i: np.array([0, -0.30 * (1 - share) * gap[5], 0]) for i in (152, 175, 148, 377)}
        upper = ((*UPPER, topo.ABOVE_LIP), (1.0, 0.97, 0.93, 0.82, 0.45), share)
        lower = ((*LOWER, topo.BELOW_LIP), (1.0, 1.0, 0.98, 0.94, 0.6), share - 1)
        for rows, factors, part in (upper, lower):
            for row, factor in zip(rows, factors, strict=True):
                outer = 0.5 if row in (topo.ABOVE_LIP, topo.BELOW_LIP) else 1.0
                for k in range(11):
                    drop = (sink[0] * (1 - k / 10) + sink[1] * k / 10) * abs(self.columns[k]) ** 1.5
                    x = -narrow * self.source[row[k], 0] * outer
                    edge = k in CORNERS
                    y = sink[k // 10] * (0.6 if outer < 1 else 1) if edge else part * gap[k] * factor + drop * outer
                    z = 0.0 if edge else part * depth[k] * factor  # or a face that looks up or down stays ajar
                    handles[row[k]] = np.array([x, y, z])
        if toothy:  # a smile lifts the cheeks too: let them down with its corners
            fall = 0.5 * sum(sink)
            for i, share_of in ((205, 0.75), (425, 0.75), (50, 0.55), (280, 0.55), (187, 0.6), (411, 0.6)):
                handles[i] = np.array([-0.04 * self.source[i, 0], share_of * fall, 0])
        return self.spread(handles, self.around_smile)

    # --- jaw -------------------------------------------------------------------------------------------------------
    def _jaw(self) -> dict[str, Points]:
        """Rotation about the ear axis, and its exact inverse at the lips."""
        ear = (self.source[234] + self.source[454]) / 2
        hinge = np.array([0, ear[1] - 2, ear[2] + 6])
        reach = self.neutral[14] - hinge
        angle = JAW_DROP / np.hypot(reach[1], reach[2])

        def turned(i: int, weight: float) -> Points:
            r = self.neutral[i] - hinge
            return np.array([0.0, -r[2], r[1]]) * float(weight * angle)

        handles = {i: turned(i, 1.0) for i in topo.CHIN} | {i: turned(i, 0.97 * w) for i, w in JAWLINE.items()}
        lip = CORNER_DROP + (1 - CORNER_DROP) * self.bump**0.85  # an open mouth is a lens that tapers to its corners
        above = CORNER_DROP * (1 - self.bump**0.5)
        for k in MIDDLE:
            handles |= {row[k]: turned(row[k], float(lip[k])) for row in LOWER}
            drop = np.array([0, 0.3 * self.bump[k], 0])
            handles |= {row[k]: turned(row[k], float(above[k])) + drop for row in UPPER}
            handles[topo.BELOW_LIP[k]] = turned(topo.BELOW_LIP[k], min(1.0, float(lip[k]) + 0.05))
        for k in CORNERS:
            for row in UPPER:
                inward = -np.sign(self.neutral[row[k], 0]) * 1.6
                handles[row[k]] = np.array([inward, *turned(row[k], CORNER_DROP)[1:]])
        fading = self.fading[:, None]  # hair beside the jaw must not swing with it
        opening = self.spread(handles, self.around_mouth) * fading
        return {"jaw_open": opening, "mouth_close": self._closing(handles) * fading}

    def _closing(self, jaw: Handles) -> Points:
        """Undo the gap that ``jaw`` opened: 30 % by the upper lip, 70 % by the lower; the chin stays down."""
        handles: Handles = {i: np.zeros(3) for i in (152, 148, 377, 175, 199)}
        for k in MIDDLE:
            gap = (jaw[topo.LOWER_INNER[k]] - jaw[topo.UPPER_INNER[k]]) * [0, 1, 1]
            for row, factor in zip((*UPPER, topo.ABOVE_LIP), (1, 0.95, 0.88, 0.78, 0.35), strict=True):
                handles[row[k]] = 0.30 * factor * gap
            for row, factor in zip((*LOWER, topo.BELOW_LIP), (1, 0.96, 0.90, 0.80, 0.42), strict=True):
                handles[row[k]] = -0.70 * factor * gap
        for k in CORNERS:
            handles |= {row[k]: np.array([0, -1.0, 0]) for row in UPPER}
        return self.spread(handles, self.around_mouth)

    # --- lips ------------------------------------------------------------------------------------------------------
    def _lips(self, upper: Column, lower: Column, corner: Column, follow: tuple[float, float]) -> Handles:
        """Handles of both lips. Functions of (column, 0 inner .. 1 outer); ``follow``: share of the skin around."""
        handles: Handles = {}
        for k in MIDDLE:
            handles |= {row[k]: np.array(upper(k, t)) for row, t in UPPER_ROWS}
            handles |= {row[k]: np.array(lower(k, t)) for row, t in LOWER_ROWS}
            handles[topo.ABOVE_LIP[k]] = np.array(upper(k, 1.0)) * follow[0]
            handles[topo.BELOW_LIP[k]] = np.array(lower(k, 1.0)) * follow[1]
        for k in CORNERS:
            move = np.array(corner(k, 1.0))
            handles |= {row[k]: move for row in UPPER}
            handles[topo.ABOVE_LIP[k]] = move * 0.6
        return handles

    def _lip_shapes(self) -> dict[str, Points]:
        return {**self._rounding(), **self._widening(), **self._parting(), **self._pressing()}

    def _rounding(self) -> dict[str, Points]:
        """Pucker (ou, w) and funnel (sh, open o): narrower, forward, and flatter where a smile curved the seam."""
        x, bump, prof = self.neutral[:, 0], self.bump, self.profile
        y_inner = self.neutral[list(topo.UPPER_INNER), 1] + self.neutral[list(topo.LOWER_INNER), 1]
        level = (self.neutral[13, 1] + self.neutral[14, 1]) / 2 - y_inner / 2
        uo, lo = topo.UPPER_OUTER, topo.LOWER_OUTER

        def pucker_upper(k: int, t: float) -> list[float]:
            forward = -5.5 * prof[k] * (1 - 0.3 * t) - 1
            return [-0.36 * x[uo[k]], (-1.0 * t - 0.1) * bump[k] + 0.62 * level[k], forward]

        def pucker_lower(k: int, t: float) -> list[float]:
            forward = -5.0 * prof[k] * (1 - 0.3 * t) - 1
            return [-0.36 * x[lo[k]], (1.3 * t + 0.1) * bump[k] + 0.62 * level[k], forward]

        def pucker_corner(k: int, _t: float) -> list[float]:
            return [-0.36 * x[topo.UPPER_INNER[k]], 0.2 + 0.62 * level[k], -1.5]

        def funnel_upper(k: int, t: float) -> list[float]:
            return [-0.22 * x[uo[k]], (-2.2 - 0.6 * t) * bump[k] + 0.35 * level[k], -4.5 * prof[k]]

        def funnel_lower(k: int, t: float) -> list[float]:
            return [-0.22 * x[lo[k]], (2.4 + 0.7 * t) * bump[k] + 0.35 * level[k], -4.5 * prof[k]]

        def funnel_corner(k: int, _t: float) -> list[float]:
            return [-0.22 * x[topo.UPPER_INNER[k]], 0.2 + 0.35 * level[k], -1.0]

        pucker = self._lips(pucker_upper, pucker_lower, pucker_corner, (0.55, 0.50))
        funnel = self._lips(funnel_upper, funnel_lower, funnel_corner, (0.50, 0.50))
        return {
            "pucker": self.spread(pucker, self.around_lips),
            "funnel": self.spread(funnel, self.around_lips),
        }

    def _widening(self) -> dict[str, Points]:
        x, bump, s = self.neutral[:, 0], self.bump, np.abs(self.columns)
        uo, lo, ui = topo.UPPER_OUTER, topo.LOWER_OUTER, topo.UPPER_INNER
        stretch = self._lips(
            lambda k, t: [0.15 * x[uo[k]], 0.35 * t * bump[k], s[k]],
            lambda k, t: [0.15 * x[lo[k]], -0.35 * t * bump[k], s[k]],
            lambda k, _t: [0.15 * x[ui[k]], 0.3, 1.2],
            (0.6, 0.6),
        )
        smile = self._lips(
            lambda k, _t: [0.14 * x[uo[k]], 0.2 - 3.4 * s[k] ** 1.6, 0.8 * s[k]],
            lambda k, _t: [0.14 * x[lo[k]], 0.2 - 3.4 * s[k] ** 1.6, 0.8 * s[k]],
            lambda k, _t: [0.14 * x[ui[k]], -3.6, 1.5],
            (0.75, 0.40),
        )
        smile |= {i: np.array([0, -2.0, -0.6]) for i in (205, 425, 50, 280, 187, 411)}
        frown = self._lips(
            lambda k, _t: [0, 2.6 * s[k] ** 2 - 0.2, 0],
            lambda k, _t: [0, 2.4 * s[k] ** 2, 0],
            lambda k, _t: [0.6 * np.sign(self.columns[k]), 3.0, 0],
            (0.5, 0.6),
        )
        return {
            "stretch": self.spread(stretch, self.around_lips),
            "smile": self.spread(smile, self.around_smile),
            "frown": self.spread(frown, self.around_lips),
        }

    def _parting(self) -> dict[str, Points]:
        bump = self.bump
        upper = self._lips(
            lambda k, _t: [0, -2.8 * bump[k] ** 0.7, 0],
            lambda _k, _t: [0, 0, 0],
            lambda _k, _t: [0, -0.3, 0],
            (0.6, 0.0),
        )
        lower = self._lips(
            lambda _k, _t: [0, 0, 0],
            lambda k, t: [0, (3.2 - 0.5 * t) * bump[k] ** 0.7, 0.3],
            lambda _k, _t: [0, 0.4, 0],
            (0.0, 0.55),
        )
        return {
            "upper_up": self.spread(upper, self.around_lips - NOSTRILS),
            "lower_down": self.spread(lower, self.around_lips),
        }

    def _pressing(self) -> dict[str, Points]:
        """Press rolls both lips in (p, b, m); tuck draws the lower lip under the teeth (f, v); shift is sideways."""
        x, bump, prof = self.neutral[:, 0], self.bump, self.profile
        ajar = self.neutral[list(topo.LOWER_INNER), 1] - self.neutral[list(topo.UPPER_INNER), 1]
        meet = np.maximum(0.0, ajar - AJAR) / 2  # by each lip, where they stay apart at rest
        press = self._lips(
            lambda k, t: [-0.02 * x[topo.UPPER_OUTER[k]], (1.5 * t - 0.05) * prof[k] + meet[k], 1.2 * prof[k]],
            lambda k, t: [-0.02 * x[topo.LOWER_OUTER[k]], (-1.7 * t + 0.05) * prof[k] - meet[k], 1.2 * prof[k]],
            lambda k, _t: [0.3 * np.sign(self.columns[k]), 0.2, 0.6],
            (0.55, 0.45),
        )
        press |= {i: np.array([0, -0.8, 0]) for i in (199, 200)}
        tuck = self._lips(
            lambda k, _t: [0, -1.0 * bump[k], 0],
            lambda k, t: [0, -(2.3 - 1.0 * t) * bump[k], 1.8 * bump[k] * (1 - t)],
            lambda _k, _t: [0, 0, 0],
            (0.4, 0.35),
        )
        shift = self._lips(
            lambda _k, _t: [1.5, 0, 0], lambda _k, _t: [2.2, 0, 0], lambda _k, _t: [1.8, 0, 0], (0.6, 0.8)
        )
        shift |= {i: np.array([1.2, 0, 0]) for i in (152, 148, 377)}
        return {
            name: self.spread(h, self.around_lips) for name, h in (("press", press), ("tuck", tuck), ("shift", shift))
        }

    # --- eyes and brows --------------------------------------------------------------------------------------------
    def _eyes(self) -> dict[str, Points]:
        fixed = {*topo.NOSE[:8], 10, 151, 1, 2, 61, 291, 0, 17, 152, *TEMPLES, *topo.BROWS}
        cheeks = {50, 280, 117, 346, 118, 347}
        out = {"look_down": np.zeros_like(self.mesh.mm)}
        for side, rings in EYE_SIDES.items():
            out["look_down"] += self.spread(self._following(rings), self.still | fixed)
            blink, squint, wide = self._lid_moves(rings)
            out[f"blink_{side}"] = self.spread(blink, self.still | fixed | cheeks)
            out[f"squint_{side}"] = self.spread(squint, self.still | fixed)
            out[f"wide_{side}"] = self.spread(wide, self.still | fixed | cheeks)
        return out

    def _lid_moves(self, rings: tuple[tuple[int, ...], ...]) -> tuple[Handles, Handles, Handles]:
        upper, lower, crease, bag = rings
        opening, opening_low = self._eye_gaps(upper, lower)
        blink: Handles = {}
        squint: Handles = {}
        wide: Handles = {}
        for k in range(9):
            inner = 0 < k < 8
            down, up = (opening[k], opening_low[k]) if inner else (0.0, 0.0)
            blink[upper[k]] = np.array([0, 0.90 * down + 0.15 if inner else 0.12 * opening[4], 0])
            blink[crease[k]] = np.array([0, 0.42 * down if inner else 0.05 * opening[4], 0])
            squint[upper[k]], wide[upper[k]] = np.array([0, 0.12 * down, 0]), np.array([0, -0.16 * down, 0])
            if inner:
                blink[lower[k]], blink[bag[k]] = np.array([0, -0.10 * up - 0.15, 0]), np.array([0, -0.06 * up, 0])
                squint[lower[k]], squint[bag[k]] = np.array([0, -0.30 * up, 0]), np.array([0, -0.22 * up, 0])
                wide[lower[k]], wide[crease[k]] = np.array([0, 0.03 * up, 0]), np.array([0, -0.10 * down, 0])
        return blink, squint, wide

    def _following(self, rings: tuple[tuple[int, ...], ...]) -> Handles:
        """Both lids go with the eye: the upper one most of the way of a glance down, the lower one a third."""
        upper, lower, crease, bag = rings
        height = float(self._eye_gaps(upper, lower)[0][4])
        moves: Handles = {}
        for k in range(1, 8):
            share = 1 - (abs(k - 4) / 4) ** 2
            for row, much in ((upper, 0.42), (crease, 0.16), (lower, 0.14), (bag, 0.08)):
                moves[row[k]] = np.array([0, much * share * height, 0])
        return moves

    def _eye_gaps(self, upper: tuple[int, ...], lower: tuple[int, ...]) -> tuple[Points, Points]:
        """Height of the eye at the columns of its upper and of its lower lid, in mm."""
        up, low = self.neutral[list(upper), :2], self.neutral[list(lower), :2]
        by_up, by_low = np.argsort(up[:, 0]), np.argsort(low[:, 0])
        under = np.interp(up[:, 0], low[by_low, 0], low[by_low, 1])
        over = np.interp(low[:, 0], up[by_up, 0], up[by_up, 1])
        return np.asarray(under - up[:, 1]), np.asarray(low[:, 1] - over)

    def _brows(self) -> dict[str, Points]:
        still = self.crown | {*LID_EDGES, *topo.NOSE[:4], 1, 4, 61, 291, 152, 234, 454}
        inner, near, middle = (107, 55, 336, 285), (66, 65, 296, 295), (105, 52, 334, 282)
        tips, ends = (70, 46, 300, 276), (63, 53, 293, 283)

        def moved(*groups: tuple[tuple[int, ...], float]) -> Handles:
            return {i: np.array([0, y, 0]) for ids, y in groups for i in ids}

        sad = moved(
            (inner, -3.2), (near, -2.2), (middle, -0.6), (tips, 0), (ends, 0), ((9,), -2), ((8,), -1), ((151,), -1.4)
        )
        up = moved(
            (ends, -3.0), (middle, -3.0), (tips, -2.2), (near, -2.2), (inner, -1.2), ((10,), -0.4), ((151,), -1.0)
        )
        up |= moved(((27, 29, 30, 28, 257, 259, 260, 258), -0.8))
        down = moved((near, 1.2), (middle, 1.2), (tips, 0.4), (ends, 0.4))
        down |= {i: np.array([-0.8 * np.sign(self.source[i, 0]), 1.8, 0]) for i in inner}
        return {
            "brow_inner_up": self.spread(sad, still),
            "brow_up": self.spread(up, still),
            "brow_down": self.spread(down, still),
        }

    # --- cheeks and asymmetry --------------------------------------------------------------------------------------
    def _cheeks(self) -> dict[str, Points]:
        """Cheeks that rise under the eyes, and the wings of the nose that lift and deepen the fold beside them."""
        fixed = {*topo.BROWS, *LID_EDGES, *topo.NOSE[:8], 1, 2, 164, 0, 17, 13, 14, 152, 61, 291, *TEMPLES}
        cheek: Handles = {}
        sneer: Handles = {}
        for side in (-1.0, 1.0):
            rise = ((50, 280, 2.0), (205, 425, 1.6), (101, 330, 1.8), (118, 347, 1.2), (117, 346, 1.0), (187, 411, 0.8))
            for right, left, up in rise:
                cheek[right if side < 0 else left] = np.array([0.25 * side * up, -up, -0.35 * up])
            for right, left, up in ((129, 358, 1.1), (98, 327, 0.6), (203, 423, 1.5), (206, 426, 0.9), (165, 391, 0.7)):
                sneer[right if side < 0 else left] = np.array([0.30 * side * up, -up, -0.3 * up])
        beside = self.still | set(JAW_SIDES)
        return {"cheek": self.spread(cheek, beside | fixed), "sneer": self.spread(sneer, beside | fixed - {2, 164})}

    def _skewed(self, shapes: Mapping[str, Points]) -> dict[str, Points]:
        """One side up, the other down: differences of the halves of a symmetric shape."""
        x = self.mesh.mm[:, 0] - self.mesh.mm[topo.NOSE[0], 0]
        side = np.tanh(x / 11.0)[:, None]
        return {"smile_skew": shapes["smile"] * side, "brow_skew": shapes["brow_up"] * side}
