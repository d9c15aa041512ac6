"""The speech that is scored: voices that no network of ours was trained on, clean and in babble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from training.lipsync.augment import babble
from training.lipsync.speech import Utterance, load
from training.lipsync.synthesise import speak_test_set

SEED = 7
BABBLE_DB = 10.0


def sets(folder: Path, scale: float) -> dict[str, list[Utterance]]:
    """The sets by name; what is not in ``folder`` yet is synthesised (espeak-ng, festival and its voices)."""
    files = speak_test_set(folder, SEED, scale)
    speech = {name: [u for path in paths for u in load(path)] for name, paths in files.items() if paths}
    speech["babble"] = [in_babble(u, i, speech["recorded"]) for i, u in enumerate(speech["recorded"])]
    return speech


def in_babble(u: Utterance, seed: int, crowd: Sequence[Utterance]) -> Utterance:
    """The utterance with four or five other voices 10 dB below it."""
    rng = np.random.default_rng(seed)
    others = [o.pcm for o in crowd if o.voice != u.voice]
    x = u.pcm.astype(np.float64)
    level = np.sqrt((x**2).mean()) * 10 ** (-BABBLE_DB / 20)
    noisy = x + babble(rng, len(x), others, least=4) * level
    return replace(u, pcm=_clipped(noisy))


def _clipped(x: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(x, -32768, 32767).astype(np.int16)
