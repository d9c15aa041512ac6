"""What is known about sound that waits: scripts on the clock of the samples that were queued."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.script import Script
from mouthpiece.lipsync.visemes import TimedViseme
from mouthpiece.media import SAMPLE_RATE

FORESIGHT: Final = SAMPLE_RATE // 4
"""Samples beyond a piece of sound for which its visemes are told with it: a mouth prepares for what comes."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is known of a piece of sound: visemes from its first sample on and a little further, words that begin."""

    visemes: tuple[TimedViseme, ...] = ()
    words: tuple[Word, ...] = ()


NOTHING: Final = Cue()


class Scripts:
    """The scripts of one session. Positions count the samples that were ever queued."""

    def __init__(self) -> None:
        self._visemes: deque[TimedViseme] = deque()
        self._words: deque[tuple[int, tuple[Word, ...]]] = deque()

    def add(self, position: int, script: Script) -> None:
        """``script`` belongs to the sound from ``position`` on; it replaces what older ones say of it."""
        while self._visemes and self._visemes[-1].start >= position:
            self._visemes.pop()
        self._visemes.extend(
            TimedViseme(v.start + position, v.end + position, v.viseme, v.weight) for v in script.visemes
        )
        if script.words:
            self._words.append((position, script.words))

    def clear(self) -> None:
        """Forget all of them."""
        self._visemes.clear()
        self._words.clear()

    def take(self, position: int, count: int) -> Cue:
        """What is known of these samples, the visemes counted from the first of them. Words are told only once."""
        if not self._visemes and not self._words:
            return NOTHING
        while self._visemes and self._visemes[0].start < position:
            self._visemes.popleft()
        visemes = []
        for v in self._visemes:
            if v.start >= position + count + FORESIGHT:
                break
            visemes.append(TimedViseme(v.start - position, v.end - position, v.viseme, v.weight))
        words: list[Word] = []
        while self._words and self._words[0][0] < position + count:
            words += self._words.popleft()[1]
        return Cue(tuple(visemes), tuple(words))
