"""The mind when there is none: answers from the system prompt's own sentences, and says so. Pure.

Ranking is Okapi BM25 (Robertson and Zaragoza 2009) over sentences, with their usual constants.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

K1: Final = 1.2
B: Final = 0.75
ENOUGH: Final = 1.0
"""Score below which a sentence has nothing to do with the question."""

HONEST: Final = "No language model is connected to me, so I can only answer from my own notes."
FALLBACK: Final = "I have nothing about that in my notes. Please ask me something else."
NOTHING: Final = "I have no notes to answer from. Connect a language model, and I will be better company."

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_SENTENCE: Final = re.compile(r"[^.!?\n]+(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]*")
_STOP: Final = frozenset(
    re.split(
        r"\s+",
        """a about am an and are as at be by can could do does for from have how i in is it me my of on or our please so
    tell that the there they this to us was we were what when where which who why will with would you your""",
    )
)
_ORDER: Final = re.compile(
    r"^\W*(you are|you're|your (goal|task|job|role|output)|act as|respond|reply|answer|keep|do not|don't|never|always|"
    r"be |speak |use |avoid |if the user|when the user)",
    re.IGNORECASE,
)
"""Sentences that tell the model how to behave: no knowledge, and not to be read out."""

_INTENTS: Final[Sequence[tuple[re.Pattern[str], str]]] = tuple(
    (re.compile(rf"\b({words})\b", re.IGNORECASE), answer)
    for words, answer in (
        ("thank you|thanks|thank", "You are welcome."),
        ("bye|goodbye|see you", "Goodbye. It was nice to talk to you."),
        ("how are you|how do you do", "I am fine, thank you. What would you like to know?"),
        ("who are you|what are you|your name", "I am an avatar that runs on this machine."),
        ("help|what can you do", "Ask me about what is in my notes, and I will look it up."),
        ("hello|hi|hey|good morning|good evening", "Hello. What would you like to know?"),
    )
)


@dataclass(frozen=True, slots=True)
class _Note:
    text: str
    words: Counter[str]


class Responder:
    """Answers from one system prompt. ``language`` is the user's; the answers of our own are in English."""

    def __init__(self, prompt: str) -> None:
        self._notes = [_Note(text, Counter(_words(text))) for text in _sentences(prompt)]
        self._mean = sum(sum(note.words.values()) for note in self._notes) / max(1, len(self._notes))
        self._found_in = Counter(word for note in self._notes for word in note.words)

    def answer(self, question: str, *, first: bool) -> str:
        """What to say; ``first``: nothing was answered yet, so say what this is."""
        words = self._reply(question)
        return f"{HONEST} {words}" if first else words

    def _reply(self, question: str) -> str:
        scored = sorted(((self._score(note, _words(question)), note.text) for note in self._notes), reverse=True)
        if scored and scored[0][0] >= ENOUGH:
            best = [text for score, text in scored[:2] if score >= max(ENOUGH, 0.6 * scored[0][0])]
            return " ".join(best)
        for pattern, answer in _INTENTS:
            if pattern.search(question):
                return answer
        return FALLBACK if self._notes else NOTHING

    def _score(self, note: _Note, question: Sequence[str]) -> float:
        length = sum(note.words.values())
        total = 0.0
        for word in set(question):
            times, among = note.words[word], self._found_in[word]
            if times:
                rarity = math.log(1 + (len(self._notes) - among + 0.5) / (among + 0.5))
                total += rarity * times * (K1 + 1) / (times + K1 * (1 - B + B * length / self._mean)) + 0.5
        return total


def _sentences(prompt: str) -> list[str]:
    found = (match.group().strip(" \t-*#") for match in _SENTENCE.finditer(prompt))
    return [text for text in found if _words(text) and not _ORDER.match(text)]


def _words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def _stem(word: str) -> str:
    """Plural and past forms of English to one, roughly: enough for looking things up."""
    for ending in ("ing", "ies", "es", "ed", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
