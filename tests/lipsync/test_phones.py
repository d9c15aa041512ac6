"""Phones to timed visemes."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.lipsync.phones import TimedPhone, back_date_stops, phones_between, timed_visemes, visemes_of
from mouthpiece.lipsync.visemes import VISEMES, TimedViseme

from .espeak import say


@pytest.mark.parametrize(
    ("ipa", "visemes"),
    [
        ("p", ["PP"]),
        ("m", ["PP"]),
        ("f", ["FF"]),
        ("ˈɑː", ["aa"]),
        ("tʃ", ["CH"]),
        ("dz", ["SS"]),
        ("aɪ", ["aa", "ih"]),
        ("pʲ", ["PP"]),
        ("θ", ["TH"]),
        ("", []),
        ("?", []),
    ],
)
def test_ipa(ipa: str, visemes: list[str]) -> None:
    assert [viseme for viseme, _ in visemes_of(ipa)] == visemes


def test_diphthongs_share_their_time_and_h_takes_the_next_vowel() -> None:
    phones = phones_between([(0, "h"), (800, "aɪ"), (1_800, "")], 2_400)
    assert timed_visemes(phones) == [
        TimedViseme(0, 800, "aa"),
        TimedViseme(800, 1_400, "aa"),
        TimedViseme(1_400, 1_800, "ih"),
        TimedViseme(1_800, 2_400, "sil"),
    ]


def test_a_schwa_is_a_small_vowel_and_an_unknown_phone_a_small_opening() -> None:
    schwa, unknown = timed_visemes([TimedPhone(0, 10, "ə"), TimedPhone(10, 20, "ʘ")])
    assert schwa.viseme == unknown.viseme == "E"
    assert schwa.weight < 0.5
    assert unknown.weight < 0.5


def test_a_stop_begins_where_the_sound_before_it_ends() -> None:
    pcm = np.full(8_000, 3_000, np.int16)
    pcm[3_200:4_800] = 0
    vowel, stop = back_date_stops([TimedPhone(0, 4_800, "a"), TimedPhone(4_800, 5_600, "p")], pcm)
    assert (vowel.end, stop.start, stop.end) == (3_200, 3_200, 5_600)
    assert back_date_stops([TimedPhone(0, 4_800, "a"), TimedPhone(4_800, 5_600, "b")], pcm)[1].start == 4_800


@pytest.mark.parametrize("voice", ["en-us", "de", "fr", "es", "it", "pl", "ru", "cs", "tr", "hu", "sv", "pt-br", "cmn"])
def test_every_phone_of_espeak_voices_is_known(voice: str) -> None:
    speech = say("Papa 3 Tee Wasser jung schön ah oui thing rojo cheese ży", voice)
    assert len(speech.phones) > 20
    unknown = {phone.ipa for phone in speech.phones if phone.ipa and not visemes_of(phone.ipa)}
    assert unknown <= {"ʲ"}  # a bare palatal release: the small opening of an unknown phone suits it
    assert {span.viseme for span in timed_visemes(speech.phones)} <= set(VISEMES)
