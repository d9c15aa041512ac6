"""Lip sync from visemes that are known."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.lipsync import follow_visemes
from mouthpiece.lipsync.phones import timed_visemes
from mouthpiece.lipsync.visemes import TimedViseme, lip_gap
from mouthpiece.media import REST, MouthPose, Pcm

from .espeak import say
from .scoring import score


@pytest.fixture(scope="module")
def talk() -> tuple[list[TimedViseme], Pcm]:
    speech = say("Maybe Papa brought five big apples to my mother.")
    return timed_visemes(speech.phones), np.concatenate([speech.pcm, np.zeros(8_000, np.int16)])


def test_every_closure_is_seen_and_none_invented(talk: tuple[list[TimedViseme], Pcm]) -> None:
    spans, pcm = talk
    result = score([(spans, follow_visemes(spans).push(pcm))])
    assert result.attained == 1.0
    assert result.spurious == 0.0
    assert -40 <= result.lag_ms <= 0  # the mouth leads
    assert result.openness > 0.75


@pytest.mark.parametrize("piece", [7, 320, 5_000])
def test_pieces_of_any_size_and_visemes_told_late_give_the_same_poses(
    talk: tuple[list[TimedViseme], Pcm], piece: int
) -> None:
    spans, pcm = talk
    sync, told = follow_visemes(), 0
    poses: list[tuple[int, MouthPose]] = []
    for start in range(0, len(pcm), piece):
        due = sum(span.start < start + piece + 16_000 for span in spans)
        sync.tell(spans[told:due])
        told = due
        poses += sync.push(pcm[start : start + piece])
    assert poses == follow_visemes(spans).push(pcm)


def test_without_sound_there_is_no_speech(talk: tuple[list[TimedViseme], Pcm]) -> None:
    spans, pcm = talk
    assert {pose for _, pose in follow_visemes(spans).push(np.zeros(len(pcm), np.int16))} == {REST}


def test_after_speech_the_mouth_rests(talk: tuple[list[TimedViseme], Pcm]) -> None:
    spans, pcm = talk
    assert {pose for sample, pose in follow_visemes(spans).push(pcm) if sample > len(pcm) - 8_000 + 1_920} == {REST}


def test_an_interrupted_mouth_eases_shut_and_forgets(talk: tuple[list[TimedViseme], Pcm]) -> None:
    spans, pcm = talk
    sync = follow_visemes(spans)
    before = sync.push(pcm[:19_000])
    sync.interrupt()
    after = sync.push(pcm[19_000:22_200])
    assert after[0][0] == before[-1][0] + 160
    assert lip_gap(before[-1][1]) > 1.0
    assert lip_gap(after[9][1]) < 0.3  # sound goes on, but nobody said which visemes: the lips stay together
