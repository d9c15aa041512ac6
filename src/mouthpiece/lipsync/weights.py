"""The trained weights, and what the network's answers mean.

The network: two frames of log-mel energies make a step of 20 ms: a linear layer of 96, a causal convolution over three
steps, two gated recurrent layers of 128 (Cho et al. 2014, in the form with one bias inside the reset gate), and linear
heads that tell, for each frame of 10 ms, the visemes, closed lips, the lip under the teeth, six articulators and the
phone. Heads exist for several delays: the live ones answer for the frames 60 to 40 ms ago for good, and guess those
since; the patient one answers 160 ms late, for files. It was trained on synthesised speech with exact phone times only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.articulation import ARTICULATORS, PHONES, VISEME_OF, VISEME_SHAPE
from mouthpiece.lipsync.visemes import VISEMES, Heard

FRAMES: Final = 2
"""Frames in a step."""
WARM_UP_STEPS: Final = 100
"""Two seconds of silence: the memory no longer changes in the third decimal."""
_LAYERS, _SIDES, _KINDS = 2, ("input", "hidden"), ("weight", "bias")
_VALUES = len(VISEMES) + 2 + len(ARTICULATORS)  # of a frame in a head: visemes, closure, tuck, articulators
_DELAYS = (0, 1, 2, 8)  # steps; the order of the heads in the file, before two heads of phones (delays 2 and 8)
LIVE_STEPS, PATIENT_STEPS = _DELAYS[2], _DELAYS[3]
"""Steps by which the oldest frames of the live head, and those of the patient one, are late."""

Array = NDArray[np.float32]

TO_VISEME: Final = np.eye(len(VISEMES), dtype=np.float32)[VISEME_OF]
"""Shares of phones to shares of visemes, (41, 15)."""
OF_VISEMES: Final = np.array((0.6, 0.6, 0.6, 0.8, 0.6, 0.6), np.float32)
"""Part that the visemes' shapes have in each articulator, most in rounding; the rest is what the network tells of it.
Found on the validation set of the training."""


@dataclass(frozen=True, slots=True, eq=False)
class Recurrent:
    """One gated recurrent layer; the gates stand in the order reset, update, new."""

    input_weight: Array  # (128, 384)
    input_bias: Array
    hidden_weight: Array  # (128, 384)
    hidden_bias: Array


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What is told of a step: first the mouth, ``_VALUES`` a frame and the oldest frame first, then its phones."""

    weight: Array  # (128, frames * 23 + 2 * 41)
    bias: Array


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The network's parameters, float32; matrices are (inputs, outputs)."""

    input_weight: Array  # (80, 96)
    input_bias: Array
    conv_weight: Array  # (3 * 96, 128), oldest step first
    conv_bias: Array
    recurrent: tuple[Recurrent, ...]
    live: Head
    patient: Head
    closure_line: float
    """The weighed mean of a closure's two witnesses (``steady``) from which it is as likely as not."""


@cache
def load_weights() -> Weights:
    """The weights that ship with the package (float16 in the file), loaded once and shared."""
    with files(__package__).joinpath("weights.npz").open("rb") as file, np.load(file) as arrays:
        params = {name: np.ascontiguousarray(arrays[name], np.float32) for name in arrays.files}
    layers = tuple(
        Recurrent(**{f"{side}_{kind}": params.pop(f"gru{n}_{side}_{kind}") for side in _SIDES for kind in _KINDS})
        for n in range(_LAYERS)
    )
    weight, bias = params.pop("output_weight"), params.pop("output_bias")
    columns = _columns((LIVE_STEPS, 1, 0), 0), _columns((PATIENT_STEPS,), 1)
    heads = [Head(np.ascontiguousarray(weight[:, c]), bias[c]) for c in columns]
    line = float(params.pop("closure_line").item())
    return Weights(recurrent=layers, live=heads[0], patient=heads[1], closure_line=line, **params)


def _columns(delays: tuple[int, ...], phones: int) -> NDArray[np.int64]:
    """Columns of the file's output layer for the frames of these delays and one of the heads of phones."""
    mouth = [np.arange(FRAMES * _VALUES) + _DELAYS.index(d) * FRAMES * _VALUES for d in delays]
    named = FRAMES * len(PHONES)
    first = len(_DELAYS) * FRAMES * _VALUES + phones * named
    return np.concatenate([*mouth, np.arange(first, first + named)])


def _softmax(x: Array) -> Array:
    power = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(power / power.sum(axis=-1, keepdims=True), np.float32)


def meaning(values: Array) -> Heard:
    """What a head's values, shape (steps, values), tell: of (steps, frames) each, phones of the oldest two frames."""
    named = len(PHONES) * FRAMES
    frames = values[:, :-named].reshape(len(values), -1, _VALUES)
    n = len(VISEMES)
    gates = np.float32(1) / (np.float32(1) + np.exp(-frames[..., n : n + 2]))
    visemes, phones = _softmax(frames[..., :n]), _softmax(values[:, -named:].reshape(len(values), FRAMES, -1))
    # two opinions of one network, here and below: between them is nearer to the truth than either
    visemes[:, :FRAMES] = (visemes[:, :FRAMES] + phones @ TO_VISEME) / np.float32(2)
    told = np.clip(frames[..., n + 2 :], 0.0, 1.0)
    shape = told + OF_VISEMES * (visemes @ VISEME_SHAPE - told)
    return Heard(visemes, gates[..., 0], gates[..., 1], np.asarray(shape, np.float32), phones)
