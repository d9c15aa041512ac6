"""How this room compiles: Numba's options and the types of its arguments. Only here and where this is used is Numba.

Entry points have explicit signatures, so that they are compiled (or read from the cache) when their module is imported
and never afterwards: an unknown argument type is an error, not a 1.6 s pause in a live session. The cache knows a
module by its own text alone: what an entry point calls stands in the same file.
"""

# mypy: disable-error-code="no-untyped-call,no-any-return"
# (Numba ships no types for its own types.)
from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import float32, int32, int64, njit, types, uint8, uint32

from mouthpiece.face.rig import Canvas, Rig, Scratch

F1, F2, I1, I2 = float32[::1], float32[:, ::1], int32[::1], int32[:, ::1]
B1, B2, P2, T1, T2 = uint8[::1], uint8[:, ::1], int64[:, ::1], uint32[::1], uint32[:, ::1]
RIG = types.NamedTuple([F2, F2, F2, B1, F2, I2, I1, I1, F2, F2, F2, F2, F2, I2, F1, I1, I1, I2, I2, B1], Rig)
CANVAS = types.NamedTuple([T2, T2, T2, T2, P2, I2, T1, B2, F1], Canvas)
SCRATCH = types.NamedTuple([F2, F2, F2, F2, F1, F1], Scratch)
BOOL, FLOAT, NONE = types.boolean, float32, types.void

Pair = tuple[np.float32, np.float32]
Corner = tuple[np.float32, np.float32, np.float32]
Function = TypeVar("Function", bound=Callable[..., object])


def inner(function: Function) -> Function:
    """A function that compiled code calls. Arrays go to it as arguments of their own where it is called often: each
    that it takes out of a tuple is counted, and that costs as much as a triangle of four pixels.
    """
    return cast(Function, njit(nogil=True, fastmath=True, error_model="numpy")(function))


def entry(signature: object) -> Callable[[Function], Function]:
    """A function that Python calls."""

    def compile_now(function: Function) -> Function:
        return cast(Function, njit(signature, nogil=True, cache=True, fastmath=True, error_model="numpy")(function))

    return compile_now
