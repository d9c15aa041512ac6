"""Other lip sync for Node.js and browsers, scored by the same script: ``npm install`` in this folder first."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from training.lipsync.speech import Utterance

from benchmarks.lipsync.score import OPEN, Guess

HERE = Path(__file__).parent
NAMES = ("wawa", "headaudio", "rhubarb")


def installed() -> list[str]:
    """The peers that can run here."""
    return list(NAMES) if (HERE / "node_modules").exists() else []


@dataclass(frozen=True)
class Peer:
    """One of them, by its name in ``run.mjs``."""

    name: str

    def __call__(self, u: Utterance) -> Guess:
        """Score material of one utterance: all the weight on the viseme it names."""
        return Guess(np.eye(len(OPEN))[self.visemes(u.pcm)])

    def visemes(self, pcm: NDArray[np.int16]) -> NDArray[np.int64]:
        """The viseme of every 10 ms."""
        with tempfile.NamedTemporaryFile(suffix=".raw") as file:
            pcm.tofile(file.name)
            command = ["node", "run.mjs", self.name, file.name]
            said = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
        return np.array(json.loads(said.stdout.strip().splitlines()[-1]))

    def opening(self, pcm: NDArray[np.int16]) -> NDArray[np.float64]:
        """How open its visemes look, every 10 ms."""
        return np.asarray(OPEN[self.visemes(pcm)])
