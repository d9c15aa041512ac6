"""Everything from nothing to weights for the package, in order; what is in the folder already is kept.

    python -m training.lipsync.run build/lipsync

Trains, trains on with another telling of the same speech, and takes the mean of both. On two CPU cores: some 15 minutes
of synthesis, 16 of features, 50 of training. ``--params training/lipsync/trained.npz`` leaves all that out and gives
what ships, bit by bit: the parameters of the sittings that REPORT.md tells of, with thresholds from the validation set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from training.lipsync import network
from training.lipsync.export import LINE, calibrate, export
from training.lipsync.prepare import Amount, prepare
from training.lipsync.synthesise import speak_train_set, speak_validation_set
from training.lipsync.train import RATE, Data, Plan, train

WEIGHTS = Path(__file__).parents[2] / "src/mouthpiece/lipsync/weights.npz"
SPEECH_SEED = 7
SEEDS = (1, 2)
"""Of the tellings and the order of training, first and second."""
HOLD, DECAY = 7100, 1400
AGAIN = 0.22
"""Share of those iterations that is trained on for, at half the rate, from the first telling's parameters."""


def read(path: Path) -> network.Params:
    """Trained parameters from a file, in float32."""
    return {k: jnp.array(v, jnp.float32) for k, v in np.load(path).items() if k != LINE}


def keep(path: Path, params: network.Params) -> None:
    """Write parameters as they are."""
    np.savez(path, **{k: np.asarray(v) for k, v in params.items()})


def mean(a: network.Params, b: network.Params) -> network.Params:
    """Half way between two sets of parameters of one training: better than either where their noise differs."""
    return {k: (a[k] + b[k]) / 2 for k in a}


def trained(folder: Path, scale: float, hold: int, decay: int) -> network.Params:
    """The mean of the parameters after the first telling and after the second."""
    files = speak_train_set(folder / "speech", SPEECH_SEED, scale)
    plans = Plan(hold, decay, SEEDS[0]), Plan(int(AGAIN * hold), int(AGAIN * decay), SEEDS[1], RATE / 2)
    params = [network.init(SEEDS[0])]
    for plan in plans:
        features, path = folder / f"features_{plan.seed}.npz", folder / f"params_{plan.seed}.npz"
        if not features.exists():
            prepare(files, features, Amount(1, plan.seed))
        if not path.exists():
            so_far = folder / f"so_far_{plan.seed}.npz"
            keep(path, train(Data.load([features]), plan, params[-1], lambda p, to=so_far: keep(to, p)))  # type: ignore[misc]
        params.append(read(path))
    return mean(params[1], params[2])


def main() -> None:
    """Run every step that has not been run in this folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--params", type=Path, help="parameters that are trained already")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the speech, for a trial")
    parser.add_argument("--hold", type=int, default=HOLD)
    parser.add_argument("--decay", type=int, default=DECAY)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    a = parser.parse_args()
    params = read(a.params) if a.params else trained(a.folder, a.scale, a.hold, a.decay)
    judged = speak_validation_set(a.folder / "validation", SPEECH_SEED, a.scale)
    export(calibrate(params, judged, a.folder), a.out)


if __name__ == "__main__":
    main()
