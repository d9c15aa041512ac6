"""Animation: from what is heard to how the mouth moves, one pose every 10 ms.

Jaw, width and rounding are critically damped springs. Closures (p, b, m) and the lip under the teeth (f, v) have a
path of their own: no spring may blur what a viewer reads as right or wrong. They close in 20 ms and stay shut for at
least one picture at 25 a second. Everything here works on arrays in the order of ``visemes.SHAPES``.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.visemes import SHAPES

Array = NDArray[np.float64]

_S: Final = {name: n for n, name in enumerate(SHAPES)}
JAW, CLOSE, PRESS, TUCK = _S["jaw_open"], _S["mouth_close"], _S["press"], _S["tuck"]
_UPPER, _LOWER, _FUNNEL, _STRETCH = _S["upper_up"], _S["lower_down"], _S["funnel"], _S["stretch"]

_STEP_S = 0.01
_RATE = 75.0  # rad/s: lags 27 ms
_ROUND_RATE = 50.0  # lips round more slowly than the jaw moves
_OPENING = (JAW, _UPPER, _LOWER)
_PARTING = (_UPPER, _LOWER, _FUNNEL)


_VECTOR = "float64[::1]"


@numba.njit(f"{_VECTOR}({', '.join([_VECTOR] * 5)})", nogil=True, cache=True)
def _swing(position: Array, velocity: Array, target: Array, rates: Array, decay: Array) -> Array:
    shown = np.empty_like(position)
    for i in range(len(position)):
        away = position[i] - target[i]
        drift = (velocity[i] + rates[i] * away) * _STEP_S
        velocity[i] = (velocity[i] - rates[i] * drift) * decay[i]
        position[i] = target[i] + (away + drift) * decay[i]
        shown[i] = max(position[i], 0.0)
    return shown


class Springs:
    """Critically damped springs, one a mouth shape, that follow a target."""

    def __init__(self) -> None:
        rates = np.full(len(SHAPES), _RATE)
        rates[[_S["pucker"], _FUNNEL]] = _ROUND_RATE
        self._rates, self._decay = rates, np.exp(-rates * _STEP_S)
        self._position, self._velocity = np.zeros(len(SHAPES)), np.zeros(len(SHAPES))

    def step(self, target: Array) -> Array:
        """Move for 10 ms; return the positions (exact solution for a target that holds still)."""
        positions: Array = _swing(self._position, self._velocity, target, self._rates, self._decay)
        return positions

    def rest(self) -> None:
        """Jump to rest."""
        self._position[:], self._velocity[:] = 0.0, 0.0


class Gate:
    """Opens and shuts a closure: fast in, shut for a whole picture at least, slower out."""

    SHUT_STEP, OPEN_STEP = 0.5, 0.34
    HOLD = 4  # poses: of any four in a row one is a picture at 25 a second
    SURE = 0.6  # from here on a closure counts, and is made complete

    def __init__(self, longest: int | None = None) -> None:
        """``longest``: poses after which it opens whatever is wanted."""
        self._longest = longest
        self._value, self._shut = 0.0, 0

    def step(self, wanted: float) -> float:
        """The gate 10 ms later, 0 open to 1 shut, when ``wanted`` is how sure the closure is (below 0: not at all)."""
        if wanted >= self.SURE or 0 < self._shut < self.HOLD:
            wanted = 1.0
        else:
            wanted = max(wanted, 0.0)
            self._shut = 0
        if self._longest is not None and self._shut >= self._longest:
            wanted = 0.0
        self._value += min(max(wanted - self._value, -self.OPEN_STEP), self.SHUT_STEP)
        if self._value == 1.0 or self._shut:
            self._shut += 1
        return self._value

    def rest(self) -> None:
        """Jump open."""
        self._value, self._shut = 0.0, 0


@numba.njit("float64[::1](float64[::1], float64)", nogil=True, cache=True)
def scale_opening(shapes: Array, gain: float) -> Array:
    """Louder speech opens wider: scale the shapes that part the lips up and down."""
    out = shapes.copy()
    for shape in _OPENING:
        out[shape] *= gain
    return out


@numba.njit("float64[::1](float64[::1], float64, float64)", nogil=True, cache=True)
def articulate(shapes: Array, closure: float, tuck: float) -> Array:
    """Lay a closure and a tucked lip, each 0..1, over the mouth shapes; closed lips leave a gap of exactly zero."""
    out = shapes.copy()
    for shape in _PARTING:
        out[shape] *= 1.0 - closure
    out[_STRETCH] *= 1.0 - 0.4 * closure
    out[JAW] *= (1.0 - 0.55 * closure) * (1.0 - tuck)
    out[JAW] += tuck * min(shapes[JAW], 0.20)
    out[_LOWER] *= 1.0 - tuck
    out[TUCK] = max(out[TUCK] * (1.0 - closure), 0.8 * tuck * (1.0 - closure))
    out[PRESS] = max(0.6 * out[PRESS], 0.65 * closure)
    out[CLOSE] = min(max(out[CLOSE], closure * out[JAW]), out[JAW])
    return out


@numba.njit(f"{_VECTOR}({_VECTOR}, {', '.join(['float64'] * 5)})", nogil=True, cache=True)
def shown(shapes: Array, closure: float, tuck: float, presence: float, loudness: float, emphasis: float) -> Array:
    """The values of a ``MouthPose``: ``articulate``, then the prosody, all of it hushed by ``presence``."""
    out = np.empty(shapes.size + 2)
    out[:-2] = articulate(shapes, closure, tuck)
    out[-2], out[-1] = loudness, emphasis
    return out * presence


def smoothstep(x: float) -> float:
    """0 to 1 with level ends (x is clipped to 0..1)."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)
