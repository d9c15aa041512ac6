"""What a person says to the benches: whole turns, where their speech begins and ends, and where it pauses."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.codec.resample import Resampler
from mouthpiece.errors import BadInput
from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.providers.espeak import EspeakVoice, Manner

FRAME: Final = SAMPLE_RATE // 100
"""Samples of one look at the loudness: 10 ms."""

PAUSE_S: Final = 0.2
"""Shortest silence within a turn that counts as a pause: what a turn detector first looks at."""

VOICED: Final = 5
"""Loud frames in a row that are speech, and no click or breath."""

LONGEST_S: Final = 30.0

QUESTIONS: Final = (
    "When does the museum open?",
    "Could you tell me, how much is a ticket for a child?",
    "I have never been here before. What should I look at first?",
    "Is there a place to eat, and is it open on Sundays?",
    "My father is in a wheelchair. Can he get to the upper floor?",
    "How long does it take to see all the rooms?",
)
"""What is asked when there is no recorded speech."""

NOTES: Final = (
    "The museum opens at nine in the morning and closes at six in the evening on every day but Monday. "
    "A ticket is twelve dollars for grown people, and a child pays five dollars at the desk by the entrance. "
    "Look at the great hall first, because the light is best before noon and the crowd is not there yet. "
    "The place to eat is on the ground floor, and it is open on Sundays until four in the afternoon. "
    "A lift by the entrance takes every wheelchair to the upper floor and to the garden behind the house. "
    "It takes about three hours to see all the rooms, and most people rest a while in the garden."
)
"""What the avatar knows of it."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn. ``start`` and ``end``: samples where its speech begins and ends; ``pause_s``: what was put into it."""

    pcm: Pcm
    start: int
    end: int
    pause_s: float = 0.0

    @property
    def pauses(self) -> list[float]:
        """Seconds of each pause within it."""
        quiet = ~loud(self.pcm[self.start : self.end])
        return [n / 100 for first, n in _runs(quiet) if first and n >= PAUSE_S * 100]

    def with_pause(self, seconds: float) -> Utterance:
        """The same with its most natural gap near the middle made so long, in the quiet of its own recording."""
        quiet = ~loud(self.pcm)
        third = (self.end - self.start) // 3
        near = [run for run in _runs(quiet) if self.start + third <= run[0] * FRAME < self.end - third]
        first, n = max(near, key=lambda run: run[1], default=(_quietest(self), 0))
        more = max(0, round(seconds * SAMPLE_RATE) - n * FRAME)
        at = (first + n // 2) * FRAME
        hush = np.random.default_rng(1).normal(0, _floor(self.pcm), more).astype(np.int16)
        pcm = np.concatenate([self.pcm[:at], hush, self.pcm[at:]])
        return Utterance(pcm, self.start, self.end + more, seconds)


def utterance(pcm: Pcm) -> Utterance:
    """A recording of one turn. Raises BadInput when nothing is said in it."""
    heard = [(first, n) for first, n in _runs(loud(pcm)) if n >= VOICED]
    if not heard:
        raise BadInput(reason="nothing is said in it")
    return Utterance(pcm, heard[0][0] * FRAME, min(len(pcm), sum(heard[-1]) * FRAME))


def loud(pcm: Pcm) -> NDArray[np.bool_]:
    """For each 10 ms whether somebody speaks: 26 dB below the loud parts, and above the noise of the recording."""
    level = _levels(pcm)
    top = float(np.percentile(level, 95)) if len(level) else 0.0
    return level > max(30.0, 0.05 * top)


def _levels(pcm: Pcm) -> NDArray[np.float64]:
    frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    return np.asarray(np.sqrt((frames**2).mean(axis=1)))


def _floor(pcm: Pcm) -> float:
    return float(max(1.0, min(20.0, np.percentile(_levels(pcm), 2))))


def _quietest(of: Utterance) -> int:
    third = (of.end - of.start) // 3
    first = (of.start + third) // FRAME
    return first + int(np.argmin(_levels(of.pcm[first * FRAME : of.end - third])))


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First index and length of each run of True."""
    at = 0
    for value, group in groupby(mask):
        n = sum(1 for _ in group)
        if value:
            yield at, n
        at += n


# --- where it comes from -------------------------------------------------------------------------------------------
def recorded(path: Path) -> list[Utterance]:
    """WAV files, or a folder of them; each is one whole turn of one speaker. Raises BadInput."""
    files = sorted(path.glob("*.wav")) if path.is_dir() else [path]
    if not files:
        raise BadInput(reason=f"there is no WAV file in {path}")
    return [_read(file) for file in files]


def _read(path: Path) -> Utterance:
    try:
        with wave.open(str(path)) as file:
            rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
            data = file.readframes(round(LONGEST_S * rate))
    except (OSError, wave.Error, EOFError) as error:
        raise BadInput(reason=f"{path} is not a WAV file that can be read ({error})") from error
    if width != 2:
        raise BadInput(reason=f"{path} is not 16-bit PCM")
    pcm = np.frombuffer(data, "<i2").reshape(-1, channels)[:, 0].astype(np.int16)
    if rate != SAMPLE_RATE:
        resampler = Resampler(rate)
        pcm = np.concatenate([resampler.push(pcm), resampler.flush()])
    try:
        return utterance(pcm)
    except BadInput as error:
        raise BadInput(reason=f"{path}: nothing is said in it") from error


def embedded(questions: Sequence[str] = QUESTIONS) -> list[Utterance]:
    """The questions, in another voice than the avatar's."""

    async def read() -> list[Pcm]:
        voice = EspeakVoice()
        try:
            return [(await voice.speak(text, Manner("en-us+m3", rate=150))).pcm for text in questions]
        finally:
            await voice.close()

    return [utterance(pcm) for pcm in asyncio.run(read())]
