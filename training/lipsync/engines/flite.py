"""Flite's voices (``flite -psdur`` prints each phone and its end)."""

from __future__ import annotations

import random
import subprocess
import tempfile
from pathlib import Path

from scipy.io import wavfile

from training.lipsync.engines.arpabet import ARPABET
from training.lipsync.speech import Segment, Utterance, to_16k, utterance


def speak(voice: str, text: str, rng: random.Random) -> Utterance | None:
    """Say ``text`` at a random pace and pitch; None if flite could not."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "a.wav"
        pace = ("--setf", f"duration_stretch={rng.uniform(0.8, 1.3):.2f}")
        said = subprocess.run(
            ["flite", "-voice", voice, *pace, "-psdur", "-t", " " + text, "-o", str(wav)],
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode or not wav.exists():
            return None
        rate, pcm = wavfile.read(wav)
    segments, at = [], 0.0
    for word in said.stdout.split():
        phone, end = word.rsplit(":", 1)
        segments.append(Segment(at, float(end), ARPABET[phone.lower()]))
        at = float(end)
    return utterance(f"flite:{voice}", "en", text, to_16k(pcm, rate), segments)
