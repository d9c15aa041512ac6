"""The trained network, and the only file that knows its weights: sound in, what the mouth does out.

Two frames of log-mel energies make a step of 20 ms: a linear layer of 96, a causal convolution over three steps, two
gated recurrent layers of 128 (Cho et al. 2014, in the form with one bias inside the reset gate), and linear heads that
tell, for each frame of 10 ms, the visemes, closed lips, the lip under the teeth, six articulators and the phone. Heads
exist for several delays: the live ones answer for the frames 60 to 40 ms ago for good, and guess those since; the
patient one answers 160 ms late, for files. It was trained on synthesised speech with exact phone times only.

The products are compiled rather than left to BLAS, whose threads cost more than products this small. Each step is
computed alone: pieces of any size give the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.articulation import ARTICULATORS, PHONES, VISEME_SHAPE
from mouthpiece.lipsync.features import STEP, LogMel
from mouthpiece.lipsync.visemes import VISEMES, Heard
from mouthpiece.media import Pcm

LIVE_DELAY: Final = 960
"""Samples from the beginning of the oldest frame of an answer until it is known: live."""
PATIENT_DELAY: Final = 3520
"""The same for the patient heads, which hear 160 ms more of what follows."""
_LAYERS, _SIDES, _KINDS = 2, ("input", "hidden"), ("weight", "bias")
_FRAMES = 2  # in a step
_VALUES = len(VISEMES) + 2 + len(ARTICULATORS)  # of a frame in a head: visemes, closure, tuck, articulators
_DELAYS = (0, 1, 2, 8)  # steps; the order of the heads in the file, before two heads of phones (delays 2 and 8)
_WARM_UP_STEPS = 100  # two seconds of silence: the state no longer changes in the third decimal
_HUSH_STEPS = 30  # after 600 ms of exact zeros the network's answer is taken as known

Array = NDArray[np.float32]


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
    heads = [Head(np.ascontiguousarray(weight[:, c]), bias[c]) for c in (_columns((2, 1, 0), 0), _columns((8,), 1))]
    return Weights(recurrent=layers, live=heads[0], patient=heads[1], **params)


def _columns(delays: tuple[int, ...], phones: int) -> NDArray[np.int64]:
    """Columns of the file's output layer for the frames of these delays and one of the heads of phones."""
    mouth = [np.arange(_FRAMES * _VALUES) + _DELAYS.index(d) * _FRAMES * _VALUES for d in delays]
    named = _FRAMES * len(PHONES)
    first = len(_DELAYS) * _FRAMES * _VALUES + phones * named
    return np.concatenate([*mouth, np.arange(first, first + named)])


_VECTOR, _MATRIX = "float32[::1]", "float32[:,::1]"


@numba.njit(f"void({_VECTOR}, {_MATRIX}, {_VECTOR}, {_VECTOR})", nogil=True, cache=True, fastmath={"contract"})
def _affine(x: Array, weight: Array, bias: Array, y: Array) -> None:
    for j in range(y.shape[0]):
        y[j] = bias[j]
    for i in range(x.shape[0]):
        xi = x[i]
        for j in range(y.shape[0]):
            y[j] += xi * weight[i, j]


@numba.njit(f"void({_VECTOR}, {_VECTOR}, {_VECTOR})", nogil=True, cache=True)
def _recur(given: Array, held: Array, hidden: Array) -> None:
    one, n = np.float32(1), hidden.shape[0]
    for j in range(n):
        reset = one / (one + np.exp(-(given[j] + held[j])))
        update = one / (one + np.exp(-(given[n + j] + held[n + j])))
        new = np.tanh(given[2 * n + j] + reset * held[2 * n + j])
        hidden[j] = new + update * (hidden[j] - new)


Memory = tuple[Array, Array]


@numba.njit(nogil=True, cache=True)
def _forward(mel: Array, weights: tuple[Array, ...], memory: Memory) -> Array:
    """Steps (n, 80) through the network, one after another; ``memory`` (recent, hidden) is left as after the last."""
    input_weight, input_bias, conv_weight, conv_bias = weights[:4]
    given_weight, given_bias, held_weight, held_bias, head_weight, head_bias = weights[4:]
    recent, hidden = memory
    sound, given, held = np.empty_like(conv_bias), np.empty_like(given_bias[0]), np.empty_like(held_bias[0])
    answers = np.empty((len(mel), head_bias.size), np.float32)
    for n in range(len(mel)):
        recent[0], recent[1] = recent[1], recent[2]
        _affine(mel[n], input_weight, input_bias, recent[2])
        np.maximum(recent[2], np.float32(0), recent[2])
        _affine(recent.reshape(recent.size), conv_weight, conv_bias, sound)
        np.maximum(sound, np.float32(0), sound)
        for k in range(len(hidden)):
            _affine(sound, given_weight[k], given_bias[k], given)
            _affine(hidden[k], held_weight[k], held_bias[k], held)
            _recur(given, held, hidden[k])
            sound[:] = hidden[k]
        _affine(sound, head_weight, head_bias, answers[n])
    return answers


@cache
def _packed(patient: bool) -> tuple[Array, ...]:
    """All weights of the way to a head."""
    w = load_weights()
    head = w.patient if patient else w.live
    layers = [np.stack([getattr(r, f"{side}_{kind}") for r in w.recurrent]) for side in _SIDES for kind in _KINDS]
    return (w.input_weight, w.input_bias, w.conv_weight, w.conv_bias, *layers, head.weight, head.bias)


class Network:
    """The network's memory of one stream of sound."""

    def __init__(self, *, patient: bool = False) -> None:
        self._weights = _packed(patient)
        w = load_weights()
        self._recent = np.zeros((3, w.input_bias.size), np.float32)
        self._hidden = np.zeros((len(w.recurrent), w.conv_bias.size), np.float32)

    def steps(self, frames: Array) -> Array:
        """Hear pairs of frames, shape (n, 2, 40); return the head's values, shape (n, values)."""
        mel = np.ascontiguousarray(frames.reshape(len(frames), -1), np.float32)
        answers: Array = _forward(mel, self._weights, (self._recent, self._hidden))
        return answers

    def copy_from(self, other: Network) -> None:
        """Take over another stream's memory."""
        self._recent[:], self._hidden[:] = other._recent, other._hidden


def _softmax(x: Array) -> Array:
    power = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(power / power.sum(axis=-1, keepdims=True), np.float32)


def _heard(values: Array) -> list[Heard]:
    """The meaning of a head's values, shape (steps, values)."""
    named = len(PHONES) * _FRAMES
    frames = values[:, :-named].reshape(len(values), -1, _VALUES)
    n = len(VISEMES)
    gates = np.float32(1) / (np.float32(1) + np.exp(-frames[..., n : n + 2]))
    visemes, phones = _softmax(frames[..., :n]), _softmax(values[:, -named:].reshape(len(values), _FRAMES, -1))
    # two opinions of one network: their mean is nearer to the truth than either
    shape = (np.clip(frames[..., n + 2 :], 0.0, 1.0) + visemes @ VISEME_SHAPE) / np.float32(2)
    return [Heard(v, g[:, 0], g[:, 1], s, p) for v, g, s, p in zip(visemes, gates, shape, phones, strict=True)]


def _joined(answers: Sequence[Heard]) -> Heard:
    """Answers of steps that follow each other, the first one's phones."""
    parts = [[getattr(a, name) for a in answers] for name in ("visemes", "closure", "tuck", "shape")]
    visemes, closure, tuck, shape = map(np.concatenate, parts)
    return Heard(visemes, closure, tuck, shape, answers[0].phones)


@cache
def _after_silence(patient: bool) -> tuple[Network, Heard]:
    """A network that has heard silence for long, and what it answers then."""
    network = Network(patient=patient)
    silence = LogMel().step(np.zeros(STEP, np.int16))
    answers = network.steps(np.repeat(silence[None], _WARM_UP_STEPS, axis=0))
    return network, _heard(answers[-1:])[0]


class Recognizer:
    """One stream of sound to what the mouth does. It begins as if silence had gone before.

    ``delay`` is the number of samples from the beginning of the first frame that a step tells of, to the step's end.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self._patient = patient
        self.delay = PATIENT_DELAY if patient else LIVE_DELAY
        self._mel = LogMel()
        self._network = Network(patient=patient)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        silent, answer = _after_silence(self._patient)
        self._mel.reset()
        self._network.copy_from(silent)
        self._quiet_steps = _HUSH_STEPS
        self._recent = deque([answer] * 3, 3)

    @property
    def silence(self) -> Heard:
        """What is told after long silence."""
        answer = _after_silence(self._patient)[1]
        return _joined([answer] * 3) if self._patient else answer

    def step(self, pcm: Pcm) -> Heard:
        """Hear the next ``STEP`` samples; tell of six frames, of which the first two are told for good."""
        return self.steps(pcm)[0]

    def steps(self, pcm: Pcm) -> list[Heard]:
        """Hear whole steps of sound at once; what is told after each is the same as by ``step``.

        A patient one takes a short cut to its features, and may differ in the last bits.
        """
        answers = self._answers(pcm.reshape(-1, STEP))
        if not self._patient:
            return answers
        told = []
        for answer in answers:
            self._recent.append(answer)
            told.append(_joined(self._recent))
        return told

    def _answers(self, steps: NDArray[np.int16]) -> list[Heard]:
        if len(steps) > 1:
            self._quiet_steps = 0
            if self._patient:
                return _heard(self._network.steps(self._mel.steps(steps.ravel())))
            return _heard(self._network.steps(np.stack([self._mel.step(step) for step in steps])))
        self._quiet_steps = 0 if steps.any() else self._quiet_steps + 1
        if self._quiet_steps <= _HUSH_STEPS:
            return _heard(self._network.steps(self._mel.step(steps[0])[None]))
        # silence that goes on changes nothing: an idle session costs next to nothing
        silent, answer = _after_silence(self._patient)
        self._network.copy_from(silent)
        return [answer]
