"""Phones to visemes: the sounds of a voice that says what it speaks, as espeak-ng does in IPA.

Consonants and vowels of the International Phonetic Alphabet map by what the lips do, not by what the ear hears: a
nasal ``m`` is a closure like ``p``; ``h`` has no shape of its own and takes the next vowel's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from mouthpiece.lipsync.visemes import VOWELS, TimedViseme
from mouthpiece.media import SAMPLE_RATE, Pcm

_CLASSES: Final = {
    "PP": "pbmɓʙβ",
    "FF": "fvɱʋⱱ",
    "TH": "θð",
    "DD": "tdrɾɗʈɖ",
    "kk": "kgɡqɢxɣχʁħcɟʀɰçɸ",
    "CH": "ʃʒʂʐɕʑ",
    "SS": "sz",
    "nn": "nɲŋɳɴlɫɭʎɬɮ",
    "RR": "ɹɻɽɺɚɝ",
    "aa": "aɑɐäæʌ",
    "E": "eɛəɜɘɤ",
    "ih": "iɪɨɯᵻjʝ",
    "oh": "oɔɵøœɞɒ",
    "ou": "uʊʉyʏwʍɥ",
    "h": "hɦ",
}
_AFFRICATES: Final = {"tʃ": "CH", "dʒ": "CH", "tɕ": "CH", "dʑ": "CH", "tʂ": "CH", "dʐ": "CH", "ts": "SS", "dz": "SS"}
_VISEME_OF: Final = {sound: viseme for viseme, sounds in _CLASSES.items() for sound in sounds} | _AFFRICATES

_REDUCED: Final = {"ə": 0.45, "ɐ": 0.6}  # vowels that are hardly made

_DIPHTHONG: Final = 0.6  # share of its first part
_UNKNOWN: Final = TimedViseme(0, 0, "E", 0.4)  # a phone that is in no table: a half-open mouth
_PAUSE: Final = TimedViseme(0, 0, "sil")


@dataclass(frozen=True, slots=True)
class TimedPhone:
    """A phone in IPA (an empty string or ``_`` is a pause) from ``start`` to ``end``, in samples."""

    start: int
    end: int
    ipa: str


def phones_between(starts: Iterable[tuple[int, str]], end: int) -> list[TimedPhone]:
    """Phones that last until the next one begins, the last until ``end``, from (sample, IPA) as engines tell them."""
    marks = [*starts, (end, "")]
    return [TimedPhone(at, until, ipa) for (at, ipa), (until, _) in pairwise(marks) if until > at]


def visemes_of(ipa: str) -> tuple[tuple[str, float], ...]:
    """The visemes of one phone in IPA and how full they are: one, or more for a diphthong; ``h`` for an aspirate.

    Empty when none is known.

    Marks of stress, length and the like are skipped.
    """
    found: list[tuple[str, float]] = []
    at = 0
    while at < len(ipa):
        size = 2 if ipa[at : at + 2] in _VISEME_OF else 1
        viseme = _VISEME_OF.get(ipa[at : at + size])
        if viseme is not None:
            found.append((viseme, _REDUCED.get(ipa[at], 1.0)))
        at += size
    return tuple(found)


def timed_visemes(phones: Iterable[TimedPhone]) -> list[TimedViseme]:
    """Lay the visemes of known phones out in time: diphthongs 60/40, ``h`` as the vowel that follows."""
    spans = [span for phone in phones if phone.end > phone.start for span in _spans(phone)]
    following = "kk"
    for n in range(len(spans) - 1, -1, -1):
        if spans[n].viseme == "h":
            spans[n] = replace(spans[n], viseme=following)
        following = spans[n].viseme if spans[n].viseme in VOWELS | {"RR"} else "kk"
    return spans


def _spans(phone: TimedPhone) -> list[TimedViseme]:
    visemes = visemes_of(phone.ipa)
    if not visemes:
        shape = _UNKNOWN if phone.ipa.strip("_:ˈˌ ") else _PAUSE
        return [replace(shape, start=phone.start, end=phone.end)]
    shares = [_DIPHTHONG, 1.0 - _DIPHTHONG] if len(visemes) == 2 else [1.0 / len(visemes)] * len(visemes)
    bounds = phone.start + np.rint(np.cumsum([0.0, *shares]) * (phone.end - phone.start)).astype(int)
    return [
        TimedViseme(int(a), int(b), viseme, weight)
        for (viseme, weight), (a, b) in zip(visemes, pairwise(bounds), strict=True)
    ]


_VOICELESS_STOPS: Final = frozenset("ptkcqʈ")
_HOP = SAMPLE_RATE // 100
_LONGEST_CLOSURE = 15 * _HOP


def back_date_stops(phones: Sequence[TimedPhone], pcm: Pcm) -> list[TimedPhone]:
    """Move the start of voiceless stops back to where the sound before them ends.

    espeak-ng announces p, t and k at their burst; their closure is the hush before it, up to 150 ms long.
    """
    hops = pcm[: len(pcm) // _HOP * _HOP].reshape(-1, _HOP).astype(np.float64)
    levels = np.sqrt((hops**2).mean(axis=1))
    hush = max(float(levels.max(initial=0.0)) * 1e-3, 3.0)
    out = list(phones)
    for n in range(1, len(out)):
        if out[n].ipa.lstrip("ˈˌ")[:1] not in _VOICELESS_STOPS:
            continue
        earliest = max(out[n].start - _LONGEST_CLOSURE, out[n - 1].start + _HOP * 3 // 2)
        hop = out[n].start // _HOP
        while (hop - 1) * _HOP > earliest and levels[min(hop, len(levels)) - 1] < hush:
            hop -= 1
        start = min(out[n].start, hop * _HOP)
        out[n] = replace(out[n], start=start)
        out[n - 1] = replace(out[n - 1], end=min(out[n - 1].end, start))
    return out


def exact_phones(marks: Iterable[tuple[int, str]], pcm: Pcm) -> list[TimedPhone]:
    """The phones of the whole utterance ``pcm`` from espeak-ng's marks, (sample at 16 kHz, IPA).

    The closures of p, t and k, which it announces at their burst, are found in the sound.
    """
    spoken = [(sample, ipa) for sample, ipa in marks if not ipa.startswith("(")]  # "(en)": another language begins
    return back_date_stops(phones_between(spoken, len(pcm)), pcm)
