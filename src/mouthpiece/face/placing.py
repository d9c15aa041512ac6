"""The renderer's compiled code: a state of the face to vertices on the canvas."""

# mypy: disable-error-code="no-untyped-call,no-any-return"
# (Numba ships no types for its own types, and its arrays hold what the signature says.)
from __future__ import annotations

import numpy as np

from mouthpiece.face.compiled import BOOL, CANVAS, F1, FLOAT, RIG, SCRATCH, Corner, Pair, entry, inner
from mouthpiece.face.rig import GROUP, LID_FROM, POSE, Canvas, Floats, Rig, Scratch

JAW_DROP = np.float32(12.0)  # as in basis.py
# A tongue in a mouth wide open: wider by SPREAD, higher by RISE mm, darker by DIM.
SPREAD, RISE, DIM = np.float32(0.45), np.float32(3.5), np.float32(0.22)
PUCKER = 2  # row of the basis: puckered lips throw a deeper shadow


# --- vertices -------------------------------------------------------------------------------------------------------
@inner
def _smooth(low: np.float32, high: np.float32, x: np.float32) -> np.float32:
    t = min(max((x - low) / (high - low), np.float32(0)), np.float32(1))
    return t * t * (np.float32(3) - np.float32(2) * t)


@inner
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


@inner
def _turn_head(rig: Rig, state: Floats, turn: Floats) -> None:
    k = len(rig.basis)
    cy, sy = np.cos(state[k + POSE.yaw]), np.sin(state[k + POSE.yaw])
    cp, sp = np.cos(state[k + POSE.pitch]), np.sin(state[k + POSE.pitch])
    cr, sr = np.cos(state[k + POSE.roll]), np.sin(state[k + POSE.roll])
    turn[0, 0], turn[0, 1], turn[0, 2] = cr * cy, cr * sy * sp - sr * cp, cr * sy * cp + sr * sp
    turn[1, 0], turn[1, 1], turn[1, 2] = sr * cy, sr * sy * sp + cr * cp, sr * sy * cp - cr * sp
    turn[2, 0], turn[2, 1], turn[2, 2] = -sy, cy * sp, cy * cp
    turn[3, 0], turn[3, 1], turn[3, 2] = state[k + POSE.x], state[k + POSE.y], state[k + POSE.z]


@inner
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


@inner
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
    for i in range(len(points)):
        light[i] = min(max(light[i], np.float32(0.05)), np.float32(1.12))


@inner
def _gap_at(rig: Rig, pos: Floats, j: int) -> np.float32:
    """Canvas pixels between the lips at a point of the mouth's contour."""
    columns = rig.lips.shape[1]
    c = j if j < columns else 2 * columns - 2 - j
    return max(pos[rig.lips[1, c], 1] - pos[rig.lips[0, c], 1], np.float32(0))


@inner
def _place_seam(rig: Rig, canvas: Canvas, work: Scratch) -> None:
    """The line of shadow between closed lips stays behind as they part: their edges take texture from further in."""
    at, texels = rig.groups[GROUP.feather], canvas.framing[3]
    mm = rig.body[6] * canvas.framing[0]
    for j in range(len(rig.seam)):
        share = _smooth(np.float32(0.3), np.float32(1.8), _gap_at(rig, work.pos, j) / mm)
        u = (rig.seam[j, 0] + share * rig.seam[j, 2]) * texels + canvas.framing[10]
        v = (rig.seam[j, 1] + share * rig.seam[j, 3]) * texels + canvas.framing[10]
        here = rig.loops[j]
        work.uv[here, 0], work.uv[here, 1] = u, v
        work.uv[at + j, 0], work.uv[at + j, 1] = u, v


@inner
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


@inner
def _place_eyes(rig: Rig, canvas: Canvas, work: Scratch, state: Floats) -> None:
    k, at = len(rig.basis), rig.groups[GROUP.eyes]
    each, texels = len(rig.eye_grid) // 2, canvas.framing[3]
    for i in range(len(rig.eye_grid)):
        eye = rig.eyes[i // each]
        x, y, across, down = rig.eye_grid[i, 0], rig.eye_grid[i, 1], rig.eye_grid[i, 2], rig.eye_grid[i, 3]
        p = (x, y, eye[2])
        work.pos[at + i, 0], work.pos[at + i, 1] = _project(rig, work.turn, canvas.framing, p, np.float32(1))
        work.uv[at + i, 0] = (x - across * eye[3] * state[k + POSE.gaze_x]) * texels + canvas.framing[10]
        work.uv[at + i, 1] = (y - down * eye[3] * state[k + POSE.gaze_y]) * texels + canvas.framing[10]


@inner
def _place_inside(rig: Rig, canvas: Canvas, work: Scratch, state: Floats) -> None:
    """Tongue and lower teeth turn with the jaw, upper teeth with the skull; the tongue's tip rises and comes out.

    In an open mouth the tongue lies broad and does not sink as far as the jaw: no black beside it.
    """
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
                x *= np.float32(1) + SPREAD * min(jaw, np.float32(1))
                y += forward * thrust - RISE * jaw * (np.float32(1) - forward)
                work.light[at + i] = np.float32(1) - DIM * min(jaw, np.float32(1)) * (np.float32(1) - out)
                z -= tip * out * np.float32(9)
        unit = rig.body[6]
        p = (
            a[3, 0] + unit * (x * a[0, 0] + y * a[1, 0] + z * a[2, 0]),
            a[3, 1] + unit * (x * a[0, 1] + y * a[1, 1] + z * a[2, 1]),
            a[3, 2] + unit * (x * a[0, 2] + y * a[1, 2] + z * a[2, 2]),
        )
        work.pos[at + i, 0], work.pos[at + i, 1] = _project(rig, work.turn, canvas.framing, p, np.float32(1))


@inner
def _place_cavity(rig: Rig, work: Scratch) -> None:
    """A fan over the mouth opening."""
    pos, at, m = work.pos, rig.groups[GROUP.cavity], rig.loop_at[1]
    sx, sy = np.float32(0), np.float32(0)
    for j in range(m):
        x, y = pos[rig.loops[j], 0], pos[rig.loops[j], 1]
        pos[at + j, 0], pos[at + j, 1] = x, y
        sx, sy = sx + x, sy + y
    pos[at + m, 0], pos[at + m, 1] = sx / m, sy / m


@inner
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
        opened = gap / mm * np.float32(0.8) - np.float32(0.2)
        opened = min(
            max(opened + np.float32(1.5) * rounded * min(gap / mm, np.float32(1)), np.float32(0)), np.float32(1)
        )
        deep = np.float32(0.45) + gap / (8 * mm) + rounded  # no tooth shines between lips that are drawn together
        deep = min(max(deep, np.float32(0.45)), np.float32(1))
        work.alpha[shade + m + j] = (np.float32(0.32 if upper else 0.20) + rounded) * deep * opened


@inner
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


@inner
def _look_through(canvas: Canvas, work: Scratch) -> None:
    """The camera: every placed vertex by the affine map of the framing, after all that is measured on the canvas."""
    f, pos = canvas.framing, work.pos
    if f[4] == 1 and f[8] == 1 and f[5] == 0 and f[6] == 0 and f[7] == 0 and f[9] == 0:
        return
    for i in range(len(pos)):
        x, y = pos[i, 0], pos[i, 1]
        pos[i, 0], pos[i, 1] = f[4] * x + f[5] * y + f[6], f[7] * x + f[8] * y + f[9]


# --- entry points
@entry(FLOAT(RIG, F1, SCRATCH))
def deform(rig: Rig, state: Floats, work: Scratch) -> np.float32:
    """Only the expression: fills ``work.points`` and returns the widest lip gap in scene pixels."""
    return _deform(rig, state, work.points)


@entry(BOOL(RIG, CANVAS, SCRATCH, F1))
def place(rig: Rig, canvas: Canvas, work: Scratch, state: Floats) -> bool:
    """Every vertex for ``state`` (shape weights, then pose, see State); returns whether the mouth is open."""
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
    return bool(opened)
