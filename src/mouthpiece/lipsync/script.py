"""What is said in a piece of sound, as its speaker tells it: exact visemes, or words without times.

Whoever makes speech hands this along with the sound, and the mouth follows it instead of guessing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from mouthpiece.lipsync.articulation import Word, parse_ipa
from mouthpiece.lipsync.phones import TimedPhone, timed_visemes
from mouthpiece.lipsync.visemes import TimedViseme


@dataclass(frozen=True, slots=True)
class Script:
    """Visemes with exact times, words to be found in the sound, or both; the visemes win where both are known.

    Samples of ``visemes`` count from the first sample of the sound that the script comes with. They may run on beyond
    its end: they hold for the sound that is pushed next.
    """

    visemes: tuple[TimedViseme, ...] = ()
    words: tuple[Word, ...] = ()

    @classmethod
    def of_phones(cls, phones: Iterable[TimedPhone]) -> Self:
        """From phones in IPA with exact times, in order."""
        return cls(visemes=tuple(timed_visemes(phones)))

    @classmethod
    def of_words(cls, words: Iterable[str]) -> Self:
        """From words in IPA, in order, without times. What is not IPA is passed over."""
        return cls(words=tuple(Word(phones) for w in words if (phones := tuple(parse_ipa(w)))))

    def after(self, samples: int) -> Self:
        """What remains of the exact part for sound that begins ``samples`` later; words belong to the first piece."""
        left = (v for v in self.visemes if v.end > samples)
        moved = (TimedViseme(max(v.start - samples, 0), v.end - samples, v.viseme, v.weight) for v in left)
        return type(self)(visemes=tuple(moved))


UNKNOWN: Final = Script()
"""Nothing is known of what is said."""
