"""Everything from nothing to the shipped weights, in order; what is there already is kept.

    python -m training.lipsync.run build/lipsync

On two CPU cores: some 15 minutes of synthesis, 8 of features, 40 of training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from training.lipsync import network
from training.lipsync.export import calibrate, calibration, export
from training.lipsync.prepare import Amount, prepare
from training.lipsync.synthesise import speak_train_set
from training.lipsync.train import Data, Plan, train

WEIGHTS = Path(__file__).parents[2] / "src/mouthpiece/lipsync/weights.npz"
SPEECH_SEED, FEATURE_SEED, TRAIN_SEED = 7, 1, 3
HOLD, DECAY = 7100, 2400


def keep(path: Path, params: network.Params) -> None:
    """Write parameters as they are."""
    np.savez(path, **{k: np.asarray(v) for k, v in params.items()})


def main() -> None:
    """Run every step that has not been run in this folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the speech, for a trial")
    parser.add_argument("--hold", type=int, default=HOLD)
    parser.add_argument("--decay", type=int, default=DECAY)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    a = parser.parse_args()
    files = speak_train_set(a.folder / "speech", SPEECH_SEED, a.scale)
    features, params = (a.folder / f"{name}.npz" for name in ("features", "params"))
    if not features.exists():
        prepare(files, features, Amount(1, FEATURE_SEED))
    if not params.exists():
        plan = Plan(a.hold, a.decay, TRAIN_SEED)
        done = train(Data.load([features]), plan, network.init(TRAIN_SEED), lambda p: keep(a.folder / "so_far.npz", p))
        keep(params, done)
    trained = {k: jnp.array(v) for k, v in np.load(params).items()}
    export(calibrate(trained, calibration(files, a.folder)), a.out)


if __name__ == "__main__":
    main()
