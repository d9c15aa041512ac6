"""The renderer's compiled code: one call draws one picture. The only file of this room that imports Numba.

Pixels of the canvas are uint64 with four 16-bit lanes Y, U, V, A (BT.601 limited range), so that one multiplication
filters or mixes all four. Texels are four bytes, spread to lanes as they are read: textures are the largest part of
what a picture takes from memory, and between two pictures of a live session other programs have the caches. Halved,
they make a picture a few per cent cheaper there; in a tight loop it costs the same within the noise. Texture
coordinates run in 16.16 fixed point along a scan line.

Entry points have explicit signatures, so that they are compiled (or read from the cache) when this module is imported
and never afterwards: an unknown argument type is an error, not a 1.6 s pause in a live session.
"""

# mypy: disable-error-code="no-untyped-call,no-any-return"
# (Numba ships no types for its own types, and its arrays hold what the signature says.)
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import float32, int32, njit, types, uint8, uint32, uint64

from mouthpiece.face.rig import GROUP, LAYER, POSE, Bytes, Canvas, Floats, Ints, Pixels, Rig, Scratch, Texels

LANES = np.uint64(0x00FF00FF00FF00FF)
ALPHA_LANE = np.uint64(0x00FF000000000000)
COLOUR_LANES = np.uint64(0x000000FF00FF00FF)
BLACK_LEVELS = np.uint64(0x0000008000800010)  # Y 16, U 128, V 128: what a gain scales around
ROUND = np.uint64(0x00C000C000C000C0)  # half a step for each of two truncations, short of overflow
HALF_GAIN = np.uint64(0x0000004000400040)
HALF_STEP = np.uint64(0x0080008000800080)
WIDE_LANES = np.uint64(0x000001FF01FF01FF)
EVEN_BYTES = np.uint64(0x0000000000FF00FF)
ODD_BYTES = np.uint64(0x00FF00FF00000000)
TWENTY_FOUR = np.uint64(24)
EIGHT = np.uint64(8)
SEVEN = np.uint64(7)
FULL = np.uint64(256)
JAW_DROP = np.float32(12.0)  # as in basis.py
LID_FROM = np.float32(0.12)  # a lid less closed than this is only the warped skin
PUCKER = 2  # row of the basis: puckered lips throw a deeper shadow
ONE = np.float32(65536.0)
HALF = np.float32(0.5)


F1, F2, I1, I2 = float32[::1], float32[:, ::1], int32[::1], int32[:, ::1]
B1, B2, P2, T2 = uint8[::1], uint8[:, ::1], uint64[:, ::1], uint32[:, ::1]
RIG = types.NamedTuple([F2, F2, F2, B1, F2, I2, I1, I1, F2, F2, F2, F2, F2, I2, F1, I1, I1, I2, I2, B1], Rig)
CANVAS = types.NamedTuple([T2, T2, P2, P2, B2, F1, I1], Canvas)
SCRATCH = types.NamedTuple([F2, F2, F2, F2, F1, F1], Scratch)

Whole = int | np.integer[Any]
Texture = tuple[Texels, Whole, Whole, Whole]  # flat pixels, width, greatest u and v in fixed point
Screen = tuple[Pixels, int, int]  # flat pixels, width, height
Pair = tuple[np.float32, np.float32]
Corner = tuple[np.float32, np.float32, np.float32]
Corners = tuple[Corner, Corner, Corner, Corner, Corner, Corner]
Edge = tuple[np.float32, np.float32, np.float32, np.float32]
Start = tuple[Whole, Whole, np.float32, np.float32]  # u, v (fixed point), alpha, gain
Function = TypeVar("Function", bound=Callable[..., object])


def _inner(function: Function) -> Function:
    return cast(Function, njit(nogil=True, fastmath=True, error_model="numpy")(function))


def _entry(signature: object) -> Callable[[Function], Function]:
    def compile_now(function: Function) -> Function:
        return cast(Function, njit(signature, nogil=True, cache=True, fastmath=True, error_model="numpy")(function))

    return compile_now


# --- triangles ------------------------------------------------------------------------------------------------------
@_inner
def _spread(texel: Any) -> np.uint64:  # noqa: ANN401 - an element of a flat texture
    """Four bytes to four lanes of 16 bits; stored as Y, V, U, A, so that two masks do it."""
    s = np.uint64(texel)
    return (s & EVEN_BYTES) | ((s << TWENTY_FOUR) & ODD_BYTES)


@_inner
def _sample(flat: Texels, width: Whole, u: Whole, v: Whole) -> np.uint64:
    fu, fv = np.uint64((u >> 8) & 255), np.uint64((v >> 8) & 255)
    q = (v >> 16) * width + (u >> 16)
    gu = FULL - fu
    top = ((_spread(flat[q]) * gu + _spread(flat[q + 1]) * fu) >> EIGHT) & LANES
    bottom = ((_spread(flat[q + width]) * gu + _spread(flat[q + width + 1]) * fu) >> EIGHT) & LANES
    return ((top * (FULL - fv) + bottom * fv + ROUND) >> EIGHT) & LANES


@_inner
def _lit(s: np.uint64, gain: np.float32) -> np.uint64:
    """Scale the colour around black by ``gain`` in 0..1.12: beyond that a lane of legal video could overflow.

    The A lane is full, so that mixing by opacity leaves the opacity of all that was drawn there.
    """
    g = np.uint64(min(max(gain, np.float32(0)), np.float32(1.12)) * np.float32(128))
    scaled = (s & COLOUR_LANES) * g + HALF_GAIN
    if g <= np.uint64(128):
        t = ((scaled + (np.uint64(128) - g) * BLACK_LEVELS) >> SEVEN) & WIDE_LANES
    else:
        t = ((scaled - (g - np.uint64(128)) * BLACK_LEVELS) >> SEVEN) & WIDE_LANES
        if (t & np.uint64(0x1FF)) > np.uint64(255):
            t = (t & ~np.uint64(0x1FF)) | np.uint64(255)
    return t | ALPHA_LANE


@_inner
def _span_copy(dst: Pixels, at: int, count: int, tex: Texture, start: Start, step: Start) -> None:
    """Scan line of an opaque, evenly lit triangle whose texels are all inside the texture."""
    flat, width = tex[0], tex[1]
    u, v = start[0], start[1]
    for k in range(at, at + count):
        dst[k] = _sample(flat, width, u, v)
        u += step[0]
        v += step[1]


@_inner
def _span_lit(dst: Pixels, at: int, count: int, tex: Texture, start: Start, step: Start) -> None:
    """Scan line of an opaque triangle in changed light, whose texels are all inside the texture."""
    flat, width = tex[0], tex[1]
    u, v, g = start[0], start[1], start[3]
    for k in range(at, at + count):
        dst[k] = _lit(_sample(flat, width, u, v), g)
        u += step[0]
        v += step[1]
        g += step[3]


@_inner
def _span_mix(dst: Pixels, at: int, count: int, tex: Texture, start: Start, step: Start) -> None:
    """Scan line with texture alpha, vertex alpha and gain; coordinates are held inside the texture."""
    flat, width, u_max, v_max = tex
    u, v, a, g = start
    for k in range(at, at + count):
        s = _sample(flat, width, min(max(u, 0), u_max), min(max(v, 0), v_max))
        opacity = np.uint64(np.float32(s >> np.uint64(48)) * min(max(a, np.float32(0)), np.float32(1)))
        if opacity > np.uint64(2):
            s = _lit(s, g)
            if opacity < np.uint64(252):
                opacity += opacity >> SEVEN
                s = ((s * opacity + dst[k] * (FULL - opacity) + HALF_STEP) >> EIGHT) & LANES
            dst[k] = s
        u += step[0]
        v += step[1]
        a += step[2]
        g += step[3]


@_inner
def _edge(xa: np.float32, ya: np.float32, xb: np.float32, yb: np.float32) -> Edge:
    """An edge ordered by y, so that both triangles beside it compute the same crossings."""
    if ya > yb:
        xa, ya, xb, yb = xb, yb, xa, ya
    slope = (xb - xa) / (yb - ya) if yb > ya else np.float32(0)
    return xa, ya, yb, slope


@_inner
def _widen(edge: Edge, y: np.float32, left: np.float32, right: np.float32) -> Pair:
    if edge[1] <= y < edge[2]:
        x = edge[0] + (y - edge[1]) * edge[3]
        left, right = min(left, x), max(right, x)
    return left, right


@_inner
def _slopes(values: Corner, b1: Pair, b2: Pair) -> Pair:
    """Gradient along x and along y of a quantity given at the three corners."""
    d1, d2 = values[1] - values[0], values[2] - values[0]
    return d1 * b1[0] + d2 * b2[0], d1 * b1[1] + d2 * b2[1]


@_inner
def _even(v: Corner) -> np.bool:
    near = np.float32(0.005)
    return abs(v[0] - 1) < near and abs(v[1] - 1) < near and abs(v[2] - 1) < near


@_inner
def _inside_texture(start: Start, step: Start, count: int, tex: Texture) -> np.bool | bool:
    u, v = start[0] + count * step[0], start[1] + count * step[1]
    low = min(start[0], start[1], u, v)
    return low >= 0 and max(start[0], u) <= tex[2] and max(start[1], v) <= tex[3]


@_inner
def _fill(screen: Screen, tex: Texture, corners: Corners, opaque: bool) -> None:
    """Draw one triangle. ``corners``: x, y, u, v, alpha, gain, each at the three corners."""
    dst, width, height = screen
    xs, ys, us, vs, alphas, gains = corners
    top = max(int(np.ceil(min(ys[0], ys[1], ys[2]) - HALF)), 0)
    bottom = min(int(np.ceil(max(ys[0], ys[1], ys[2]) - HALF)), height)
    det = (xs[1] - xs[0]) * (ys[2] - ys[0]) - (xs[2] - xs[0]) * (ys[1] - ys[0])
    if top >= bottom or abs(det) < np.float32(1e-4):
        return
    inv = np.float32(1) / det
    b1 = ((ys[2] - ys[0]) * inv, (xs[0] - xs[2]) * inv)
    b2 = ((ys[0] - ys[1]) * inv, (xs[1] - xs[0]) * inv)
    dux, duy = _slopes(us, b1, b2)
    dvx, dvy = _slopes(vs, b1, b2)
    dax, day = _slopes(alphas, b1, b2)
    dgx, dgy = _slopes(gains, b1, b2)
    step = (np.int64(dux * ONE), np.int64(dvx * ONE), dax, dgx)
    solid = opaque and _even(alphas)
    plain = _even(gains)
    e0, e1, e2 = _edge(xs[0], ys[0], xs[1], ys[1]), _edge(xs[1], ys[1], xs[2], ys[2]), _edge(xs[2], ys[2], xs[0], ys[0])
    for row in range(top, bottom):
        y = np.float32(row) + HALF
        left, right = _widen(e0, y, np.float32(1e9), np.float32(-1e9))
        left, right = _widen(e1, y, left, right)
        left, right = _widen(e2, y, left, right)
        first = max(int(np.ceil(left - HALF)), 0)
        count = min(int(np.ceil(right - HALF)), width) - first
        if count <= 0:
            continue
        px, py = np.float32(first) + HALF - xs[0], y - ys[0]
        u = np.int64((us[0] + px * dux + py * duy - HALF) * ONE)
        v = np.int64((vs[0] + px * dvx + py * dvy - HALF) * ONE)
        start = (u, v, alphas[0] + px * dax + py * day, gains[0] + px * dgx + py * dgy)
        if solid and _inside_texture(start, step, count, tex):
            if plain:
                _span_copy(dst, row * width + first, count, tex, start, step)
            else:
                _span_lit(dst, row * width + first, count, tex, start, step)
        else:
            _span_mix(dst, row * width + first, count, tex, start, step)


@_inner
def _draw_layer(rig: Rig, canvas: Canvas, work: Scratch, texture: Texels, layer: int) -> None:
    height, width = canvas.pixels.shape
    screen = (canvas.pixels.reshape(-1), width, height)
    th, tw = texture.shape
    tex = (texture.reshape(-1), np.int64(tw), np.int64((tw - 2) * 65536), np.int64((th - 2) * 65536))
    pos, uv, alpha, light = work.pos, work.uv, work.alpha, work.light
    for t in range(rig.layers[layer, 0], rig.layers[layer, 1]):
        a, b, c = rig.triangles[t, 0], rig.triangles[t, 1], rig.triangles[t, 2]
        corners = (
            (pos[a, 0], pos[b, 0], pos[c, 0]),
            (pos[a, 1], pos[b, 1], pos[c, 1]),
            (uv[a, 0], uv[b, 0], uv[c, 0]),
            (uv[a, 1], uv[b, 1], uv[c, 1]),
            (alpha[a], alpha[b], alpha[c]),
            (light[a], light[b], light[c]),
        )
        _fill(screen, tex, corners, rig.opaque[t] != 0)


# --- vertices -------------------------------------------------------------------------------------------------------
@_inner
def _smooth(low: np.float32, high: np.float32, x: np.float32) -> np.float32:
    t = min(max((x - low) / (high - low), np.float32(0)), np.float32(1))
    return t * t * (np.float32(3) - np.float32(2) * t)


@_inner
def _deform(rig: Rig, state: Floats, points: Floats) -> np.float32:
    """Weights times basis; then lips that crossed meet half-way. Returns the widest lip gap in scene pixels."""
    flat, base = points.reshape(-1), rig.base.reshape(-1)
    for i in range(len(flat)):
        flat[i] = base[i]
    for k in range(len(rig.basis)):
        w = state[k]
        if w != np.float32(0):
            row = rig.basis[k]
            for i in range(len(flat)):
                flat[i] += w * row[i]
    widest = np.float32(0)
    for j in range(rig.lips.shape[1]):
        up, low = rig.lips[0, j], rig.lips[1, j]
        gap = points[low, 1] - points[up, 1]
        if gap < 0:
            middle = points[up, 1] + gap / 2
            points[up, 1] = points[low, 1] = middle
        elif 4 <= j < rig.lips.shape[1] - 4:
            widest = max(widest, gap)
    breath = state[len(rig.basis) + POSE.breath]
    for i in range(len(points)):
        points[i, 1] -= rig.weights[i, 1] * breath
    return widest


@_inner
def _turn_head(rig: Rig, state: Floats, turn: Floats) -> None:
    k = len(rig.basis)
    cy, sy = np.cos(state[k + POSE.yaw]), np.sin(state[k + POSE.yaw])
    cp, sp = np.cos(state[k + POSE.pitch]), np.sin(state[k + POSE.pitch])
    cr, sr = np.cos(state[k + POSE.roll]), np.sin(state[k + POSE.roll])
    turn[0, 0], turn[0, 1], turn[0, 2] = cr * cy, cr * sy * sp - sr * cp, cr * sy * cp + sr * sp
    turn[1, 0], turn[1, 1], turn[1, 2] = sr * cy, sr * sy * sp + cr * cp, sr * sy * cp - cr * sp
    turn[2, 0], turn[2, 1], turn[2, 2] = -sy, cy * sp, cy * cp
    turn[3, 0], turn[3, 1], turn[3, 2] = state[k + POSE.x], state[k + POSE.y], state[k + POSE.z]


@_inner
def _project(rig: Rig, turn: Floats, view: Floats, p: Corner, share: np.float32) -> Pair:
    """Scene point to canvas: turned about the neck by its share, seen in perspective that is the identity at rest."""
    b = rig.body
    dx, dy, dz = p[0] - b[0], p[1] - b[1], p[2] - b[2]
    qx = p[0] + share * (turn[0, 0] * dx + turn[0, 1] * dy + turn[0, 2] * dz - dx + turn[3, 0])
    qy = p[1] + share * (turn[1, 0] * dx + turn[1, 1] * dy + turn[1, 2] * dz - dy + turn[3, 1])
    qz = p[2] + share * (turn[2, 0] * dx + turn[2, 1] * dy + turn[2, 2] * dz - dz + turn[3, 2])
    k = (b[3] + p[2]) / (b[3] + qz)
    x, y = b[4] + (qx - b[4]) * k, b[5] + (qy - b[5]) * k
    return view[0] * x + view[1], view[0] * y + view[2]


@_inner
def _place_skin(rig: Rig, canvas: Canvas, work: Scratch, state: Floats, gap: np.float32) -> None:
    pos, light, points = work.pos, work.light, work.points
    seam = np.float32(1) - _smooth(np.float32(0.3), np.float32(2.2), gap / rig.body[6])
    for i in range(len(points)):
        p = (points[i, 0], points[i, 1], points[i, 2])
        pos[i, 0], pos[i, 1] = _project(rig, work.turn, canvas.framing, p, rig.weights[i, 0])
        light[i] = np.float32(1) + rig.weights[i, 2] * seam
    for k in range(len(rig.gain)):
        w = state[k]  # after the shapes come yaw and pitch, as in the rows of the gain
        if rig.gained[k] and w != np.float32(0):
            for i in range(len(points)):
                light[i] += w * rig.gain[k, i]


@_inner
def _gap_at(rig: Rig, pos: Floats, j: int) -> np.float32:
    """Canvas pixels between the lips at a point of the mouth's contour."""
    columns = rig.lips.shape[1]
    c = j if j < columns else 2 * columns - 2 - j
    return max(pos[rig.lips[1, c], 1] - pos[rig.lips[0, c], 1], np.float32(0))


@_inner
def _place_seam(rig: Rig, canvas: Canvas, work: Scratch) -> None:
    """The line of shadow between closed lips stays behind as they part: their edges take texture from further in."""
    at, texels = rig.groups[GROUP.feather], canvas.framing[3]
    mm = rig.body[6] * canvas.framing[0]
    for j in range(len(rig.seam)):
        share = _smooth(np.float32(0.3), np.float32(1.8), _gap_at(rig, work.pos, j) / mm)
        u = (rig.seam[j, 0] + share * rig.seam[j, 2]) * texels
        v = (rig.seam[j, 1] + share * rig.seam[j, 3]) * texels
        here = rig.loops[j]
        work.uv[here, 0], work.uv[here, 1] = u, v
        work.uv[at + j, 0], work.uv[at + j, 1] = u, v


@_inner
def _place_feather(rig: Rig, work: Scratch) -> None:
    """A rim of one pixel inside each hole, fading out: the antialiasing of lips and lids."""
    pos, at = work.pos, rig.groups[GROUP.feather]
    for loop in range(3):
        first, last = rig.loop_at[loop], rig.loop_at[loop + 1]
        top, bottom = np.float32(1e9), np.float32(-1e9)
        for j in range(first, last):
            y = pos[rig.loops[j], 1]
            top, bottom = min(top, y), max(bottom, y)
        width = min(np.float32(1.1), np.float32(0.35) * (bottom - top))
        for j in range(first, last):
            reach = width
            if loop == 0:  # lips that nearly touch: each rim covers its half of the gap, the more the thinner that is
                gap = _gap_at(rig, pos, j)
                reach = min(width, np.float32(0.5) * gap + np.float32(0.15))
                work.alpha[at + j] = max(np.float32(1) - gap / np.float32(1.6), np.float32(0))
            here = rig.loops[j]
            before = rig.loops[j - 1] if j > first else rig.loops[last - 1]
            after = rig.loops[j + 1] if j + 1 < last else rig.loops[first]
            tx, ty = pos[after, 0] - pos[before, 0], pos[after, 1] - pos[before, 1]
            size = np.sqrt(tx * tx + ty * ty) + np.float32(1e-6)
            side = np.float32(1) if loop < 2 else np.float32(-1)
            pos[at + j, 0] = pos[here, 0] - side * ty / size * reach
            pos[at + j, 1] = pos[here, 1] + side * tx / size * reach
            work.light[at + j] = work.light[here]


@_inner
def _place_eyes(rig: Rig, canvas: Canvas, work: Scratch, state: Floats) -> None:
    k, at = len(rig.basis), rig.groups[GROUP.eyes]
    each, texels = len(rig.eye_grid) // 2, canvas.framing[3]
    for i in range(len(rig.eye_grid)):
        eye = rig.eyes[i // each]
        x, y, across, down = rig.eye_grid[i, 0], rig.eye_grid[i, 1], rig.eye_grid[i, 2], rig.eye_grid[i, 3]
        p = (x, y, eye[2])
        work.pos[at + i, 0], work.pos[at + i, 1] = _project(rig, work.turn, canvas.framing, p, np.float32(1))
        work.uv[at + i, 0] = (x - across * eye[3] * state[k + POSE.gaze_x]) * texels
        work.uv[at + i, 1] = (y - down * eye[3] * state[k + POSE.gaze_y]) * texels


@_inner
def _place_inside(rig: Rig, canvas: Canvas, work: Scratch, state: Floats) -> None:
    """Tongue and lower teeth turn with the jaw, upper teeth with the skull; the tongue's tip rises and comes out."""
    k, at, a = len(rig.basis), rig.groups[GROUP.inside], rig.axes
    jaw = max(state[rig.special[2]], np.float32(0))
    out = state[k + POSE.tongue_out]
    forward = max(out, np.float32(0.85) * state[k + POSE.tongue_up])
    angle = rig.body[7] * jaw
    bite = a[5, 0] - np.float32(0.9) - np.float32(0.7) * out  # a tip that rises or comes out laps the teeth's edge
    thrust = bite - (a[5, 1] + np.float32(0.95 * JAW_DROP) * jaw)
    for i in range(len(rig.inside)):
        x, y, z, tip = rig.inside[i, 0], rig.inside[i, 1], rig.inside[i, 2], rig.inside[i, 3]
        if tip <= np.float32(1.5):  # 2: upper teeth
            turn = angle * (np.float32(0.95) if tip >= 0 else np.float32(1))
            ca, sa = np.cos(turn), np.sin(turn)
            y, z = y - a[4, 1], z - a[4, 2]
            y, z = y * ca - z * sa + a[4, 1], y * sa + z * ca + a[4, 2]
            if tip >= 0:
                y += forward * thrust
                z -= tip * out * np.float32(9)
        unit = rig.body[6]
        p = (
            a[3, 0] + unit * (x * a[0, 0] + y * a[1, 0] + z * a[2, 0]),
            a[3, 1] + unit * (x * a[0, 1] + y * a[1, 1] + z * a[2, 1]),
            a[3, 2] + unit * (x * a[0, 2] + y * a[1, 2] + z * a[2, 2]),
        )
        work.pos[at + i, 0], work.pos[at + i, 1] = _project(rig, work.turn, canvas.framing, p, np.float32(1))


@_inner
def _place_cavity(rig: Rig, work: Scratch) -> None:
    """A fan over the mouth opening."""
    pos, at, m = work.pos, rig.groups[GROUP.cavity], rig.loop_at[1]
    sx, sy = np.float32(0), np.float32(0)
    for j in range(m):
        x, y = pos[rig.loops[j], 0], pos[rig.loops[j], 1]
        pos[at + j, 0], pos[at + j, 1] = x, y
        sx, sy = sx + x, sy + y
    pos[at + m, 0], pos[at + m, 1] = sx / m, sy / m


@_inner
def _place_lip_rims(rig: Rig, canvas: Canvas, work: Scratch, state: Floats) -> None:
    """The wet inside of the lips, and the shadow that they throw into the mouth."""
    pos, m, columns = work.pos, rig.loop_at[1], rig.lips.shape[1]
    roll, shade = rig.groups[GROUP.roll], rig.groups[GROUP.shade]
    mm = rig.body[6] * canvas.framing[0]
    rounded = np.float32(0.55) * min(max(state[PUCKER], np.float32(0)), np.float32(1))
    for j in range(m):
        upper = j < columns
        c = j if upper else 2 * columns - 2 - j
        x, y = pos[rig.loops[j], 0], pos[rig.loops[j], 1]
        gap = max(pos[rig.lips[1, c], 1] - pos[rig.lips[0, c], 1], np.float32(0))
        side = np.float32(1) if upper else np.float32(-1)
        middle = np.float32(2 * c) / np.float32(columns - 1) - np.float32(1)
        wet = min(np.float32(0.8 if upper else 1.7) * mm, gap * (np.float32(0.18) + np.float32(0.20) * middle**4))
        dark = min(np.float32(2.2 if upper else 1.4) * mm, gap * (np.float32(0.40) + np.float32(0.5) * rounded))
        for ring in range(3):
            part = np.float32((0.0, 0.60, 1.0)[ring])
            pos[roll + ring * m + j, 0], pos[roll + ring * m + j, 1] = x, y + side * wet * part
        inner = y + side * wet * np.float32(0.8)
        pos[shade + j, 0], pos[shade + j, 1] = x, y  # it begins at nothing on the lip's edge: no hard line
        pos[shade + m + j, 0], pos[shade + m + j, 1] = x, inner
        pos[shade + 2 * m + j, 0], pos[shade + 2 * m + j, 1] = x, inner + side * dark
        opened = min(max(gap / mm * np.float32(0.8) - np.float32(0.2), np.float32(0)), np.float32(1))
        deep = min(max(np.float32(0.45) + gap / (8 * mm), np.float32(0.45)), np.float32(1))
        work.alpha[shade + m + j] = (np.float32(0.32 if upper else 0.20) + rounded) * deep * opened


@_inner
def _place_lid(rig: Rig, canvas: Canvas, work: Scratch, side: int, strength: np.float32) -> None:
    """A lid of its own colour from the crease to the lid's edge, and the lash line on the edge."""
    pos, n = work.pos, rig.lids.shape[1]
    at = rig.groups[GROUP.lids] + side * 8 * n
    lash = np.float32(0.85) * rig.body[6] * canvas.framing[0]
    for j in range(n):
        edge, crease = rig.lids[2 * side, j], rig.lids[2 * side + 1, j]
        taper = max(np.sin(np.float32(np.pi) * j / (n - 1)), np.float32(0)) ** np.float32(0.6)
        for row in range(5):
            f = np.float32((0.04, 0.3, 0.6, 0.88, 1.0)[row])
            i = at + row * n + j
            pos[i, 0] = pos[crease, 0] + f * (pos[edge, 0] - pos[crease, 0])
            pos[i, 1] = pos[crease, 1] + f * (pos[edge, 1] - pos[crease, 1])
            work.alpha[i] = np.float32((0.0, 0.80, 0.92, 0.92, 0.85)[row]) * taper * strength
        for row in range(3):
            i = at + (5 + row) * n + j
            pos[i, 0] = pos[edge, 0]
            pos[i, 1] = pos[edge, 1] + (row - 1) * lash
            work.alpha[i] = np.float32((0.0, 0.85, 0.0)[row]) * taper * strength


@_inner
def _paint(rig: Rig, canvas: Canvas, work: Scratch, state: Floats, opened: np.bool) -> None:
    """All layers, back to front. The tongue lies behind the teeth, or shows its tip over the edge of the upper ones.

    One loop with one call: each further call of ``_draw_layer`` is a further copy for the compiler, and seconds of it.
    """
    k = len(rig.basis)
    tip = state[k + POSE.tongue_out] > np.float32(0.3) or state[k + POSE.tongue_up] > np.float32(0.4)
    for step in range(len(rig.layers)):
        layer = step
        if LAYER.cavity <= layer <= LAYER.shade and not opened:
            continue
        if tip and LAYER.tongue <= layer <= LAYER.upper_teeth:  # lower teeth, upper teeth, tongue
            layer = LAYER.tongue if layer == LAYER.upper_teeth else layer + 1
        if layer >= LAYER.lid_r and state[rig.special[layer - LAYER.lid_r]] < LID_FROM:
            continue
        textured = layer in (LAYER.eyes, LAYER.roll, LAYER.skin)
        _draw_layer(rig, canvas, work, canvas.skin if textured else canvas.atlas, layer)


@_inner
def _look_through(canvas: Canvas, work: Scratch) -> None:
    """The camera: every placed vertex by the affine map of the framing, after all that is measured on the canvas."""
    f, pos = canvas.framing, work.pos
    if f[4] == 1 and f[8] == 1 and f[5] == 0 and f[6] == 0 and f[7] == 0 and f[9] == 0:
        return
    for i in range(len(pos)):
        x, y = pos[i, 0], pos[i, 1]
        pos[i, 0], pos[i, 1] = f[4] * x + f[5] * y + f[6], f[7] * x + f[8] * y + f[9]


# --- pixels ---------------------------------------------------------------------------------------------------------
@_inner
def _clear(canvas: Canvas) -> None:
    top, bottom, left, right = canvas.area[0], canvas.area[1], canvas.area[2], canvas.area[3]
    pixels, plate = canvas.pixels, canvas.plate
    for y in range(top, bottom):
        for x in range(left, right):  # a slice would do, but costs seconds of compiling its errors
            pixels[y, x] = plate[y, x]


@_inner
def _convert(pixels: Pixels, out: Bytes, area: Ints) -> None:
    """Packed pixels to I420 planes inside ``area``; chroma is the rounded mean of four."""
    height, width = pixels.shape
    flat = out.reshape(-1)
    half = width // 2
    u_at, v_at = height * width, height * width + half * (height // 2)
    low, bias = np.uint64(255), np.uint64(0x0002000200020002)
    for j in range(area[0] // 2, area[1] // 2):
        for i in range(area[2] // 2, area[3] // 2):
            a, b = pixels[2 * j, 2 * i], pixels[2 * j, 2 * i + 1]
            c, d = pixels[2 * j + 1, 2 * i], pixels[2 * j + 1, 2 * i + 1]
            out[2 * j, 2 * i], out[2 * j, 2 * i + 1] = a & low, b & low
            out[2 * j + 1, 2 * i], out[2 * j + 1, 2 * i + 1] = c & low, d & low
            s = a + b + c + d + bias
            flat[u_at + j * half + i] = (s >> np.uint64(18)) & low
            flat[v_at + j * half + i] = (s >> np.uint64(34)) & low


# --- entry points ---------------------------------------------------------------------------------------------------
@_entry(types.void(P2, B2, I1))
def convert(pixels: Pixels, out: Bytes, area: Ints) -> None:
    """Packed pixels (H, W) to an I420 picture (3 H / 2, W) inside top, bottom, left, right (even)."""
    _convert(pixels, out, area)


@_entry(float32(RIG, F1, SCRATCH))
def deform(rig: Rig, state: Floats, work: Scratch) -> np.float32:
    """Only the expression: fills ``work.points`` and returns the widest lip gap in scene pixels."""
    return _deform(rig, state, work.points)


@_entry(types.void(RIG, CANVAS, SCRATCH, F1))
def draw(rig: Rig, canvas: Canvas, work: Scratch, state: Floats) -> None:
    """One picture: ``state`` (shape weights, then pose, see State) to ``canvas.out``."""
    gap = _deform(rig, state, work.points)
    opened = gap > np.float32(0.4)
    _turn_head(rig, state, work.turn)
    _place_skin(rig, canvas, work, state, gap)
    _place_seam(rig, canvas, work)
    _place_feather(rig, work)
    _place_eyes(rig, canvas, work, state)
    if opened:
        _place_cavity(rig, work)
        _place_inside(rig, canvas, work, state)
        _place_lip_rims(rig, canvas, work, state)
    for side in range(2):
        closed = state[rig.special[side]]
        if closed >= LID_FROM:
            _place_lid(rig, canvas, work, side, _smooth(np.float32(0.10), np.float32(0.75), closed))
    _look_through(canvas, work)
    _clear(canvas)
    _paint(rig, canvas, work, state, opened)
    _convert(canvas.pixels, canvas.out, canvas.area)
