"""What the mouth does for each sound of speech: IPA to phones, phones to visemes and articulators.

One small inventory serves every language: a phone is a class of sounds that look alike or that a listener tells apart
easily (41 of them). The visemes are the fifteen of the Oculus/Meta set. The articulator targets are ours, on scales
of 0 to 1, set after the usual phonetic descriptions (IPA Handbook, 1999): what matters is their order and contrast.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.visemes import VISEMES

ARTICULATORS: Final = ("jaw", "lip_gap", "width", "rounding", "tongue_up", "tongue_out")
"""The order of articulator values everywhere; each runs from 0 to 1, width rests at 0.4."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A class of sounds: its name, viseme and articulator targets (order of ``ARTICULATORS``)."""

    name: str
    viseme: str
    shape: tuple[float, float, float, float, float, float]
    members: str = ""
    """IPA symbols that count as this phone, separated by blanks, beside the name itself."""


PHONES: Final = (
    Phone("sil", "sil", (0.00, 0.00, 0.40, 0.00, 0.0, 0.0)),
    Phone("a", "aa", (0.90, 0.85, 0.50, 0.00, 0.0, 0.0), "ɑ ɐ ä ʌ"),
    Phone("æ", "aa", (0.80, 0.80, 0.65, 0.00, 0.0, 0.0)),
    Phone("ɛ", "E", (0.50, 0.50, 0.75, 0.00, 0.1, 0.0), "e ɘ"),
    Phone("ə", "E", (0.38, 0.40, 0.50, 0.05, 0.1, 0.0), "ɜ ɤ"),
    Phone("i", "ih", (0.22, 0.28, 1.00, 0.00, 0.2, 0.0), "ɪ ᵻ"),
    Phone("ɨ", "ih", (0.24, 0.28, 0.80, 0.00, 0.1, 0.0), "ɯ"),
    Phone("o", "oh", (0.55, 0.60, 0.10, 0.65, 0.0, 0.0), "ɔ ɵ ɒ ɞ"),
    Phone("ø", "oh", (0.42, 0.48, 0.15, 0.75, 0.1, 0.0), "œ ɶ"),
    Phone("u", "ou", (0.22, 0.28, 0.00, 1.00, 0.0, 0.0), "ʊ ʉ"),
    Phone("y", "ou", (0.20, 0.25, 0.05, 1.00, 0.2, 0.0), "ʏ"),
    Phone("ɚ", "RR", (0.32, 0.33, 0.20, 0.40, 0.3, 0.0), "ɝ"),
    Phone("p", "PP", (0.08, 0.00, 0.35, 0.05, 0.0, 0.0), "ʙ"),
    Phone("b", "PP", (0.08, 0.00, 0.35, 0.05, 0.0, 0.0), "ɓ β"),
    Phone("m", "PP", (0.10, 0.00, 0.35, 0.05, 0.0, 0.0)),
    Phone("f", "FF", (0.12, 0.10, 0.42, 0.05, 0.0, 0.0), "ɸ"),
    Phone("v", "FF", (0.12, 0.10, 0.42, 0.05, 0.0, 0.0), "ʋ ɱ"),
    Phone("θ", "TH", (0.22, 0.25, 0.42, 0.00, 0.8, 1.0)),
    Phone("ð", "TH", (0.22, 0.25, 0.42, 0.00, 0.8, 1.0)),
    Phone("t", "DD", (0.16, 0.20, 0.50, 0.00, 0.9, 0.0), "ʈ"),
    Phone("d", "DD", (0.16, 0.20, 0.50, 0.00, 0.9, 0.0), "ɖ ɗ"),
    Phone("k", "kk", (0.25, 0.30, 0.42, 0.00, 0.1, 0.0), "q c"),
    Phone("g", "kk", (0.25, 0.30, 0.42, 0.00, 0.1, 0.0), "ɡ ɢ ɟ"),
    Phone("x", "kk", (0.28, 0.32, 0.42, 0.00, 0.1, 0.0), "ɣ χ ʁ ħ ɰ ç ʀ"),
    Phone("n", "nn", (0.22, 0.26, 0.50, 0.00, 0.8, 0.0), "ɲ ɳ"),
    Phone("ŋ", "nn", (0.25, 0.28, 0.50, 0.00, 0.1, 0.0), "ɴ"),
    Phone("l", "nn", (0.26, 0.30, 0.50, 0.00, 0.9, 0.1), "ɫ ɭ ʎ ɬ ɮ"),
    Phone("s", "SS", (0.08, 0.14, 0.70, 0.00, 0.6, 0.0)),
    Phone("z", "SS", (0.08, 0.14, 0.70, 0.00, 0.6, 0.0)),
    Phone("ʃ", "CH", (0.12, 0.22, 0.20, 0.50, 0.5, 0.0), "ʂ ɕ"),
    Phone("ʒ", "CH", (0.12, 0.22, 0.20, 0.50, 0.5, 0.0), "ʐ ʑ"),
    Phone("tʃ", "CH", (0.12, 0.20, 0.20, 0.50, 0.6, 0.0), "tɕ tʂ"),
    Phone("dʒ", "CH", (0.12, 0.20, 0.20, 0.50, 0.6, 0.0), "dʑ dʐ"),
    Phone("ts", "SS", (0.08, 0.14, 0.65, 0.00, 0.7, 0.0)),
    Phone("dz", "SS", (0.08, 0.14, 0.65, 0.00, 0.7, 0.0)),
    Phone("r", "DD", (0.20, 0.24, 0.45, 0.05, 0.8, 0.0), "ɾ"),
    Phone("ɹ", "RR", (0.24, 0.28, 0.20, 0.40, 0.4, 0.0), "ɻ ɽ ɺ"),
    Phone("j", "ih", (0.18, 0.26, 0.90, 0.00, 0.3, 0.0), "ʝ"),
    Phone("w", "ou", (0.16, 0.18, 0.00, 1.00, 0.0, 0.0), "ʍ ɥ"),
    Phone("h", "kk", (0.40, 0.40, 0.45, 0.00, 0.0, 0.0), "ɦ ʕ"),
)
PHONE_ID: Final = {p.name: i for i, p in enumerate(PHONES)}
SIL: Final = PHONE_ID["sil"]
GLOTTAL: Final = PHONE_ID["h"]
"""[h] has no mouth of its own: it takes the shape of the vowel that follows."""

VISEME_OF: Final[NDArray[np.int64]] = np.array([VISEMES.index(p.viseme) for p in PHONES])
SHAPE_OF: Final[NDArray[np.float32]] = np.array([p.shape for p in PHONES], np.float32)
VISEME_SHAPE: Final[NDArray[np.float32]] = np.array(
    [np.mean([p.shape for p in PHONES if p.viseme == v], axis=0) for v in VISEMES], np.float32
)
"""Articulators of each viseme, the mean of its phones, shape (15, 6)."""
BILABIAL: Final[NDArray[np.bool_]] = np.array([p.viseme == "PP" for p in PHONES])
LABIODENTAL: Final[NDArray[np.bool_]] = np.array([p.viseme == "FF" for p in PHONES])
VOWELS: Final[NDArray[np.bool_]] = np.array([p.viseme in {"aa", "E", "ih", "oh", "ou", "RR"} for p in PHONES])

_SYMBOLS: Final = {s: i for i, p in enumerate(PHONES) for s in (p.name, *p.members.split()) if p.name != "sil"}
_FIRST_OF_TWO: Final = 0.6
"""Share of a diphthong's time that its first half takes (60/40 was best on held-out voices)."""


def parse_ipa(text: str) -> list[int]:
    """Phones of an IPA string, in order; marks of stress, length and tone are passed over, and so is the unknown."""
    phones: list[int] = []
    at = 0
    while at < len(text):
        width = 2 if text[at : at + 2] in _SYMBOLS else 1
        phone = _SYMBOLS.get(text[at : at + width])
        if phone is not None:
            phones.append(phone)
        at += width
    return phones


def shares(count: int) -> NDArray[np.float64]:
    """Shares of a segment's time that ``count`` phones in a row take, shape (count,), sum 1."""
    if count == 2:
        return np.array([_FIRST_OF_TWO, 1 - _FIRST_OF_TWO])
    return np.full(count, 1 / count)


def spoken_shapes(phones: NDArray[np.int64]) -> NDArray[np.int64]:
    """The phones as the mouth shows them, shape (n,): an [h] before a vowel becomes that vowel."""
    shown = phones.copy()
    for i in range(len(shown) - 2, -1, -1):
        if shown[i] == GLOTTAL and VOWELS[shown[i + 1]]:
            shown[i] = shown[i + 1]
    return shown


@dataclass(frozen=True, slots=True)
class Word:
    """One expected word: its phones, indices into ``PHONES``."""

    phones: tuple[int, ...]


def words_of(phones: Sequence[tuple[int, str]], starts: Sequence[int]) -> list[Word]:
    """Expected words from phones as a voice names them: (sample, IPA) in order, and the samples where words start."""
    words: list[list[int]] = [[] for _ in range(len(starts) + 1)]
    for sample, ipa in phones:
        words[bisect_right(starts, sample)] += parse_ipa(ipa)
    return [Word(tuple(w)) for w in words if w]
