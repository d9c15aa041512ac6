"""A file heard at once tells what hearing it bit by bit tells, with or without its text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mouthpiece.lipsync.articulation import Word, words_of
from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.listen import AudioLipSync, track_of
from mouthpiece.lipsync.visemes import SIL, Track
from mouthpiece.lipsync.whole import hear_all
from mouthpiece.media import SAMPLE_RATE, Pcm

from .espeak import Speech, say

PARTS = ("visemes", "closure", "tuck", "shape", "presence")


def bit_by_bit(pcm: Pcm, words: Sequence[Word] = ()) -> Track:
    sync = AudioLipSync(patient=True)
    sync.expect(words)
    padded = np.concatenate([pcm, np.zeros(sync.lookahead + POSE_STEP, np.int16)])
    frames = [f for at in range(0, len(padded), 1_234) for f in sync.follow(padded[at : at + 1_234])]
    return track_of(frames[: len(pcm) // POSE_STEP])


@pytest.fixture(scope="module")
def speech() -> Speech:
    return say("Maybe Papa brought five big apples to my mother.")


def test_it_tells_the_same(speech: Speech) -> None:
    whole, bits = hear_all(speech.pcm), bit_by_bit(speech.pcm)
    for part in PARTS:
        assert getattr(whole, part) == pytest.approx(getattr(bits, part), abs=1e-4), part


def test_it_tells_the_same_where_the_text_is_known(speech: Speech) -> None:
    words = words_of([(p.start, p.ipa) for p in speech.phones], [p.start for p in speech.phones if not p.ipa])
    whole, bits = hear_all(speech.pcm, words), bit_by_bit(speech.pcm, words)
    for part in PARTS:
        assert getattr(whole, part) == pytest.approx(getattr(bits, part), abs=1e-3), part
    assert np.abs(whole.closure - hear_all(speech.pcm).closure).max() > 0.2


def test_long_sound_is_heard_in_strands_that_agree(speech: Speech) -> None:
    pcm = np.resize(np.concatenate([speech.pcm, np.zeros(3_000, np.int16)]), 64 * SAMPLE_RATE)
    done: list[float] = []
    whole, bits = hear_all(pcm, progress=done.append), bit_by_bit(pcm)
    assert (whole.visemes.argmax(axis=1) == bits.visemes.argmax(axis=1)).mean() > 0.98
    assert ((whole.closure > 0.5) == (bits.closure > 0.5)).mean() > 0.99
    assert done == sorted(done)
    assert done[-1] == 1.0


@pytest.mark.parametrize("samples", [0, 1, 159, 161, 5_000])
def test_sound_of_any_length_has_a_frame_for_every_10_ms(samples: int) -> None:
    track = hear_all(np.zeros(samples, np.int16))
    assert len(track.visemes) == len(track.presence) == max(1, samples // POSE_STEP)
    assert (track.visemes.argmax(axis=1) == SIL).all()
    assert not track.presence.any()


def test_the_mouth_stays_until_the_sound_ends() -> None:
    """Who sees the silence come from afar does not fall silent before."""
    vowel = say("ah", rate=80).pcm
    vowel = vowel[np.flatnonzero(np.abs(vowel) > 2_000)[0] :][:3_200]
    pcm = np.concatenate([np.zeros(8_000, np.int16), vowel, np.zeros(8_000, np.int16)])
    for track in (hear_all(pcm), bit_by_bit(pcm)):
        assert (track.presence[52:70] == 1.0).all()
        assert (track.presence[83:] == 0.0).all()
