"""Mesh, basis and portrait to the renderer's rig: every vertex group, every layer, one atlas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import interior
from mouthpiece.face import topology as topo
from mouthpiece.face.basis import EYE_SIDES, JAW_DROP, SHAPES, build_basis
from mouthpiece.face.imaging import blur, polygon_mask
from mouthpiece.face.mesh import FaceMesh, outside
from mouthpiece.face.photo_teeth import photographed, tooth_tone
from mouthpiece.face.rig import Bytes, Ints, Rig, Vertices
from mouthpiece.face.shading import gain_maps
from mouthpiece.face.spectacles import rigid

Array = NDArray[np.float64]
EYE_GRID: Final = (15, 9)
WHOLE: Final = 0.97
"""Mean of a matte that holds the whole picture."""
GUTTER: Final = 8
TOE: Final = 3.0
"""Millimetres that the upper teeth reach below the seam: visible in aa, E and I, hidden by closed lips."""
LOWER_EDGE: Final = -1.8
"""Where the lower teeth end at rest, behind the upper ones: the rows still meet in E, and part in aa."""

LID_SHADE: Final = 0.93
"""Brightness of a lid by that of the cheek: what lies above the crease is often in the shadow of the brow."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The portrait at scene size: colours 0..255, matte 0..1, landmarks in scene pixels."""

    image: NDArray[np.float32]
    matte: NDArray[np.float32]
    landmarks: Array
    mesh: FaceMesh


@dataclass(frozen=True, slots=True)
class Assembly:
    """What the pack stores besides pictures."""

    rig: Rig
    vertices: Vertices
    atlas: Bytes


class _Atlas:
    """Pictures stacked in one, each in a frame of its own border pixels so that filtering cannot mix them."""

    def __init__(self) -> None:
        self.parts: list[Array] = []
        self.height = 0

    def add(self, picture: Array) -> Array:
        """Returns the place of the picture's top left corner."""
        at = np.array([GUTTER, self.height + GUTTER], float)
        framed = np.pad(picture, ((GUTTER, GUTTER), (GUTTER, GUTTER), (0, 0)), mode="edge")
        self.parts.append(framed)
        self.height += framed.shape[0]
        return at

    def picture(self) -> Bytes:
        width = max(part.shape[1] for part in self.parts)
        rows = [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), mode="edge") for part in self.parts]
        return np.concatenate(rows).round().clip(0, 255).astype(np.uint8)


class _Layers:
    """Vertices and triangles, collected group by group and layer by layer."""

    def __init__(self) -> None:
        self.uv: list[Array] = []
        self.alpha: list[Array] = []
        self.light: list[Array] = []
        self.groups = [0]
        self.triangles: list[Ints] = []
        self.opaque: list[Bytes] = []
        self.spans: list[tuple[int, int]] = []

    def vertices(self, uv: Array, alpha: Array | float = 1.0, light: Array | float = 1.0) -> int:
        """Add vertices; returns the index of the first."""
        first = sum(len(part) for part in self.uv)
        self.uv.append(uv)
        self.alpha.append(np.broadcast_to(alpha, len(uv)).astype(float))
        self.light.append(np.broadcast_to(light, len(uv)).astype(float))
        return first

    def end_group(self) -> None:
        self.groups.append(sum(len(part) for part in self.uv))

    def layer(self, triangles: NDArray[np.integer], opaque: Bytes | None = None) -> None:
        start = self.spans[-1][1] if self.spans else 0
        self.spans.append((start, start + len(triangles)))
        self.triangles.append(triangles.astype(np.int32))
        self.opaque.append(np.zeros(len(triangles), np.uint8) if opaque is None else opaque)


def assemble(scene: Scene) -> Assembly:
    """Build everything that the renderer needs from a portrait at scene size."""
    return _Assembler(scene).build()


class _Assembler:
    def __init__(self, scene: Scene) -> None:
        self.scene, self.mesh = scene, scene.mesh
        neutral, basis = build_basis(self.mesh)
        self.rest = self.mesh.points + self.mesh.frame.to_px(neutral)
        self.neutral_mm = self.mesh.mm + neutral
        self.luma = (scene.image @ np.array([0.299, 0.587, 0.114], np.float32)).astype(float)
        glasses = rigid(self.mesh, self.luma)
        if glasses is not None:
            basis = basis * (1 - glasses)[None, :, None]
        self.basis = np.stack([self.mesh.frame.to_px(shape) for shape in basis])
        self.upper, self.lower = self.mesh.fine(topo.UPPER_INNER), self.mesh.fine(topo.LOWER_INNER)
        gap = self.mesh.mm[13 + 0, 1], self.mesh.mm[14, 1]
        self.toothy = gap[1] - gap[0] > 2.2
        self.out, self.atlas = _Layers(), _Atlas()
        self.skin = self._skin_colour()
        self.palette = self._palette()

    def build(self) -> Assembly:
        mouth = [*self.upper, *self.lower[::-1][1:-1]]
        loops = [mouth, *(self._eye_loop(side) for side in "rl")]
        skin = self._skin_vertices(loops)
        eyes, grid, eye_triangles = self._eyes()
        inside, axes, mouth_layers = self._mouth(len(mouth))
        lids, lid_layers = self._lids()
        for triangles in (eye_triangles, *mouth_layers):
            self.out.layer(triangles)
        self.out.layer(*skin)
        for triangles in lid_layers:
            self.out.layer(triangles)
        next_rows = [self.mesh.fine(topo.UPPER_1), self.mesh.fine(topo.LOWER_1)]
        gain = gain_maps(self.mesh, self.rest, self.basis, SHAPES, self.luma)
        rig = Rig(
            base=_f32(self.rest),
            basis=_f32(self.basis.reshape(len(SHAPES), -1)),
            gain=_f32(gain),
            gained=np.asarray(gain.any(axis=1), np.uint8),
            weights=_f32(self._weights()),
            lips=np.array([self.upper, self.lower, *next_rows], np.int32),
            loops=np.concatenate(loops).astype(np.int32),
            loop_at=np.r_[0, np.cumsum([len(loop) for loop in loops])].astype(np.int32),
            seam=_f32(self._seam_texture()),
            eyes=_f32(eyes),
            eye_grid=_f32(grid),
            inside=_f32(inside),
            axes=_f32(axes),
            lids=np.array(lids, np.int32),
            body=_f32(self._body()),
            special=np.array([SHAPES.index(s) for s in ("blink_r", "blink_l", "jaw_open")], np.int32),
            groups=np.array(self.out.groups, np.int32),
            layers=np.array(self.out.spans, np.int32),
            triangles=np.concatenate(self.out.triangles),
            opaque=np.concatenate(self.out.opaque),
        )
        uv, alpha, light = (np.concatenate(part) for part in (self.out.uv, self.out.alpha, self.out.light))
        return Assembly(rig, Vertices(_f32(uv), _f32(alpha), _f32(light)), self.atlas.picture())

    # --- colours ---------------------------------------------------------------------------------------------------
    def _around(self, x: float, y: float, reach: int = 4) -> Array:
        patch = self.scene.image[int(y) - reach : int(y) + reach + 1, int(x) - reach : int(x) + reach + 1]
        return np.asarray(patch.reshape(-1, 3).mean(axis=0), np.float64)

    def _skin_colour(self) -> Array:
        cheeks = [self._around(*self.scene.landmarks[i, :2]) for i in (50, 280)]
        return np.asarray(np.median(np.stack(cheeks), axis=0))

    def _palette(self) -> interior.Palette:
        """Colours inside the mouth; teeth in the tone of those that a smile shows."""
        usual = interior.palette(self.skin, self._eye_white())
        tone = tooth_tone(self.scene.image, self._opening()) if self.toothy else None
        return usual if tone is None else replace(usual, teeth=_tooth_colour(tone, usual.teeth))

    def _opening(self) -> Array:
        """Inner contour of the portrait's lips, as it is there."""
        return np.asarray(self.mesh.points[[*self.upper, *self.lower[::-1][1:-1]], :2])

    def _eye_white(self) -> float:
        """Brightness of the brightest tenth of the eyes: how white things look in this light."""
        height, width = self.scene.matte.shape
        seen = []
        for side in "rl":
            outline = self.mesh.points[self._eye_loop(side), :2]
            seen.append(self.luma[polygon_mask(outline, height, width) > 0.9])
        return float(np.percentile(np.concatenate(seen), 90))

    # --- skin ------------------------------------------------------------------------------------------------------
    def _eye_loop(self, side: str) -> list[int]:
        upper, lower = (self.mesh.fine(row) for row in EYE_SIDES[side][:2])
        return [*upper, *lower[::-1][1:-1]]

    def _skin_vertices(self, loops: list[list[int]]) -> tuple[NDArray[np.int32], Bytes]:
        uv = self.mesh.points[:, :2].copy()
        if self.toothy:  # keep photographed teeth out of the lips
            for rows, sign in ((self.upper, -1), (self.lower, 1)):
                uv[rows[1:-1], 1] += sign * 0.9 * self.mesh.frame.unit
        self.out.vertices(uv)
        self.out.end_group()
        strips = []
        for loop in loops:
            first = self.out.vertices(uv[loop], 0.0)
            a, b = np.array(loop), np.roll(loop, -1)
            c = first + np.arange(len(loop))
            d = np.roll(c, -1)
            strips.append(np.stack([np.stack([a, b, c], 1), np.stack([b, d, c], 1)], 1).reshape(-1, 3))
        self.out.end_group()
        triangles = np.concatenate([self.mesh.triangles, *strips])
        opaque = np.zeros(len(triangles), np.uint8)
        opaque[: len(self.mesh.triangles)] = self._opaque()
        self.uv = uv
        return triangles, opaque

    def _seam_texture(self) -> Array:
        """Where the mouth's contour takes its colour when shut, and the way into the lip that it goes when open."""
        at, into = self._lip_edges()
        length = np.linalg.norm(into, axis=1, keepdims=True)
        reach = np.minimum((0.35 if self.toothy else 1.0) * self.mesh.frame.unit, 0.7 * length)
        return np.concatenate([at, into / np.maximum(length, 1e-6) * reach], 1)

    def _lip_edges(self) -> tuple[Array, Array]:
        """Texture places of the mouth's contour, and from each the way to the next row of the lip."""
        rows = [self.mesh.fine(r) for r in (topo.UPPER_1, topo.LOWER_1)]
        loop = [*self.upper, *self.lower[::-1][1:-1]]
        beyond = [*rows[0], *rows[1][::-1][1:-1]]
        return self.uv[loop], self.uv[beyond] - self.uv[loop]

    def _opaque(self) -> Bytes:
        corners = self.mesh.points[self.mesh.triangles, :2]
        low = np.maximum(np.floor(corners.min(1) - 1).astype(int), 0)
        high = np.ceil(corners.max(1) + 2).astype(int)
        matte = self.scene.matte
        return np.array([matte[b:d, a:c].min() > 0.985 for (a, b), (c, d) in zip(low, high, strict=True)], np.uint8)

    def _weights(self) -> Array:
        """Share of head motion (1 on the face, 0 over the neck and at the border), of breathing, and seam shade."""
        mesh, mm = self.mesh, self.mesh.mm
        px, unit = mesh.points, mesh.frame.unit
        width = float(np.linalg.norm(px[454] - px[234])) / unit
        height = float(np.linalg.norm(px[10] - px[152])) / unit
        chin = mm[152]
        down = np.maximum((mm[:, 1] - (chin[1] - 2)) / (0.42 * height), 0)
        below = np.clip((mm[:, 1] - (chin[1] - 0.35 * height)) / (0.3 * height), 0, 1)
        aside = np.maximum(0, np.abs(mm[:, 0] - chin[0]) - 0.42 * width) / (0.9 * width) * below
        head = 1 - interior.smoothstep(0, 1, down + aside)
        head *= 1 - interior.smoothstep(0.85, 1.45, np.abs(mm[:, 0] - chin[0]) / width)  # a neighbour stays put
        if float(self.scene.matte.mean()) > WHOLE:  # no matte: what is not the head is the wall behind it
            head *= 1 - interior.smoothstep(0.16, 0.66, outside(px[:, :2], mesh.oval) / (width * unit))
        head[: mesh.surface] = 1
        breath = 1.6 * interior.smoothstep(0, 1, (mm[:, 1] - (chin[1] + 0.10 * height)) / (0.5 * height))
        rows, columns = self.scene.matte.shape
        if self.scene.matte.min() > 0.99:  # no outline: the picture bends between the face and its border
            head *= 1 - interior.smoothstep(0.16, 0.66, outside(px[:, :2], mesh.oval) / (width * unit))
            edge = np.minimum.reduce([px[:, 0], px[:, 1], columns - px[:, 0], rows - px[:, 1]])
            head *= np.clip(edge / 24, 0, 1)
        bottom = px[:, 1] >= rows - 1
        head[bottom | (px[:, :2] <= 1).any(1) | (px[:, 0] >= columns - 1)] = 0
        breath[bottom] = 0
        return np.stack([head, breath, self._seam()], 1)

    def _seam(self) -> Array:
        """The dark line between closed lips, which goes as they part: only where we shut the mouth ourselves."""
        out = np.zeros(len(self.mesh.points))
        if self.toothy:
            out[self.upper[1:-1] + self.lower[1:-1]] = -0.42
            out[self.mesh.fine(topo.UPPER_1)[1:-1] + self.mesh.fine(topo.LOWER_1)[1:-1]] = -0.10
        return out

    def _body(self) -> Array:
        mesh = self.mesh
        px, frame = mesh.points, mesh.frame
        height = float(np.linalg.norm(px[10] - px[152])) / frame.unit
        pivot = frame.origin + frame.rotation @ np.array([0, mesh.mm[152, 1] + 0.30 * height, 22.0]) * frame.unit
        rows, columns = self.scene.matte.shape
        hinge = self._hinge()
        angle = JAW_DROP / np.hypot(hinge[1], hinge[2])
        focal = 5.0 * float(np.linalg.norm(px[454] - px[234]))
        return np.array([*pivot, focal, columns / 2, rows / 2, frame.unit, angle])

    def _hinge(self) -> Array:
        """Ear axis relative to the lower lip, in mm."""
        ear = (self.mesh.mm[234] + self.mesh.mm[454]) / 2
        return np.asarray(np.array([0, ear[1] - 2, ear[2] + 6]) - self.neutral_mm[14], float)

    # --- eyes ------------------------------------------------------------------------------------------------------
    def _eyes(self) -> tuple[Array, Array, Ints]:
        eyes, grids, triangles = [], [], []
        for side, iris in (("r", topo.IRIS_RIGHT), ("l", topo.IRIS_LEFT)):
            box = self.mesh.points[self._eye_loop(side)]
            low, high = box[:, :2].min(0) - 3, box[:, :2].max(0) + 3
            x, y = np.meshgrid(np.linspace(low[0], high[0], EYE_GRID[0]), np.linspace(low[1], high[1], EYE_GRID[1]))
            centre = self.scene.landmarks[iris]
            radius = float(np.linalg.norm(self.scene.landmarks[iris + 1, :2] - centre[:2]))
            away = np.hypot(x - centre[0], y - centre[1]) / radius
            follow = 1 - interior.smoothstep(1.05, 2.3, away)
            grid = np.stack([x, y, follow, follow], -1).reshape(-1, 4)
            depth = -outside(grid[:, :2], box[:, :2]) / self.mesh.frame.unit
            lashes = grid[:, 1] < centre[1]  # a glance up or down must not take the lashes with it
            grid[lashes, 3] *= interior.smoothstep(0.2, 2.6, depth[lashes])
            first = self.out.vertices(grid[:, :2])
            triangles.append(interior.grid_triangles(*EYE_GRID) + first)
            grids.append(grid)
            eyes.append([centre[0], centre[1], box[:, 2].mean(), radius])
        self.out.end_group()
        return np.array(eyes), np.concatenate(grids), np.concatenate(triangles)

    # --- mouth -----------------------------------------------------------------------------------------------------
    def _mouth(self, m: int) -> tuple[Array, Array, list[NDArray[np.integer]]]:
        cavity = self._cavity(m)
        inside, layers = self._inside()
        roll = self._roll(m)
        shade_at = self.atlas.add(_flat(self.palette.shadow)) + 4
        first = self.out.vertices(np.tile(shade_at, (3 * m, 1)), 0.0)
        self.out.end_group()
        return inside, self._mouth_axes(), [cavity, *layers, roll, _bands(m) + first]

    def _cavity(self, m: int) -> NDArray[np.integer]:
        at = self.atlas.add(interior.cavity_picture(self.palette))
        loop = self.rest[[*self.upper, *self.lower[::-1][1:-1]], :2]
        angle = np.linspace(0, 2 * np.pi, m, endpoint=False) + np.pi
        rim = np.stack([np.cos(angle), np.sin(angle)], 1) * 30 + 32
        first = self.out.vertices(at + np.concatenate([rim, [[32.0, 32.0]]]))
        self.out.end_group()
        k = np.arange(len(loop))
        return np.stack([k, (k + 1) % m, np.full(m, m)], 1) + first

    def _mouth_axes(self) -> Array:
        x = self.mesh.frame.rotation[:, 0]
        z = np.array([0, 0, 1.0]) - x * x[2]
        z = z / np.linalg.norm(z)
        origin = (self.rest[13] + self.rest[14]) / 2
        marks = np.array([TOE, interior.TONGUE_TOP, 0.0])
        return np.stack([x, np.cross(z, x), z, origin, self._hinge(), marks])

    def _inside(self) -> tuple[Array, list[NDArray[np.integer]]]:
        """Tongue, lower and upper teeth: places (4th column: tongue tip 0..1, -1 lower, 2 upper teeth) and layers."""
        corners = (self.rest[[78, 308]] - (self.rest[13] + self.rest[14]) / 2) / self.mesh.frame.unit
        raised = float(np.clip(-corners[:, 1].mean(), 0, 8))
        aside = float(corners[:, 0].mean()) * 0.6
        half = float(self.mesh.mm[308, 0] - self.mesh.mm[78, 0]) / 2
        wide = float(np.clip(half / 26.0, 0.75, 1.15))
        tongue, tongue_uv, tip = interior.tongue_points(wide, 4.0)
        upper = interior.arch(24 * wide, TOE - interior.ROW_MM + interior.EDGE_MARGIN, 4.0, -1.0 - 0.45 * raised)
        lower = interior.arch(21.5 * wide, LOWER_EDGE - interior.EDGE_MARGIN, 6.0, -0.5 - 0.40 * raised)
        parts = []
        layers: list[NDArray[np.integer]] = []
        shift = np.array((aside, 0, 0))
        drawn = self._upper_teeth(upper + shift)
        for place, uv, kind, picture, grid in (
            (tongue, tongue_uv, tip, interior.tongue_picture(self.palette), interior.TONGUE_GRID),
            (lower, interior.arch_uv(21.5), -1.0, interior.teeth_picture(self.palette, False), (17, 2)),
            (upper, interior.arch_uv(24.0), 2.0, drawn, (17, 2)),
        ):
            first = self.out.vertices(self.atlas.add(picture) + uv)
            layers.append(interior.grid_triangles(*grid) + first)
            parts.append(np.c_[place + shift, np.broadcast_to(kind, len(place))])
        self.out.end_group()
        return np.concatenate(parts), layers

    def _upper_teeth(self, arch: Array) -> Array:
        """Drawn teeth, or the portrait's own where it smiles with them."""
        picture = interior.teeth_picture(self.palette, True)
        if not self.toothy:
            return picture
        x, y, z, origin = self._mouth_axes()[:4]
        places = origin + self.mesh.frame.unit * (arch @ np.stack([x, y, z]))
        return photographed(picture, places[:, :2], interior.arch_uv(24.0), self.scene.image, self._opening())

    def _roll(self, m: int) -> NDArray[np.integer]:
        """The wet inside of the lips: the lip's own rows mirrored inward, darker towards the teeth."""
        edge, into = self._lip_edges()
        shift = self._seam_texture()[:, 2:]
        rings = [edge + shift + share * (into - shift) for share in (0.0, 0.55, 0.95)]
        light = np.repeat([0.97, 0.80, 0.58], m)
        first = self.out.vertices(np.concatenate(rings), np.repeat([1.0, 1.0, 0.0], m), light)
        self.out.end_group()
        return _bands(m) + first

    # --- lids ------------------------------------------------------------------------------------------------------
    def _lids(self) -> tuple[list[list[int]], list[NDArray[np.integer]]]:
        smooth = blur(self.scene.image, max(0.8, 0.9 * self.mesh.frame.unit))
        rows: list[list[int]] = []
        layers: list[NDArray[np.integer]] = []
        for side in "rl":
            upper, _, crease, _ = EYE_SIDES[side]
            edge, fold = self.mesh.fine(upper), self.mesh.fine(crease)
            rows += [edge, fold]
            skin, lash = interior.lid_picture(*self._lid_colours(smooth, edge, fold))
            n = len(edge)
            across = np.linspace(1, 67, n)
            skin_at, lash_at = self.atlas.add(skin), self.atlas.add(lash)
            uv = [skin_at + np.stack([across, np.full(n, y)], 1) for y in (1.0, 10.0, 20.0, 30.0, 39.0)]
            uv += [lash_at + np.stack([across, np.full(n, 4.0)], 1)] * 3
            first = self.out.vertices(np.concatenate(uv), 0.0)
            lashes = interior.grid_triangles(n, 3) + 5 * n
            layers.append(np.concatenate([interior.grid_triangles(n, 5), lashes]) + first)
        self.out.end_group()
        return rows, layers

    def _lid_colours(self, smooth: NDArray[np.float32], edge: list[int], fold: list[int]) -> tuple[Array, Array]:
        """Skin above the crease, column by column, and the darkest colour of the lash line."""
        px = self.mesh.points
        at = px[fold, :2] + 0.35 * (px[fold, :2] - px[edge, :2])
        rows, columns = self.scene.matte.shape
        at = at.astype(int).clip(0, [columns - 1, rows - 1])
        skin = smooth[at[:, 1], at[:, 0]].astype(float)
        kernel = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.6**2))
        padded = np.pad(skin, ((5, 5), (0, 0)), mode="edge")
        even = np.stack([np.convolve(padded[:, c], kernel / kernel.sum(), "valid") for c in range(3)], 1)
        even = _levelled(even, 0.35 * np.median(even, axis=0) + 0.65 * LID_SHADE * self.skin)
        low, high = px[edge, :2].min(0).astype(int), px[edge, :2].max(0).astype(int)
        patch = self.scene.image[low[1] : high[1] + 2, low[0] : high[0] + 1].reshape(-1, 3)
        return even, np.asarray(np.percentile(patch, 6, axis=0) * 0.9, np.float64)


def _bands(m: int) -> NDArray[np.integer]:
    """Triangles of two closed bands between three rings of ``m`` points."""
    a = np.arange(m)
    b = (a + 1) % m
    return np.concatenate([np.concatenate([np.c_[a, b, a + m], np.c_[b, b + m, a + m]]) + ring * m for ring in (0, 1)])


def _tooth_colour(seen: Array, usual: Array) -> Array:
    """The tone of photographed teeth, less coloured and not much darker than expected: what is seen of them is in
    the shadow of the lip."""
    weights = np.array([0.299, 0.587, 0.114])
    grey = float(seen @ weights)
    plain = grey + (seen - grey) * 0.6
    return np.asarray(plain * max(1.04, 0.80 * float(usual @ weights) / max(grey, 1.0)))


def _levelled(colours: Array, usual: Array) -> Array:
    """Colours (n, 3) held near the usual one: a frame of glasses or a lock of hair must not colour a lid."""
    weights = np.array([0.299, 0.587, 0.114])
    apart = np.abs(colours @ weights - usual @ weights) / max(float(usual @ weights), 1.0)
    own = (1 - interior.smoothstep(0.08, 0.30, apart))[:, None] * 0.75
    return np.asarray(colours * own + usual * (1 - own))


def _f32(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _flat(colour: Array) -> Array:
    return np.concatenate([np.broadcast_to(colour, (8, 8, 3)), np.full((8, 8, 1), 255.0)], 2)
