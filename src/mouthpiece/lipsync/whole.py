"""A whole file heard at once, with full context: what ``mouthpiece lipsync`` runs. In numpy alone, to start quickly.

The sound is cut into strands that run side by side, so that a step of the network is a few products of matrices for
all of them. Each strand but the first begins by hearing ten seconds of the one before it. The network gets used to a
voice over longer than that, so a strand may name another viseme than one run through would, in one frame of a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.features import BANDS, HOP, STEP, LogMel
from mouthpiece.lipsync.prosody import presences
from mouthpiece.lipsync.steady import steady_all
from mouthpiece.lipsync.visemes import Heard, Track
from mouthpiece.lipsync.weights import FRAMES, PATIENT_STEPS, WARM_UP_STEPS, Array, load_weights, meaning
from mouthpiece.media import Pcm

_RUN_IN: Final = 500
"""Steps that a strand hears before its own (10 s); the first one's are not heard."""
_LEAST: Final = 1500
"""Steps of a strand at least (30 s)."""
_STRANDS: Final = 32
_WINDOW: Final = 3
"""Steps that are weighed together where text is known: one and the two that follow."""
_BLOCK: Final = 250
"""Steps between two reports of progress; the run-in is a whole number of them."""


def hear_all(pcm: Pcm, words: Sequence[Word] = (), progress: Callable[[float], None] = lambda _: None) -> Track:
    """What the mouth does through this sound, a frame every 10 ms; ``words``: what is said, where it is known.

    ``progress`` is told the share that is done, 0 to 1, now and then.
    """
    steps = max(1, -(-len(pcm) // STEP))
    sound = np.zeros((steps + PATIENT_STEPS + _WINDOW - 1) * STEP, np.int16)
    sound[: len(pcm)] = pcm
    values = _answers(LogMel().steps(sound).reshape(-1, FRAMES * BANDS), progress)
    heard = steady_all(_flat(meaning(values)))
    if words:
        heard = _informed(heard, words)
    first = PATIENT_STEPS * FRAMES  # the first answers are of the silence before
    part = slice(first, first + max(1, len(pcm) // HOP))
    present = presences(sound)[: part.stop - first]
    return Track(heard.visemes[part], heard.closure[part], heard.tuck[part], heard.shape[part], present)


def _flat(heard: Heard) -> Heard:
    """(steps, frames, ...) to (frames, ...)."""
    parts = heard.visemes, heard.closure, heard.tuck, heard.shape, heard.phones
    return Heard(*(a.reshape(-1, *a.shape[2:]) for a in parts))


def _informed(heard: Heard, words: Sequence[Word]) -> Heard:
    from mouthpiece.lipsync.informed import Informed  # compiles, which takes a while

    informed = Informed()
    informed.expect(words)
    told = [informed.step(window) for window in _windows(heard)]
    parts = ("visemes", "closure", "tuck", "shape")
    return replace(heard, **{name: np.concatenate([getattr(t, name)[:FRAMES] for t in told]) for name in parts})


def _windows(heard: Heard) -> Iterator[Heard]:
    """Each step with those that follow it."""
    for at in range(0, len(heard.visemes), FRAMES):
        part = slice(at, at + _WINDOW * FRAMES)
        yield Heard(
            heard.visemes[part],
            heard.closure[part],
            heard.tuck[part],
            heard.shape[part],
            heard.phones[at : at + FRAMES],
        )


def _after_silence() -> _Network:
    """A network of one strand that has heard silence for long."""
    network = _Network(1)
    silence = LogMel().step(np.zeros(STEP, np.int16)).reshape(1, 1, -1)
    network.steps(np.repeat(silence, WARM_UP_STEPS, axis=0))
    return network


def _answers(mel: Array, progress: Callable[[float], None]) -> Array:
    """The patient head's values of all steps (n, 80), in order."""
    n = len(mel)
    strands = min(max(n // _LEAST, 1), _STRANDS)
    own = -(-n // strands)
    padded = np.concatenate(
        (np.zeros((_RUN_IN, mel.shape[1]), np.float32), mel, np.zeros_like(mel[: strands * own - n]))
    )
    network = _Network(strands)
    told = []
    for at in range(0, _RUN_IN + own, _BLOCK):
        if at == _RUN_IN:
            network.begin(_after_silence())
        steps = np.arange(at, min(at + _BLOCK, _RUN_IN + own))
        answers = network.steps(padded[steps[:, None] + own * np.arange(strands)])
        if at >= _RUN_IN:
            told.append(answers)
        progress((steps[-1] + 1) / (_RUN_IN + own))
    return np.concatenate(told).swapaxes(0, 1).reshape(strands * own, -1)[:n]


class _Network:
    """The network's memory of several strands of sound."""

    def __init__(self, strands: int) -> None:
        w = load_weights()
        self._recent = np.zeros((2, strands, w.input_bias.size), np.float32)
        self._hidden = [np.zeros((strands, w.conv_bias.size), np.float32) for _ in w.recurrent]

    def begin(self, silent: _Network) -> None:
        """Let the first strand begin after silence."""
        self._recent[:, 0] = silent._recent[:, 0]
        for mine, other in zip(self._hidden, silent._hidden, strict=True):
            mine[0] = other[0]

    def steps(self, mel: Array) -> Array:
        """Hear steps (n, strands, 80); return the head's values."""
        w = load_weights()
        embedded = np.concatenate((self._recent, np.maximum(mel @ w.input_weight + w.input_bias, np.float32(0))))
        self._recent = embedded[-2:]
        near = np.concatenate((embedded[:-2], embedded[1:-1], embedded[2:]), axis=2)
        x = np.maximum(near @ w.conv_weight + w.conv_bias, np.float32(0))
        for k in range(len(w.recurrent)):
            x = self._recur(k, x)
        return np.asarray(x @ w.patient.weight + w.patient.bias, np.float32)

    def _recur(self, layer: int, x: Array) -> Array:
        w, hidden = load_weights().recurrent[layer], self._hidden[layer]
        n = hidden.shape[1]
        given = x @ w.input_weight + w.input_bias
        out = np.empty((*x.shape[:2], n), np.float32)
        for step, told in enumerate(given):
            held = hidden @ w.hidden_weight + w.hidden_bias
            gates = np.float32(1) / (np.float32(1) + np.exp(-(told[:, : 2 * n] + held[:, : 2 * n])))
            new = np.tanh(told[:, 2 * n :] + gates[:, :n] * held[:, 2 * n :])
            hidden = new + gates[:, n:] * (hidden - new)
            out[step] = hidden
        self._hidden[layer] = hidden
        return out
