"""Lip sync from sound: the contract on any sound, closures and timing on espeak-ng's, energy on people's."""

from __future__ import annotations

import os
import pickle
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.phones import timed_visemes
from mouthpiece.lipsync.visemes import TimedViseme, lip_gap
from mouthpiece.media import REST, SAMPLE_RATE, MouthPose, Pcm

from .espeak import say
from .scoring import CLOSED_MM, correlation_at_lags, gaps, score

Poses = list[tuple[int, MouthPose]]
SENTENCES = {
    "en-us": "Maybe Papa brought five big apples to my mother.",
    "de": "Der Bahnhof liegt mitten in der Stadt, neben dem alten Museum.",
    "es": "Mi hermano bebe mucha leche por la mañana.",
    "ru": "Мама мыла раму, а папа пил кофе с молоком.",
    "it": "Il bambino mangia una mela sopra la barca.",
}
BEFORE, AFTER = 3_200, 8_000


def poses_of(pcm: Pcm, piece: int | None = None) -> Poses:
    sync = open_lipsync()
    size = piece or max(len(pcm), 1)
    return [pose for start in range(0, len(pcm), size) for pose in sync.push(pcm[start : start + size])]


def noise(dbfs: float, seconds: float) -> Pcm:
    samples = np.random.default_rng(1).standard_normal(int(seconds * SAMPLE_RATE))
    return np.rint(samples * 32768 * 10 ** (dbfs / 20)).astype(np.int16)


def recording(name: str) -> Pcm:
    folder = os.environ.get("MOUTHPIECE_TEST_DATA")
    if folder is None:
        pytest.skip("MOUTHPIECE_TEST_DATA is not set: no recorded speech")
    with wave.open(str(Path(folder) / "data" / "speech" / name)) as file:
        assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE, 1)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@pytest.fixture(scope="module")
def speech() -> Pcm:
    return say(SENTENCES["en-us"]).pcm


@pytest.mark.parametrize("piece", [1, 7, 160, 320, 333, 100_000])
def test_pieces_of_any_size_give_the_same_poses(speech: Pcm, piece: int) -> None:
    short = speech[: 3_000 if piece == 1 else 16_000]
    assert poses_of(short, piece) == poses_of(short)


def test_every_pose_comes_with_its_sample_once_its_lookahead_is_heard(speech: Pcm) -> None:
    sync = open_lipsync()
    assert sync.lookahead <= 960
    given, pushed = [], 0
    for size in [1, 958, 1, 1, 159, 160, 5_000, 0, 319]:
        given += [sample for sample, _ in sync.push(speech[pushed : pushed + size])]
        pushed += size
        assert given == list(range(0, pushed - sync.lookahead + 1, POSE_STEP))


def test_zeros_are_rest() -> None:
    assert {pose for _, pose in poses_of(np.zeros(32_000, np.int16))} == {REST}


@pytest.mark.parametrize("cut", [11_000, 12_345, 18_000, 25_555])
def test_the_mouth_is_at_rest_120_ms_into_silence(speech: Pcm, cut: int) -> None:
    poses = poses_of(np.concatenate([speech[:cut], np.zeros(16_000, np.int16)]))
    assert max(lip_gap(pose) for sample, pose in poses if sample < cut) > 2.0
    assert {pose for sample, pose in poses if sample >= cut + 1_920} == {REST}


def test_the_mouth_closes_in_noise_of_60_dbfs_too(speech: Pcm) -> None:
    hiss = noise(-60, 2.0)
    poses = poses_of(np.concatenate([hiss, speech[:25_000], hiss]))
    quiet = [pose for sample, pose in poses if sample < 31_000 or sample >= 32_000 + 25_000 + 1_920]
    assert max(lip_gap(pose) for pose in quiet) < 0.1


def test_a_hush_between_two_sounds_does_not_close_the_mouth() -> None:
    vowel = say("ah", rate=80).pcm
    vowel = vowel[np.flatnonzero(np.abs(vowel) > 2_000)[0] :][:3_200]
    poses = poses_of(np.concatenate([vowel, np.zeros(640, np.int16), vowel, np.zeros(960, np.int16)]))
    assert all(pose != REST for sample, pose in poses if 800 < sample < 6_000)


def talk(voice: str, text: str) -> tuple[list[TimedViseme], Poses]:
    spoken = say(text, voice)
    pcm = np.concatenate([np.zeros(BEFORE, np.int16), spoken.pcm, np.zeros(AFTER, np.int16)])
    spans = timed_visemes(spoken.phones)
    return [TimedViseme(v.start + BEFORE, v.end + BEFORE, v.viseme) for v in spans], poses_of(pcm)


def test_closures_openness_and_timing_on_known_phones() -> None:
    result = score([talk(voice, text) for voice, text in SENTENCES.items()])
    assert result.closures > 25
    assert result.attained > 0.85, result
    assert result.spurious < 12, result
    assert result.openness > 0.8, result
    assert abs(result.lag_ms) <= 20, result


def test_the_mouth_opens_with_the_sound() -> None:
    """From closed lips into a vowel, the lips are seen to part within 20 ms of the first sound."""
    offsets = []
    for word in ["apple", "Otto", "Eddy", "Anna", "ostrich"]:
        pcm = np.concatenate([np.zeros(16_000, np.int16), say(word).pcm, np.zeros(4_000, np.int16)])
        power = np.convolve(pcm.astype(float) ** 2, np.ones(160) / 160, "same")
        onset = int(np.flatnonzero(power > 0.05 * power[: 16_000 + 3_200].max())[0])
        gap = gaps(poses_of(pcm))
        peak = gap[: (16_000 + 3_200) // POSE_STEP].max()
        offsets.append(int(np.flatnonzero(gap > 0.1 * peak)[0]) * POSE_STEP - onset)
    assert max(abs(offset) for offset in offsets) <= 320, offsets


@pytest.mark.parametrize("name", ["english_radio_1.wav", "english_radio_2.wav", "german.wav"])
def test_the_jaw_follows_the_energy_of_people(name: str) -> None:
    pcm = recording(name)
    poses = poses_of(pcm)
    hops = pcm[: len(poses) * POSE_STEP].reshape(-1, POSE_STEP).astype(float)
    energy = np.convolve(np.sqrt((hops**2).mean(axis=1)), np.hanning(11), "same")
    gap = np.convolve(gaps(poses), np.hanning(11), "same")
    lags = correlation_at_lags(energy, gap, range(-5, 6))
    assert max(lags.values()) > 0.35, lags
    assert gap.max() > 5 * CLOSED_MM


def emphases(poses: Poses) -> Iterator[float]:
    return (pose.emphasis for _, pose in poses)


def test_prosody_stays_in_its_range_and_moves(speech: Pcm) -> None:
    poses = poses_of(speech)
    assert min(emphases(poses)) >= -0.3
    assert max(emphases(poses)) <= 0.5
    assert max(emphases(poses)) > 0.1 > -0.05 > min(emphases(poses))
    assert all(0 <= pose.loudness <= 1 for _, pose in poses)


@pytest.mark.parametrize("heard", [9_600, 19_001, 20_077])
def test_an_interrupted_mouth_eases_shut_in_100_ms(speech: Pcm, heard: int) -> None:
    sync = open_lipsync()
    before = list(sync.push(speech[:heard]))
    sync.interrupt()
    after = list(sync.push(np.zeros(4_000, np.int16)))
    assert after[0][0] == before[-1][0] + POSE_STEP  # the count goes on
    gap = [lip_gap(pose) for _, pose in [before[-1], *after]]
    assert gap[0] > 1.0
    assert all(later <= sooner + 1e-6 for sooner, later in pairwise(gap))
    assert {pose for _, pose in after[9:]} == {REST}


def test_speech_after_an_interruption_is_heard_like_any_other(speech: Pcm) -> None:
    sync = open_lipsync()
    sync.push(speech[:16_000])
    sync.interrupt()
    sync.push(np.zeros(16_000, np.int16))
    fresh = open_lipsync()
    fresh.push(np.zeros(32_000, np.int16))
    # all but equal: how loud the voice was before is not forgotten
    assert gaps(list(sync.push(speech))) == pytest.approx(gaps(list(fresh.push(speech))), abs=0.5)


def test_an_hour_of_sound_takes_no_memory(speech: Pcm) -> None:
    sync = open_lipsync()
    minute = np.concatenate([speech, np.zeros(60 * SAMPLE_RATE - len(speech), np.int16)])
    for _ in range(2):  # it keeps what its last push told, and the first tells less by the look-ahead
        sync.push(minute)
    size = len(pickle.dumps(sync))
    for _ in range(58):
        assert len(sync.push(minute)) == 6_000
    assert len(pickle.dumps(sync)) < size + 64  # counts grow by digits


def test_sessions_do_not_hear_each_other(speech: Pcm) -> None:
    one, other = open_lipsync(), open_lipsync()
    mixed: Poses = []
    for start in range(0, 16_000, 320):
        mixed += one.push(speech[start : start + 320])
        other.push(noise(-20, 0.02))
    assert mixed == poses_of(speech[:16_000])
