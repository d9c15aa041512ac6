"""The renderer's compiled code: placed vertices to a picture.

Pixels and texels are four bytes Y, V, U, A (BT.601 limited range). Small layers are drawn triangle by triangle. The
skin, nine tenths of every picture, is drawn in two passes: its triangles only note for each pixel of the canvas which
place of the texture is seen there and in what light (``Canvas.places``), then long rows of such notes are turned into
colours, 256 at a time, in loops that the compiler makes vector code of. Spans of four pixels, as the triangles have
them, are too short for that. Rows remember from where to where they were drawn on (``Canvas.spans``): nothing else is
cleared before the next picture, nor converted after it.
"""

# mypy: disable-error-code="no-untyped-call,no-any-return"
# (Numba ships no types for its own types, and its arrays hold what the signature says.)
from __future__ import annotations

import numpy as np

from mouthpiece.face.compiled import B2, BOOL, CANVAS, F1, I2, NONE, RIG, SCRATCH, T2, Corner, Pair, entry, inner
from mouthpiece.face.rig import LAYER, LID_FROM, POSE, Bytes, Canvas, Floats, Ints, Places, Rig, Scratch, Texels

EVEN = np.uint32(0x00FF00FF)  # Y and U of four bytes; V and A when shifted down: two lanes of 16 bits
ODD = np.uint32(0xFF00FF00)
ROUND = np.uint32(0x00C000C0)  # half a step for each of two truncations, short of overflow
HALF_STEP = np.uint32(0x00800080)
HALF_GAIN = np.uint32(0x00400040)
BLACK = np.uint32(0x00800010)  # U 128, Y 16: what a gain scales around; V 128
EIGHT, SEVEN, FULL, BYTE = np.uint32(8), np.uint32(7), np.uint32(256), np.uint32(255)
HALF = np.float32(0.5)
TINY = np.float32(1e-9)

# A place on the skin: gain in 128ths with 7 bits of fraction, v and u in texels with 13, from high to low; 0 is none.
FINE = np.float32(1 << 13)
FINE_GAIN = np.float32(128 << 7)
STRIP = 256  # places that are turned into colours at a time: what is kept of them stays in the nearest cache
AT_U, AT_V, AT_GAIN, AT_A, AT_B, AT_C, AT_D = (np.uint64(STRIP * k) for k in range(1, 8))

Corners = tuple[Corner, Corner, Corner, Corner, Corner, Corner]  # x, y, u, v, alpha, gain
Triangle = tuple[np.int32, np.int32, np.int32]
Texture = tuple[Texels, np.uint64, np.float32, np.float32]  # flat texels, width, greatest u and v
Edge = tuple[np.float32, np.float32, np.float32]  # x and y of its upper end, and its slope


# --- triangles ------------------------------------------------------------------------------------------------------
@inner
def _between(a: np.uint32, b: np.uint32, share: np.uint32, half: np.uint32) -> np.uint32:
    """Two lanes of 16 bits between a and b: exact, for what one lane borrows in the middle it has back at the end."""
    return np.uint32(np.uint32((a << EIGHT) + (b - a) * share + half) >> EIGHT) & EVEN


@inner
def _filtered(
    corners: tuple[np.uint32, np.uint32, np.uint32, np.uint32], fu: np.uint32, fv: np.uint32
) -> tuple[np.uint32, np.uint32]:
    """Bilinear mean of four texels, as lanes Y, U and V, A."""
    a, b, c, d = corners
    none = np.uint32(0)
    even = _between(_between(a & EVEN, b & EVEN, fu, none), _between(c & EVEN, d & EVEN, fu, none), fv, ROUND)
    a, b, c, d = (a >> EIGHT) & EVEN, (b >> EIGHT) & EVEN, (c >> EIGHT) & EVEN, (d >> EIGHT) & EVEN
    odd = _between(_between(a, b, fu, none), _between(c, d, fu, none), fv, ROUND)
    return even, odd


@inner
def _mixed(even: np.uint32, odd: np.uint32, gain: np.uint32, share: np.uint32, under: np.uint32) -> np.uint32:
    """Colours scaled around black by ``gain`` 128ths (at most 1.12: beyond, U or V would overflow), over a pixel.

    ``share`` of 256 of it shows. The A lane counts as full, so that mixing leaves the opacity of all that was drawn.
    """
    down = np.uint32(128) - gain
    even = np.uint32(even * gain + down * BLACK + HALF_GAIN) >> SEVEN
    even = (even & np.uint32(0x00FF0000)) | min(even & np.uint32(0x1FF), BYTE)
    odd = (np.uint32((odd & BYTE) * gain + down * np.uint32(128) + np.uint32(64)) >> SEVEN) | np.uint32(0x00FF0000)
    rest = FULL - share
    even = (np.uint32(even * share + (under & EVEN) * rest + HALF_STEP) >> EIGHT) & EVEN
    return np.uint32(even | (np.uint32(odd * share + ((under >> EIGHT) & EVEN) * rest + HALF_STEP) & ODD))


@inner
def _scan(xs: Corner, ys: Corner, height: int) -> tuple[int, int, int, Edge, Edge, Edge]:
    """Rows of a triangle: first, first of the lower part, end; its long edge, and the upper and lower of the others.

    Edges are ordered by y, so that both triangles beside one compute the same crossings.
    """
    (x0, x1, x2), (y0, y1, y2) = xs, ys
    if y0 > y1:
        x0, y0, x1, y1 = x1, y1, x0, y0
    if y1 > y2:
        x1, y1, x2, y2 = x2, y2, x1, y1
    if y0 > y1:
        x0, y0, x1, y1 = x1, y1, x0, y0
    top, end = max(int(np.ceil(y0 - HALF)), 0), min(int(np.ceil(y2 - HALF)), height)
    long = (x0, y0, (x2 - x0) / max(y2 - y0, TINY))
    upper, lower = (x0, y0, (x1 - x0) / max(y1 - y0, TINY)), (x1, y1, (x2 - x1) / max(y2 - y1, TINY))
    return top, int(np.ceil(y1 - HALF)), end, long, upper, lower


@inner
def _cut(row: int, long: Edge, short: Edge, width: int) -> tuple[int, int]:
    """First and end column of a row of a triangle."""
    y = np.float32(row) + HALF
    a, b = long[0] + (y - long[1]) * long[2], short[0] + (y - short[1]) * short[2]
    return max(int(np.ceil(min(a, b) - HALF)), 0), min(int(np.ceil(max(a, b) - HALF)), width)


@inner
def _touch(spans: Ints, row: int, first: int, end: int) -> None:
    spans[row, 0] = min(spans[row, 0], first)
    spans[row, 1] = max(spans[row, 1], end)


@inner
def _slopes(values: Corner, b1: Pair, b2: Pair) -> Pair:
    """Gradient along x and along y of a quantity given at the three corners."""
    d1, d2 = values[1] - values[0], values[2] - values[0]
    return d1 * b1[0] + d2 * b2[0], d1 * b1[1] + d2 * b2[1]


@inner
def _weights(xs: Corner, ys: Corner, det: np.float32) -> tuple[Pair, Pair]:
    """Gradients along x and along y of the shares of the second and third corner."""
    inv = np.float32(1) / det
    return ((ys[2] - ys[0]) * inv, (xs[0] - xs[2]) * inv), ((ys[0] - ys[1]) * inv, (xs[1] - xs[0]) * inv)


@inner
def _corners(pos: Floats, uv: Floats, alpha: Floats, light: Floats, t: Triangle) -> Corners:
    a, b, c = t
    return (
        (pos[a, 0], pos[b, 0], pos[c, 0]),
        (pos[a, 1], pos[b, 1], pos[c, 1]),
        (uv[a, 0], uv[b, 0], uv[c, 0]),
        (uv[a, 1], uv[b, 1], uv[c, 1]),
        (alpha[a], alpha[b], alpha[c]),
        (light[a], light[b], light[c]),
    )


@inner
def _place(u: np.float32, v: np.float32, gain: np.float32) -> np.int64:
    """A place, or a step from one to another; the sum of place and steps is exact while the place stays in range."""
    high = (np.int64(np.rint(gain * FINE_GAIN)) << 48) + (np.int64(np.rint(v * FINE)) << 24)
    return high + np.int64(np.rint(u * FINE))


@inner
def _note(places: Places, spans: Ints, corners: Corners) -> None:
    """Note the places that a triangle of the skin shows."""
    height, width = len(spans), len(places) // len(spans)
    xs, ys, us, vs, _, gains = corners
    top, turn, end, long, upper, lower = _scan(xs, ys, height)
    det = (xs[1] - xs[0]) * (ys[2] - ys[0]) - (xs[2] - xs[0]) * (ys[1] - ys[0])
    if top >= end or abs(det) < np.float32(1e-4):
        return
    b1, b2 = _weights(xs, ys, det)
    dux, duy = _slopes(us, b1, b2)
    dvx, dvy = _slopes(vs, b1, b2)
    dgx, dgy = _slopes(gains, b1, b2)
    across, down = _place(dux, dvx, dgx), _place(duy, dvy, dgy)
    column = int(xs[0])
    px, py = np.float32(column) + HALF - xs[0], np.float32(top) + HALF - ys[0]
    u, v = us[0] + px * dux + py * duy - HALF, vs[0] + px * dvx + py * dvy - HALF
    place = _place(u, v, gains[0] + px * dgx + py * dgy) - column * across
    for row in range(top, end):
        first, stop = _cut(row, long, upper if row < turn else lower, width)
        if first < stop:
            _touch(spans, row, first, stop)
            at, count, here = np.uint64(row * width + first), np.uint64(stop - first), place + first * across
            for k in range(count):
                places[at + k] = here
                here += across
        place += down


@inner
def _colour(canvas: Canvas, at: np.uint64, count: np.uint64) -> None:
    """Turn ``count`` (at most STRIP) noted places into pixels, and forget them."""
    strip, places, pixels = canvas.strip, canvas.places.reshape(-1), canvas.pixels.reshape(-1)
    texels, width = canvas.skin.reshape(-1), np.uint32(canvas.skin.shape[1])
    right, last = np.uint32(1), np.uint32(len(texels)) - width - np.uint32(2)
    for k in range(count):
        place = places[at + k]
        strip[k] = min(np.uint32((place >> 13) & 0x7FF) + np.uint32((place >> 37) & 0x7FF) * width, last)
        strip[AT_U + k], strip[AT_V + k] = np.uint32((place >> 5) & 255), np.uint32((place >> 29) & 255)
        strip[AT_GAIN + k] = np.uint32((place + (np.int64(64) << 48)) >> 55)
        places[at + k] = 0
    for k in range(count):
        q = strip[k]
        strip[AT_A + k], strip[AT_B + k] = texels[q], texels[q + right]
        strip[AT_C + k], strip[AT_D + k] = texels[q + width], texels[q + width + right]
    for k in range(count):
        corners = (strip[AT_A + k], strip[AT_B + k], strip[AT_C + k], strip[AT_D + k])
        even, odd = _filtered(corners, strip[AT_U + k], strip[AT_V + k])
        gain, opacity = strip[AT_GAIN + k], odd >> np.uint32(16)
        share = FULL if opacity > np.uint32(250) else opacity + (opacity >> SEVEN)
        share = np.uint32(0) if opacity < np.uint32(3) or gain == np.uint32(0) else share
        pixels[at + k] = _mixed(even, odd, gain, share, pixels[at + k])


@inner
def _colour_under(canvas: Canvas, places: Places, xs: Corner, ys: Corner) -> None:
    """Colour what has been noted under a triangle that one may see through."""
    height, width = canvas.pixels.shape
    top, turn, end, long, upper, lower = _scan(xs, ys, height)
    for row in range(top, end):
        first, stop = _cut(row, long, upper if row < turn else lower, width)
        for column in range(first, stop):
            if places[row * width + column] != 0:
                _colour(canvas, np.uint64(row * width + column), np.uint64(min(stop - column, STRIP)))


@inner
def _draw_skin(rig: Rig, canvas: Canvas, work: Scratch, first: int, last: int) -> None:
    height, width = canvas.pixels.shape
    places, spans, triangles = canvas.places.reshape(-1), canvas.spans, rig.triangles
    pos, uv, alpha, light, opaque = work.pos, work.uv, work.alpha, work.light, rig.opaque
    for t in range(first, last):
        corners = _corners(pos, uv, alpha, light, (triangles[t, 0], triangles[t, 1], triangles[t, 2]))
        if opaque[t] == 0:
            _colour_under(canvas, places, corners[0], corners[1])
        _note(places, spans, corners)
    for row in range(height):
        begin, end = spans[row, 0], spans[row, 1]
        for column in range(begin, end, STRIP):
            _colour(canvas, np.uint64(row * width + column), np.uint64(min(end - column, STRIP)))


@inner
def _fill(pixels: Texels, texture: Texture, spans: Ints, corners: Corners) -> None:
    """Draw a triangle with the texture's and the vertices' opacity and gain; coordinates are held in the texture."""
    height, width = len(spans), len(pixels) // len(spans)
    flat, across, u_max, v_max = texture
    xs, ys, us, vs, alphas, gains = corners
    top, turn, end, long, upper, lower = _scan(xs, ys, height)
    det = (xs[1] - xs[0]) * (ys[2] - ys[0]) - (xs[2] - xs[0]) * (ys[1] - ys[0])
    if top >= end or abs(det) < np.float32(1e-4):
        return
    b1, b2 = _weights(xs, ys, det)
    du, dv, da, dg = _slopes(us, b1, b2), _slopes(vs, b1, b2), _slopes(alphas, b1, b2), _slopes(gains, b1, b2)
    for row in range(top, end):
        first, stop = _cut(row, long, upper if row < turn else lower, width)
        if first >= stop:
            continue
        _touch(spans, row, first, stop)
        px, py = np.float32(first) + HALF - xs[0], np.float32(row) + HALF - ys[0]
        u, v = us[0] + px * du[0] + py * du[1] - HALF, vs[0] + px * dv[0] + py * dv[1] - HALF
        a, g = alphas[0] + px * da[0] + py * da[1], gains[0] + px * dg[0] + py * dg[1]
        for at in range(np.uint64(row * width + first), np.uint64(row * width + stop)):
            x, y = np.uint32(_held(u, u_max) * np.float32(256)), np.uint32(_held(v, v_max) * np.float32(256))
            q = np.uint64(y >> EIGHT) * across + np.uint64(x >> EIGHT)
            r = q + across
            four = (flat[q], flat[q + np.uint64(1)], flat[r], flat[r + np.uint64(1)])
            even, odd = _filtered(four, x & BYTE, y & BYTE)
            opacity = np.uint32(np.float32(odd >> np.uint32(16)) * _held(a, np.float32(1)))
            if opacity > np.uint32(2):
                share = FULL if opacity > np.uint32(251) else opacity + (opacity >> SEVEN)
                gain = np.uint32(_held(g, np.float32(1.12)) * np.float32(128))
                pixels[at] = _mixed(even, odd, gain, share, pixels[at])
            u, v, a, g = u + du[0], v + dv[0], a + da[0], g + dg[0]


@inner
def _draw_layer(rig: Rig, canvas: Canvas, work: Scratch, texture: Texels, part: tuple[int, int]) -> None:
    pixels, spans, triangles = canvas.pixels.reshape(-1), canvas.spans, rig.triangles
    pos, uv, alpha, light = work.pos, work.uv, work.alpha, work.light
    rows, columns = texture.shape
    tex = (texture.reshape(-1), np.uint64(columns), np.float32(columns - 2), np.float32(rows - 2))
    for t in range(part[0], part[1]):
        corners = _corners(pos, uv, alpha, light, (triangles[t, 0], triangles[t, 1], triangles[t, 2]))
        _fill(pixels, tex, spans, corners)


@inner
def _held(x: np.float32, most: np.float32) -> np.float32:
    return min(max(x, np.float32(0)), most)


@inner
def _paint(rig: Rig, canvas: Canvas, work: Scratch, state: Floats, opened: bool) -> None:
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
        first, last = rig.layers[layer, 0], rig.layers[layer, 1]
        if layer == LAYER.skin:
            rims = last - 2 * len(rig.loops)  # the rims inside the holes come last, over the skin
            _draw_skin(rig, canvas, work, first, rims)
            first = rims
        texture = canvas.skin if layer in (LAYER.eyes, LAYER.roll, LAYER.skin) else canvas.atlas
        _draw_layer(rig, canvas, work, texture, (first, last))


# --- pixels ---------------------------------------------------------------------------------------------------------
@inner
def _clear(canvas: Canvas) -> None:
    """Show the background where the last picture was drawn, and remember where that was."""
    pixels, plate, spans = canvas.pixels, canvas.plate, canvas.spans
    for row in range(len(spans)):
        first, end = spans[row, 0], spans[row, 1]
        for x in range(first, end):  # a slice would do, but costs seconds of compiling its errors
            pixels[row, x] = plate[row, x]
        spans[row, 0], spans[row, 1], spans[row, 2], spans[row, 3] = pixels.shape[1], 0, first, end


@inner
def _convert(pixels: Texels, out: Bytes, spans: Ints) -> None:
    """Pixels to I420 planes where this picture or the last one was drawn; chroma is the rounded mean of four."""
    height, width = pixels.shape
    flat, to = pixels.reshape(-1), out.reshape(-1)
    half, quarter = width // 2, (width // 2) * (height // 2)
    one, below, two = np.uint64(1), np.uint64(width), np.uint32(2)
    for j in range(height // 2):
        s, t = spans[2 * j], spans[2 * j + 1]
        low = min(s[0], s[2], t[0], t[2]) // 2
        high = (max(s[1], s[3], t[1], t[3]) + 1) // 2
        if low >= high:
            continue
        count, top = np.uint64(high - low), np.uint64(2 * (j * width + low))
        for at in (top, top + below):
            for i in range(count + count):
                to[at + i] = flat[at + i] & BYTE
        u_at = np.uint64(height * width + j * half + low)
        v_at = u_at + np.uint64(quarter)
        for i in range(count):
            q = top + i + i
            a, b, c, d = flat[q], flat[q + one], flat[q + below], flat[q + below + one]
            v = ((a >> EIGHT) & BYTE) + ((b >> EIGHT) & BYTE) + ((c >> EIGHT) & BYTE) + ((d >> EIGHT) & BYTE)
            a, b, c, d = a >> np.uint32(16), b >> np.uint32(16), c >> np.uint32(16), d >> np.uint32(16)
            to[u_at + i] = ((a & BYTE) + (b & BYTE) + (c & BYTE) + (d & BYTE) + two) >> two
            to[v_at + i] = (v + two) >> two


# --- entry points ---------------------------------------------------------------------------------------------------
@entry(NONE(T2, B2, I2))
def convert(pixels: Texels, out: Bytes, spans: Ints) -> None:
    """Pixels (H, W) to an I420 picture (3 H / 2, W), in each row inside the columns of ``spans``, see Canvas."""
    _convert(pixels, out, spans)


@entry(NONE(RIG, CANVAS, SCRATCH, F1, BOOL))
def paint(rig: Rig, canvas: Canvas, work: Scratch, state: Floats, opened: bool) -> None:
    """One picture to ``canvas.out``, from vertices that were placed for the same ``state``."""
    _clear(canvas)
    _paint(rig, canvas, work, state, opened)
    _convert(canvas.pixels, canvas.out, canvas.spans)
