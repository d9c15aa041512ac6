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

from mouthpiece.lipsync.steady import CLOSURE, witnesses
from mouthpiece.lipsync.visemes import Heard
from mouthpiece.lipsync.weights import meaning
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


def _answers(params: net.Params, mel: np.ndarray) -> np.ndarray:
    """Values of every step for the live delay, (steps, values), the wait taken back: two frames and their phones."""
    delay = 2

    @jax.jit
    def run(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mouth, named = net.heads(params, net.trunk(params, x))
        return mouth[delay], named[delay]

    steps = mel[: len(mel) // CLIP * CLIP].reshape(-1, CLIP // 2, 2 * net.MEL).swapaxes(0, 1)
    told = [np.asarray(y) for y in run(jnp.array(steps, jnp.float32))]
    late = [np.concatenate([y[delay:], np.repeat(y[-1:], delay, 0)]).swapaxes(0, 1) for y in told]
    return np.concatenate([y.reshape(len(steps) * y.shape[0], -1) for y in late], 1)


def _heard(values: np.ndarray) -> Heard:
    """What the package makes of such values, frame by frame."""
    heard = meaning(values)
    parts = heard.visemes, heard.closure, heard.tuck, heard.shape, heard.phones
    return Heard(*(a.reshape(-1, *a.shape[2:]) for a in parts))


def _best(name: str, tried: np.ndarray, true: np.ndarray, told: Callable[[float], np.ndarray]) -> float:
    """The value of those tried with the highest F1 of events."""
    scores = []
    for value in tried:
        events = Events()
        events.count(true, told(value))
        scores.append(events.f1)
    best = int(np.argmax(scores))
    print(f"{name} {tried[best]:.2f}: F1 {scores[best]:.3f}", flush=True)
    return float(tried[best])


def _shift(values: np.ndarray, true: np.ndarray, column: int) -> float:
    """The best shift of a gate's logit."""
    gate = values[:, : 2 * net.MOUTH].reshape(-1, net.MOUTH)[:, column]
    return _best("gate", SHIFTS, true, lambda shift: gate + shift > 0)


def calibrate(params: net.Params, speech: list[Path], folder: Path) -> net.Params:
    """Move the gates' biases so that one half is the best threshold; add the line of closures.

    The visemes stay as they are: shifts that suit PP and FF best cost accuracy, and the line does as well without.
    Judged on ``speech`` as it is and newly augmented: what is best in noise is too cautious without, so the mean of
    what is best for each is taken.
    """
    heard = []
    for path in _validation(speech, folder):
        z = np.load(path)
        values = _answers(params, z["mel"])
        heard.append((values, z["visemes"][: 2 * len(values)]))
    bias = np.array(params["output_bias"])
    for column, viseme in ((net.N_VISEMES, PP), (net.N_VISEMES + 1, FF)):
        gate = float(np.mean([_shift(values, visemes == viseme, column) for values, visemes in heard]))
        for values, _ in heard:
            values[:, [column, net.MOUTH + column]] += gate
        bias[np.arange(2 * len(net.DELAYS)) * net.MOUTH + column] += gate
    line = float(np.mean([_line(values, visemes) for values, visemes in heard]))
    return {**params, "output_bias": jnp.array(bias), LINE: jnp.array(line)}


def _line(values: np.ndarray, visemes: np.ndarray) -> float:
    """The best line for a closure's two witnesses, weighed as the package weighs them (``steady``)."""
    closure = np.convolve(witnesses(_heard(values)), CLOSURE, "same")
    return _best("line", LINES, visemes == PP, lambda line: closure > line)


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
