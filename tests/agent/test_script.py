"""What of a text was heard."""

from __future__ import annotations

import pytest

from mouthpiece.agent.script import Sentence, Splitter, Spoken
from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.script import Script

ONE = Sentence("Hello big world. ", ((0.0, 0), (0.5, 6), (1.0, 10)), 2.0)
TWO = Sentence("Bye now.", ((0.0, 0), (0.4, 4)), 1.0)


def script(sound_s: float = 0.0, *, whole: bool = False) -> Spoken:
    return Spoken([ONE, TWO], sound_s, whole)


@pytest.mark.parametrize(
    ("position_s", "said"),
    [
        (0.0, ""),
        (0.1, "Hello"),
        (0.6, "Hello big"),
        (1.9, "Hello big world."),
        (2.0, "Hello big world."),
        (2.1, "Hello big world. Bye"),
        (2.5, "Hello big world. Bye now."),
        (9.0, "Hello big world. Bye now."),
    ],
)
def test_words_that_had_begun_were_heard(position_s: float, said: str) -> None:
    assert script().heard(position_s) == said


def test_a_slower_voice_stretches_the_words_once_its_length_is_known() -> None:
    assert script(6.0, whole=True).heard(1.1) == "Hello big"
    assert script(6.0, whole=True).heard(6.0) == "Hello big world. Bye now."
    assert script(0.0, whole=True).heard(0.0) == "Hello big world. Bye now."


def test_words_are_told_to_the_lips_once() -> None:
    told = Spoken([Sentence("a", (), 0.1, lips=(Word((3,)),))])
    assert told.untold() == Script(words=(Word((3,)),))
    assert told.untold() is None


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_sentences_come_as_soon_as_they_are_whole(size: int) -> None:
    text = "This is one. And this is two! Is this three? 你好吗。它是中文的句子吗。 Version 1.5 is out.\nlast"
    splitter = Splitter()
    pieces = [s for i in range(0, len(text), size) for s in splitter.push(text[i : i + size])]
    pieces += splitter.rest()
    assert "".join(pieces) == text
    assert [p.strip() for p in pieces[:3]] == ["This is one.", "And this is two!", "Is this three?"]
    assert pieces[-1].strip() == "last"
    assert any("Version 1.5 is out." in piece for piece in pieces)
    assert splitter.rest() == []


def test_an_abbreviation_is_no_sentence_of_its_own() -> None:
    splitter = Splitter()
    assert splitter.push("Dr. Smith is here. Yes") == ["Dr. Smith is here."]
