"""How loud speech is: silence, opening gain, loudness and emphasis, from the level of every 10 ms of sound."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from math import exp, log10, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.media import Pcm

QUIET: Final = 52.0
"""Root mean square below which sound is silence (-56 dBFS), in 16-bit samples."""
_BELOW_SPEECH = 0.02  # so is what lies 34 dB below the speech before it
_REFERENCE_FALL = exp(-0.01 / 4.0)  # the level of loud syllables is forgotten over four seconds
_LEAST_REFERENCE = 600.0  # -35 dBFS: quieter voices look as quiet as they are
_SHORT, _LONG = 1.0 - exp(-0.01 / 0.12), 1.0 - exp(-0.01 / 0.9)  # of the envelopes that make emphasis
_GAIN_RANGE_DB = 24.0
_FULL_DB = 6.0  # below the loudest syllables: from here up the mouth opens fully
_LEAST_GAIN, _MOST_GAIN = 0.7, 1.1
_EMPHASIS_GAIN, _EMPHASIS = 1.5, (-0.3, 0.5)


def level(hop: Pcm) -> float:
    """Root mean square of a piece of sound, in 16-bit samples."""
    samples = hop.astype(np.float64)
    return sqrt(float(samples @ samples) / len(samples))


def presences(pcm: Pcm) -> NDArray[np.float32]:
    """The presence of the voice at every whole hop of a sound at once, shape (n,); see ``Voice``."""
    hops = pcm[: len(pcm) // POSE_STEP * POSE_STEP].reshape(-1, POSE_STEP).astype(np.float64)
    levels = np.sqrt(np.einsum("ij,ij->i", hops, hops) / POSE_STEP)
    voice, ahead = Voice(Voice.KNOWN), Voice.KNOWN - 1
    told = []
    for n, rms in enumerate((*levels.tolist(), *[0.0] * ahead)):
        voice.note(rms)
        if n >= ahead:
            told.append(voice.step_presence())
    return np.array(told, np.float32)


@dataclass(frozen=True, slots=True)
class Tone:
    """How the voice sounds at one moment: everything that is not which sound it makes.

    ``presence`` 0 (silence) .. 1 (speech), ``gain`` of the opening about 1, and the two prosody fields of
    ``MouthPose``.
    """

    presence: float
    gain: float
    loudness: float
    emphasis: float


class Voice:
    """Follows the level of one voice, hop by hop of 10 ms, and sees ``ahead`` hops further than the pose of now.

    Presence falls once 80 ms of silence are known, so that the hush of a stop between two vowels changes nothing;
    with 60 ms known ahead the mouth is at rest 110 ms into silence. It rises 30 ms before sound.
    """

    _ENOUGH = 8
    _EASE = 10
    _ATTACK = 3
    KNOWN = 6  # hops ahead from which silence is judged, however far it sees: more would hush the end of speech

    def __init__(self, ahead: int) -> None:
        self._last = min(ahead, self.KNOWN) - 1
        self._levels: deque[float] = deque([0.0] * ahead, ahead)  # the hop of now first
        self._silent: deque[bool] = deque([True] * ahead, ahead)
        self._run = self._ENOUGH
        self._presence = 0.0
        self._reference = _LEAST_REFERENCE
        self._short = self._long = 0.0
        self._spoken = 0  # hops since speech began: its first words are compared with themselves

    def hear(self, hop: Pcm) -> None:
        """Take in the newest hop."""
        self.note(level(hop))

    def note(self, rms: float) -> None:
        """Take in the newest hop by its level."""
        self._reference = max(rms, _LEAST_REFERENCE, self._reference * _REFERENCE_FALL)
        silent = rms < max(QUIET, _BELOW_SPEECH * self._reference)
        self._levels.append(rms)
        self._silent.append(silent)
        self._run = self._run + 1 if self._silent[self._last] else 0

    def now(self) -> Tone:
        """The tone at the oldest hop still held; call once after every ``hear``."""
        presence = self.step_presence()
        loudness = min(self._levels[0] / self._reference, 1.0)
        self._short += _SHORT * (loudness - self._short)
        self._spoken = self._spoken + 1 if presence else 0
        self._long += max(_LONG, 1.0 / (self._spoken + 1)) * (self._short - self._long)
        below_db = 20.0 * log10(max(self._short, 1e-4))
        gain = _MOST_GAIN + (_MOST_GAIN - _LEAST_GAIN) * (below_db + _FULL_DB) / _GAIN_RANGE_DB
        emphasis = max(_EMPHASIS[0], min(_EMPHASIS_GAIN * (self._short - self._long), _EMPHASIS[1]))
        loudness = min(2.0 * self._short, 1.0)
        return Tone(presence, max(_LEAST_GAIN, min(gain, _MOST_GAIN)), loudness, emphasis)

    def interrupt(self) -> None:
        """What was heard so far will not be said."""
        self._levels.extend([0.0] * len(self._levels))
        self._silent.extend([True] * len(self._silent))
        self._run, self._presence = self._ENOUGH, 0.0
        self._short = self._long = 0.0

    def step_presence(self) -> float:
        """The presence at the oldest hop still held; ``now`` tells it as well."""
        if self._run >= self._ENOUGH:
            self._presence = max(0.0, self._presence - 1.0 / self._EASE)
        elif not all(islice(self._silent, self._ATTACK + 1)):
            self._presence = min(1.0, self._presence + 1.0 / self._ATTACK)
        if self._presence < 1e-6:  # what the subtractions leave
            self._presence = 0.0
        return self._presence
