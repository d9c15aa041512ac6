"""Pure: what of a text has been heard when so much of its sound has been played.

The embedded voice knows how long each word takes. For another voice that is a model of the words' shares of the time:
the whole is stretched to the length that its sound turned out to have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.script import Script

_END = re.compile(r"[.!?…]+[\"')\]»”]*(?=\s)|[。！？]+[」』”]?|\n+")
_SHORTEST = 12
"""Characters of a sentence that is worth speaking by itself: "Dr. Smith" is not two."""


class Splitter:
    """Text in any pieces to sentences, as soon as each is whole."""

    def __init__(self) -> None:
        self._text = ""

    def push(self, piece: str) -> list[str]:
        """Take more text; the sentences that are whole now, with the spaces after them."""
        self._text += piece
        sentences, start = [], 0
        for end in (found.end() for found in _END.finditer(self._text)):
            if len(self._text[start:end].strip()) >= _SHORTEST or "\n" in self._text[start:end]:
                sentences.append(self._text[start:end])
                start = end
        self._text = self._text[start:]
        return sentences

    def rest(self) -> list[str]:
        """What is left at the end of the text."""
        rest, self._text = self._text, ""
        return [rest] if rest.strip() else []


@dataclass(frozen=True, slots=True)
class Sentence:
    """One spoken sentence: where its words start, as (second, character), and how long it is in seconds.

    ``lips``: the sounds of its words.
    """

    text: str
    starts: tuple[tuple[float, int], ...]
    length_s: float
    lips: tuple[Word, ...] = ()


@dataclass(slots=True)
class Spoken:
    """The text of one utterance, sentence by sentence."""

    sentences: list[Sentence] = field(default_factory=list)
    sound_s: float = 0.0
    whole: bool = False
    """All of its sound has been made."""
    _told: int = 0

    def add(self, sentence: Sentence) -> None:
        """One more sentence will be said."""
        self.sentences.append(sentence)

    def untold(self) -> Script | None:
        """Words for the lips since the last call."""
        news = self.sentences[self._told :]
        self._told = len(self.sentences)
        return Script(words=tuple(word for sentence in news for word in sentence.lips)) if news else None

    def forget(self) -> None:
        """None of it will be said."""
        self.sentences.clear()
        self._told = 0

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(sentence.text for sentence in self.sentences).strip()

    def heard(self, position_s: float) -> str:
        """The words that had begun after so many seconds of its sound."""
        expected = sum(sentence.length_s for sentence in self.sentences)
        if self.whole and position_s >= self.sound_s:
            return self.text
        stretch = self.sound_s / expected if self.whole and expected else 1.0
        at, said = position_s / (stretch or 1.0), ""
        for sentence in self.sentences:
            if at >= sentence.length_s:
                said += sentence.text
            else:
                said += sentence.text[: _reached(sentence, at)]
                break
            at -= sentence.length_s
        return said.strip()


def _reached(sentence: Sentence, at: float) -> int:
    """Characters of the sentence up to the end of the last word that began before ``at``."""
    for start, place in sentence.starts:
        if start >= at:
            return place
    return len(sentence.text) if sentence.starts else 0
