"""Known words over sound: right ones sharpen what is heard, wrong ones change little and never with a jump."""

from __future__ import annotations

import pickle
from itertools import groupby

import numpy as np
import pytest
from numpy.typing import NDArray

from mouthpiece.lipsync.align import Aligner
from mouthpiece.lipsync.articulation import PHONE_ID, PHONES, Word, words_of
from mouthpiece.lipsync.features import STEP
from mouthpiece.lipsync.informed import Informed
from mouthpiece.lipsync.listen import AudioLipSync
from mouthpiece.lipsync.neural import Recognizer
from mouthpiece.lipsync.phones import timed_visemes
from mouthpiece.lipsync.visemes import Heard

from .espeak import Speech, say
from .scoring import viseme_track

SENTENCE = "Maybe Papa brought five big apples to my mother."
OTHER = "Yesterday the children kicked dusty stones across dark lake sides."


def posteriors(names: str, sure: float = 0.8) -> NDArray[np.float32]:
    """Frames in which one phone after another is heard."""
    heard = np.full((len(names.split()), len(PHONES)), (1 - sure) / (len(PHONES) - 1), np.float32)
    for frame, name in zip(heard, names.split(), strict=True):
        frame[PHONE_ID[name]] = sure
    return heard


def shown(aligner: Aligner, heard: NDArray[np.float32]) -> list[str]:
    told = [aligner.step(heard[at : at + 6], 2)[:2] for at in range(0, len(heard) - 5, 2)]
    return [PHONES[p].name for p in np.concatenate(told).argmax(axis=1)]


def word(names: str) -> Word:
    return Word(tuple(PHONE_ID[n] for n in names.split()))


def expected_words(speech: Speech) -> list[Word]:
    pauses = [p.start for p in speech.phones if not p.ipa]
    return words_of([(p.start, p.ipa) for p in speech.phones], pauses)


def heard_in(speech: Speech) -> list[Heard]:
    recognizer = Recognizer()
    pcm = np.concatenate([speech.pcm, np.zeros(recognizer.delay + STEP, np.int16)])
    return [recognizer.step(pcm[at : at + STEP]) for at in range(0, len(pcm) - STEP + 1, STEP)]


@pytest.fixture(scope="module")
def speech() -> Speech:
    return say(SENTENCE)


def test_a_misheard_phone_is_shown_as_the_text_has_it() -> None:
    aligner = Aligner()
    aligner.expect([word("m a m a")])
    heard = posteriors("sil sil sil sil m m m a a a a n n n n a a a a a sil sil sil sil sil sil")
    heard[11:15, PHONE_ID["m"]] = 0.15
    assert [name for name, _ in groupby(shown(aligner, heard))] == ["sil", "m", "a", "m", "a", "sil"]


def test_pauses_between_words_are_seen_and_none_are_invented() -> None:
    aligner = Aligner()
    aligner.expect([word("d a"), word("d a")])
    silence = " sil" * 8
    heard = posteriors("sil sil sil sil d d d a a a a a" + silence + " d d d a a a a a" + " sil" * 6)
    told = shown(aligner, heard)
    assert "sil" in told[14:18]
    assert "sil" not in told[4:11]


def test_text_that_is_said_is_trusted_and_other_text_is_not(speech: Speech) -> None:
    weights = {}
    for text in (SENTENCE, OTHER):
        informed = Informed()
        informed.expect(expected_words(say(text)))
        told = [(informed.step(h), informed.weight)[1] for h in heard_in(speech)]
        weights[text] = np.mean(told[len(told) // 3 :])
    assert weights[SENTENCE] > 0.9
    assert weights[OTHER] < 0.5


def test_known_text_makes_it_better(speech: Speech) -> None:
    heard = heard_in(speech)
    truth = viseme_track(timed_visemes(speech.phones), len(speech.pcm) // 160)
    right = []
    for words in ([], expected_words(speech)):
        informed = Informed()
        informed.expect(words)
        told = np.concatenate([informed.step(h).visemes[:2] for h in heard])[4:][: len(truth)].argmax(axis=1)
        right.append((told == truth)[truth > 0].mean())
    assert right[1] > right[0]


def test_trust_never_jumps(speech: Speech) -> None:
    informed = Informed()
    informed.expect(expected_words(say(OTHER)))
    weights = []
    for n, heard in enumerate(heard_in(speech)):
        if n == 40:
            informed.forget()
        informed.step(heard)
        weights.append(informed.weight)
    assert np.abs(np.diff(weights)).max() <= 2 / 15 + 1e-6


def test_without_text_nothing_changes(speech: Speech) -> None:
    informed = Informed()
    assert all(informed.step(heard) is heard for heard in heard_in(speech)[:20])


def test_words_are_cut_where_they_start() -> None:
    phones = [(0, ""), (100, "h"), (200, "ˈaɪ"), (900, "m"), (1000, "ɑː")]
    words = [[PHONES[p].name for p in w.phones] for w in words_of(phones, [100, 900])]
    assert words == [["h", "a", "i"], ["m", "a"]]


def test_expected_words_are_forgotten_at_an_interruption(speech: Speech) -> None:
    sync, plain = AudioLipSync(), AudioLipSync()
    sync.expect(expected_words(say(OTHER)))
    for one in (sync, plain):
        one.push(speech.pcm[:3_200])
        one.interrupt()
        one.push(np.zeros(16_000, np.int16))
    assert sync.push(speech.pcm) == plain.push(speech.pcm)


def test_text_may_come_in_pieces(speech: Speech) -> None:
    whole, pieces = AudioLipSync(), AudioLipSync()
    words = expected_words(speech)
    whole.expect(words)
    for w in words:
        pieces.expect([w])
    assert whole.push(speech.pcm) == pieces.push(speech.pcm)


def test_hours_of_words_take_no_memory() -> None:
    aligner, spoken = Aligner(), [word("m a m a"), word("d i d o"), word("p a s u")]
    said = " ".join(f"{name} " * 4 for name in "mamadidopasu")
    heard = posteriors(said + "sil " * 8)
    told, sizes = [], []
    for _ in range(90):
        aligner.expect(spoken)
        told.append([name for name, _ in groupby(shown(aligner, heard))])
        sizes.append(len(pickle.dumps(aligner)))
    assert told[-1] == told[1]
    assert max(sizes[60:]) <= max(sizes[:60])
    assert aligner.trust == 1.0


def test_of_words_that_never_come_the_oldest_are_given_up() -> None:
    aligner = Aligner()
    for _ in range(40):
        aligner.expect([word("d i d o " * 10)] * 100)
    assert len(pickle.dumps(aligner)) < 6_000_000
    aligner.expect([word("m a m a")])
    assert np.isfinite(aligner.step(posteriors("m m a a m m"), 2)).all()
