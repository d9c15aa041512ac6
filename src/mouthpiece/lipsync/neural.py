"""The network as it runs live: sound in, what the mouth does out, step by step; see ``weights`` for what it is.

The products are compiled rather than left to BLAS, whose threads cost more than products this small. Each step is
computed alone: pieces of any size give the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.articulation import VISEME_OF, VISEME_SHAPE
from mouthpiece.lipsync.features import STEP, LogMel
from mouthpiece.lipsync.visemes import Heard
from mouthpiece.lipsync.weights import FRAMES, OF_VISEMES, WARM_UP_STEPS, Array, load_weights
from mouthpiece.media import Pcm

LIVE_DELAY: Final = 960
"""Samples from the beginning of the oldest frame of an answer until it is known: live."""
PATIENT_DELAY: Final = 3520
"""The same for the patient heads, which hear 160 ms more of what follows."""
_HUSH_STEPS = 30  # after 600 ms of exact zeros the network's answer is taken as known

_VECTOR, _MATRIX = "float32[::1]", "float32[:,::1]"


@numba.njit(f"void({_VECTOR}, {_MATRIX}, {_VECTOR}, {_VECTOR})", nogil=True, cache=True, fastmath={"contract"})
def _affine(x: Array, weight: Array, bias: Array, y: Array) -> None:
    """y = x @ weight + bias, four inputs at a time (their number is a multiple): y is read and written less often."""
    for j in range(y.shape[0]):
        y[j] = bias[j]
    for i in range(0, x.shape[0], 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(y.shape[0]):
            y[j] += (a * weight[i, j] + b * weight[i + 1, j]) + (c * weight[i + 2, j] + d * weight[i + 3, j])


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
    layers = [
        np.stack([getattr(r, name) for r in w.recurrent])
        for name in ("input_weight", "input_bias", "hidden_weight", "hidden_bias")
    ]
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


@numba.njit(nogil=True, cache=True)
def _softmax(x: Array, out: Array) -> None:
    top, total = x.max(), np.float32(0)
    for i in range(x.size):
        out[i] = np.exp(x[i] - top)
        total += out[i]
    for i in range(x.size):
        out[i] /= total


@numba.njit(nogil=True, cache=True)
def _meant(
    values: Array, viseme_of: NDArray[np.int64], viseme_shape: Array, of_visemes: Array
) -> tuple[Array, Array, Array, Array]:
    """``weights.meaning``, compiled: a step of it costs a tenth of numpy's."""
    n, named, (kinds, articulators) = len(values), viseme_of.size, viseme_shape.shape
    width = kinds + 2 + articulators
    frames = (values.shape[1] - FRAMES * named) // width
    visemes, gates = np.empty((n, frames, kinds), np.float32), np.empty((n, 2, frames), np.float32)
    shape, phones = np.empty((n, frames, articulators), np.float32), np.empty((n, FRAMES, named), np.float32)
    for s in range(n):
        for f in range(frames):
            told = values[s, f * width : (f + 1) * width]
            _softmax(told[:kinds], visemes[s, f])
            if f < FRAMES:
                first = frames * width + f * named
                _softmax(values[s, first : first + named], phones[s, f])
                for p in range(named):
                    visemes[s, f, viseme_of[p]] += phones[s, f, p]
                visemes[s, f] /= np.float32(2)
            for g in range(2):
                gates[s, g, f] = np.float32(1) / (np.float32(1) + np.exp(-told[kinds + g]))
            for k in range(articulators):
                usual = np.float32(0)
                for v in range(kinds):
                    usual += visemes[s, f, v] * viseme_shape[v, k]
                outright = min(max(told[kinds + 2 + k], np.float32(0)), np.float32(1))
                shape[s, f, k] = outright + of_visemes[k] * (usual - outright)
    return visemes, gates, shape, phones


def _heard(values: Array) -> list[Heard]:
    """What each step tells, from a head's values, shape (steps, values)."""
    visemes, gates, shape, phones = _meant(values, VISEME_OF, VISEME_SHAPE, OF_VISEMES)
    return [
        Heard(v, closure, tuck, s, p) for v, (closure, tuck), s, p in zip(visemes, gates, shape, phones, strict=True)
    ]


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
    answers = network.steps(np.repeat(silence[None], WARM_UP_STEPS, axis=0))
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
