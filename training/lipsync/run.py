"""Everything from speech to the shipped weights, in order; what is there already is kept.

    python -m training.lipsync.run build/lipsync

Trains on from ``start.npz``, the weights of the sittings before (see REPORT.md), then takes the mean of both: that is
what ships. ``--scratch`` begins with nothing instead, and then wants ``--hold 7100 --decay 2400`` at the least. On two
CPU cores: some 15 minutes of synthesis, 8 of features, 40 of training.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from training.lipsync import network
from training.lipsync.export import LINE, calibrate, export
from training.lipsync.prepare import Amount, prepare
from training.lipsync.synthesise import speak_train_set, speak_validation_set
from training.lipsync.train import RATE, Data, Plan, train

WEIGHTS = Path(__file__).parents[2] / "src/mouthpiece/lipsync/weights.npz"
START = Path(__file__).with_name("start.npz")
SPEECH_SEED, FEATURE_SEED, TRAIN_SEED = 23, 23, 23
HOLD, DECAY = 500, 1500
GENTLE = 1.2e-3
"""Highest learning rate of weights that have learnt already."""
TOLD = 0.6
"""Share of the utterances that are told."""
SHARE = 1.0
"""Weight of the newly trained weights in the mean with those that they began from."""


@dataclass(frozen=True)
class Recipe:
    """How to train: where to begin (none: at random), how long, and how much of the beginning is kept."""

    start: Path | None
    hold: int
    decay: int

    def train(self, features: Path, folder: Path) -> network.Params:
        """The finished parameters."""
        rate = RATE if self.start is None else GENTLE
        start = network.init(TRAIN_SEED) if self.start is None else read(self.start)
        plan = Plan(self.hold, self.decay, TRAIN_SEED, rate)
        done = train(Data.load([features]), plan, start, lambda p: keep(folder / "so_far.npz", p))
        return done if self.start is None else mean(start, done, SHARE)


def read(path: Path) -> network.Params:
    """Parameters from a file, in float32."""
    return {k: jnp.array(v, jnp.float32) for k, v in np.load(path).items() if k != LINE}


def keep(path: Path, params: network.Params) -> None:
    """Write parameters as they are."""
    np.savez(path, **{k: np.asarray(v) for k, v in params.items()})


def mean(a: network.Params, b: network.Params, share: float) -> network.Params:
    """Between two sets of parameters of one training: ``share`` of the second."""
    return {k: (1 - share) * a[k] + share * b[k] for k in a}


def main() -> None:
    """Run every step that has not been run in this folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the speech, for a trial")
    parser.add_argument("--scratch", action="store_true", help="begin with random weights")
    parser.add_argument("--hold", type=int, default=HOLD)
    parser.add_argument("--decay", type=int, default=DECAY)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    a = parser.parse_args()
    files = speak_train_set(a.folder / "speech", SPEECH_SEED, a.scale)
    features, params = (a.folder / f"{name}.npz" for name in ("features", "params"))
    if not features.exists():
        prepare(files, features, Amount(1, FEATURE_SEED, TOLD))
    if not params.exists():
        keep(params, Recipe(None if a.scratch else START, a.hold, a.decay).train(features, a.folder))
    judged = speak_validation_set(a.folder / "validation", SPEECH_SEED, a.scale)
    export(calibrate(read(params), judged, a.folder), a.out)


if __name__ == "__main__":
    main()
