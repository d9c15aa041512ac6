"""Step 6: set the thresholds of closures and tucks, and write the weights as the package reads them (float16).

Thresholds are chosen on the validation set: texts that are not trained on, said by voices that are. None of what is
scored is looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.lipsync.score import FF, PP, Events

from mouthpiece.lipsync.steady import CLOSURE
from training.lipsync import network as net
from training.lipsync.prepare import Amount, prepare

SHIFTS = np.arange(-3.0, 3.01, 0.25)
"""Biases that are tried, in logits."""
LINES = np.arange(0.20, 0.61, 0.02)
"""Lines of closures that are tried."""
SEED = 99
LINE = "closure_line"
"""Name of the one array that is not trained."""
CLIP = 3000
"""Frames a piece: the network's state is not carried from one to the next."""


def _outputs(params: net.Params, mel: np.ndarray) -> np.ndarray:
    """Mouth outputs of every frame for the live delay, (frames, MOUTH), the wait taken back."""
    delay = 2

    @jax.jit
    def run(x: jax.Array) -> jax.Array:
        return net.heads(params, net.trunk(params, x[:, None]))[0][delay][:, 0]

    told = []
    for at in range(0, len(mel) - CLIP, CLIP):
        y = np.asarray(run(jnp.array(mel[at : at + CLIP].reshape(CLIP // 2, -1), jnp.float32)))
        y = np.concatenate([y[delay:], np.repeat(y[-1:], delay, 0)])
        told.append(y.reshape(CLIP, -1))
    return np.concatenate(told)


def _best(true: np.ndarray, told: Callable[[float], np.ndarray]) -> float:
    """The shift with the highest F1 of events."""

    def f1(shift: float) -> float:
        events = Events()
        events.count(true, told(shift))
        return events.f1

    scores = [f1(s) for s in SHIFTS]
    best = int(np.argmax(scores))
    print(f"shift {SHIFTS[best]:+.2f}: F1 {scores[best]:.3f} (unshifted {f1(0.0):.3f})", flush=True)
    return float(SHIFTS[best])


def _shifts(y: np.ndarray, visemes: np.ndarray, column: int, viseme: int) -> tuple[float, float]:
    """Best shifts of a gate's logit, and of the logit of its viseme."""

    def wins(s: float) -> np.ndarray:
        logits = y[:, : net.N_VISEMES].copy()
        logits[:, viseme] += s
        return logits.argmax(1) == viseme

    return _best(visemes == viseme, lambda s: y[:, column] + s > 0), _best(visemes == viseme, wins)


def calibrate(params: net.Params, speech: list[Path], folder: Path) -> net.Params:
    """Move the biases so that one half is the best threshold, and so that PP and FF win when they should; add the line.

    Judged on ``speech`` as it is and newly augmented: what is best in noise is too cautious without, so the mean of
    what is best for each is taken.
    """
    heard = []
    for path in _validation(speech, folder):
        z = np.load(path)
        y = _outputs(params, z["mel"])
        heard.append((y, z["visemes"][: len(y)]))
    bias = np.array(params["output_bias"])
    for column, viseme in ((net.N_VISEMES, PP), (net.N_VISEMES + 1, FF)):
        gate, prior = np.mean([_shifts(y, visemes, column, viseme) for y, visemes in heard], axis=0)
        for y, _ in heard:
            y[:, column] += gate
            y[:, viseme] += prior
        for frame in range(2 * len(net.DELAYS)):
            bias[frame * net.MOUTH + column] += gate
            bias[frame * net.MOUTH + viseme] += prior
    line = float(np.mean([_line(y, visemes) for y, visemes in heard]))
    return {**params, "output_bias": jnp.array(bias), LINE: jnp.array(line)}


def _line(y: np.ndarray, visemes: np.ndarray) -> float:
    """The best line for a closure's two witnesses, weighed as the package weighs them (``steady``)."""
    gate = 1 / (1 + np.exp(-y[:, net.N_VISEMES]))
    share = np.exp(y[:, : net.N_VISEMES] - y[:, : net.N_VISEMES].max(1, keepdims=True))
    closure = np.convolve((gate + share[:, PP] / share.sum(1)) / 2, CLOSURE, "same")
    scores = []
    for line in LINES:
        events = Events()
        events.count(visemes == PP, closure > line)
        scores.append(events.f1)
    best = int(np.argmax(scores))
    print(f"line {LINES[best]:.2f}: F1 {scores[best]:.3f}", flush=True)
    return float(LINES[best])


def _validation(speech: list[Path], folder: Path) -> list[Path]:
    """Features of the speech to judge by, augmented anew and as it is; what is in the folder already is kept."""
    amounts = {"validation": Amount(1, SEED), "validation_plain": Amount(1, SEED, plain=True)}
    paths = {folder / f"{name}.npz": amount for name, amount in amounts.items()}
    for path, amount in paths.items():
        if not path.exists():
            prepare(speech, path, amount)
    return list(paths)


def export(params: net.Params, out: Path) -> None:
    """Write the arrays in float16."""
    np.savez_compressed(out, **{k: np.asarray(v, np.float16) for k, v in params.items()})
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, {sum(v.size for v in params.values())} parameters")


def main() -> None:
    """Calibrate on held-out speech, then export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("params", type=Path)
    parser.add_argument("speech", type=Path, help="folder of speech to judge by")
    parser.add_argument("out", type=Path)
    a = parser.parse_args()
    params = {k: jnp.array(v) for k, v in np.load(a.params).items()}
    export(calibrate(params, sorted(a.speech.glob("*.npz")), a.params.parent), a.out)


if __name__ == "__main__":
    main()
