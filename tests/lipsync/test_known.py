"""Speech whose visemes the speaker told: exact closures, and no jump where they begin, end, or are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.listen import AudioLipSync, Frame
from mouthpiece.lipsync.script import Script
from mouthpiece.lipsync.visemes import PP, TimedViseme, lip_gap
from mouthpiece.media import REST, Pcm

from .espeak import say
from .scoring import score

TEXTS = {
    "en-us": "Maybe Papa brought five big apples to my mother.",
    "de": "Der Bahnhof liegt mitten in der Stadt, neben dem alten Museum.",
    "ru": "Мама мыла раму, а папа пил кофе с молоком.",
}
TAIL = 8_000


def spoken(voice: str) -> tuple[Script, Pcm]:
    speech = say(TEXTS[voice], voice)
    return Script.of_phones(speech.phones), np.concatenate([speech.pcm, np.zeros(TAIL, np.int16)])


def follow(script: Script, pcm: Pcm, piece: int = 320, foresight: int = 4_000) -> list[Frame]:
    """Told piece by piece, with a little foresight, as a session does."""
    sync, frames = AudioLipSync(), []
    for start in range(0, len(pcm), piece):
        coming = [v for v in script.visemes if start <= v.start < start + piece + foresight]
        sync.cue([TimedViseme(v.start - start, v.end - start, v.viseme, v.weight) for v in coming])
        frames += sync.follow(pcm[start : start + piece])
    return frames


@pytest.mark.parametrize("voice", TEXTS)
def test_every_closure_is_seen_and_none_invented(voice: str) -> None:
    script, pcm = spoken(voice)
    result = score([(script.visemes, [(f.sample, f.pose) for f in follow(script, pcm)])])
    assert result.attained == 1.0
    assert result.spurious == 0.0
    assert result.openness > 0.6


def test_what_is_told_is_what_is_said_to_tools_too() -> None:
    script, pcm = spoken("en-us")
    frames = follow(script, pcm)
    for span in script.visemes:
        if span.viseme == "PP" and span.end - span.start > 3 * POSE_STEP:
            frame = frames[(span.start + span.end) // 2 // POSE_STEP]
            assert frame.closure > 0.99
            assert int(frame.visemes.argmax()) == PP
            assert frame.shape[1] < 0.02
    assert all(f.visemes.sum() == pytest.approx(1.0, abs=1e-4) for f in frames)


def test_a_script_whose_sound_stays_away_moves_nothing() -> None:
    script, pcm = spoken("en-us")
    assert {f.pose for f in follow(script, np.zeros(len(pcm), np.int16))} == {REST}


def test_after_the_script_the_mouth_rests() -> None:
    script, pcm = spoken("en-us")
    assert {f.pose for f in follow(script, pcm) if f.sample > len(pcm) - TAIL + 1_920} == {REST}


def test_the_mouth_does_not_jump_where_a_script_ends_in_the_middle_of_speech() -> None:
    script, pcm = spoken("en-us")
    half = len(pcm) // 2
    known = Script(tuple(v for v in script.visemes if v.end < half))

    def fastest(script: Script) -> float:
        gap = np.array([lip_gap(f.pose) for f in follow(script, pcm)])
        return float(np.abs(np.diff(gap)).max())

    assert fastest(known) < 1.2 * max(fastest(script), fastest(Script()))


def test_without_a_script_nothing_changes() -> None:
    _, pcm = spoken("en-us")
    sync = AudioLipSync()
    assert [f.pose for f in sync.follow(pcm)] == [f.pose for f in follow(Script(), pcm)]


def test_an_interruption_forgets_the_script() -> None:
    script, pcm = spoken("en-us")
    sync = AudioLipSync()
    sync.cue(script.visemes)
    sync.follow(pcm[:16_000])
    sync.interrupt()
    plain = AudioLipSync()
    plain.follow(pcm[:16_000])
    plain.interrupt()
    told = [f.closure for f in sync.follow(pcm[16_000:])]
    assert told == [f.closure for f in plain.follow(pcm[16_000:])]


def test_the_rest_of_a_script_is_counted_from_its_own_sound() -> None:
    script = Script((TimedViseme(0, 1_000, "PP"), TimedViseme(1_000, 3_000, "aa"), TimedViseme(3_000, 3_500, "FF")))
    assert script.after(2_000).visemes == (TimedViseme(0, 1_000, "aa"), TimedViseme(1_000, 1_500, "FF"))


def test_words_in_ipa_are_phones_and_what_is_none_is_passed_over() -> None:
    words = Script.of_words(["pˈapə", "!?", "bɔːl"]).words
    assert [len(w.phones) for w in words] == [4, 3]
