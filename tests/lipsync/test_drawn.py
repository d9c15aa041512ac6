"""Closed lips as a viewer sees them: on the mesh of a built-in face, in its pictures at 25 a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mouthpiece.face.catalog import SHIPPED, load
from mouthpiece.lipsync import follow_visemes
from mouthpiece.lipsync.articulation import words_of
from mouthpiece.lipsync.listen import AudioLipSync
from mouthpiece.lipsync.phones import timed_visemes
from mouthpiece.lipsync.visemes import VISEMES
from mouthpiece.media import MouthPose, Pcm

from .espeak import Speech, say
from .scoring import runs, viseme_track

SHUT_MM = 0.3
PICTURE = 4  # poses between pictures
SENTENCES = {
    "en-us": "Maybe Papa brought five big apples to my mother, but nobody came.",
    "de": "Der Bahnhof liegt mitten in der Stadt, neben dem alten Museum am Park.",
    "es": "Mi hermano bebe mucha leche por la mañana y compra pan para mamá.",
    "it": "Il bambino mangia una mela sopra la barca, e poi prende il pallone.",
}
AFTER = np.zeros(8_000, np.int16)


@pytest.fixture(scope="module", params=SENTENCES)
def speech(request: pytest.FixtureRequest) -> Speech:
    return say(SENTENCES[request.param], request.param)


def seen(speech: Speech, poses: Sequence[tuple[int, MouthPose]], face: str) -> list[bool]:
    """Of every p, b and m and each phase that pictures may have: whether a picture shows the lips shut."""
    mesh = load(face)
    shut = np.array([mesh.lip_gap(pose) < SHUT_MM for _, pose in poses])
    told = []
    for begin, end in runs(viseme_track(timed_visemes(speech.phones), len(shut)) == VISEMES.index("PP")):
        around = np.arange(max(0, begin - 2), min(len(shut), end + 2))
        told += [bool(shut[around[around % PICTURE == phase]].any()) for phase in range(PICTURE)]
    return told


def padded(speech: Speech) -> Pcm:
    return np.concatenate([speech.pcm, AFTER])


@pytest.mark.parametrize("face", [face.alias for face in SHIPPED])
def test_known_phones_show_every_closure_on_every_face(speech: Speech, face: str) -> None:
    poses = follow_visemes(timed_visemes(speech.phones)).push(padded(speech))
    assert all(seen(speech, poses, face))


def test_known_text_shows_nearly_every_closure(speech: Speech) -> None:
    sync = AudioLipSync()
    sync.expect(words_of([(p.start, p.ipa) for p in speech.phones], [p.start for p in speech.phones if not p.ipa]))
    assert np.mean(seen(speech, sync.push(padded(speech)), SHIPPED[0].alias)) >= 0.95


def test_sound_alone_shows_most_closures(speech: Speech) -> None:
    assert np.mean(seen(speech, AudioLipSync().push(padded(speech)), SHIPPED[0].alias)) >= 0.8
