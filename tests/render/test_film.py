"""A film: all of the sound, a picture for every moment of it, and a mouth that moves with it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support.lips import fit

from mouthpiece.face import catalog
from mouthpiece.lipsync.articulation import words_of
from mouthpiece.lipsync.listen import AudioLipSync
from mouthpiece.lipsync.script import Script
from mouthpiece.lipsync.visemes import lip_gap
from mouthpiece.media import REST, SAMPLE_RATE, Look, MouthPose, Pcm, Picture, frame_sample
from mouthpiece.providers.espeak import Speech
from mouthpiece.render.film import LONGEST_TAIL, Rehearsed, Scene, film

LOOK = Look("mia", width=128, height=128)


class Roll:
    """A recording that keeps the mouth of each picture and all sound."""

    def __init__(self) -> None:
        self.samples: list[int] = []
        self.mouths: list[NDArray[np.float64]] = []
        self.pcm: Pcm = np.zeros(0, np.int16)

    def picture(self, picture: Picture, sample: int) -> None:
        self.samples.append(sample)
        self.mouths.append(picture.data[70:105, 40:88].astype(np.float64).ravel())

    def sound(self, pcm: Pcm) -> None:
        self.pcm = np.concatenate([self.pcm, pcm])


def filmed(pcm: Pcm, fps: int = 25) -> Roll:
    roll = Roll()
    told: list[float] = []
    pictures = film(pcm, Scene(LOOK, fps), catalog.load("mia"), roll, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert pictures == len(roll.samples)
    return roll


@pytest.mark.parametrize("fps", [25, 30])
def test_all_of_the_sound_and_a_picture_for_each_moment(speech: Speech, fps: int) -> None:
    roll = filmed(speech.pcm, fps)
    n = len(speech.pcm)
    assert np.array_equal(roll.pcm[:n], speech.pcm)
    assert not roll.pcm[n:].any()
    assert len(roll.pcm) - n < LONGEST_TAIL
    assert roll.samples == [frame_sample(k, fps) for k in range(len(roll.samples))]
    assert 0 <= frame_sample(len(roll.samples), fps) - len(roll.pcm) <= SAMPLE_RATE // fps


def test_the_mouth_moves_with_the_sound(speech: Speech) -> None:
    roll = filmed(speech.pcm)
    packets = roll.pcm[: len(roll.pcm) // 320 * 320].reshape(-1, 320).astype(np.float64)
    loudness: NDArray[np.float64] = np.sqrt((packets**2).mean(1))
    heard = fit(
        np.array(roll.samples) / SAMPLE_RATE,
        np.array(roll.mouths),
        np.linspace(0, len(packets) * 0.02, len(packets), endpoint=False, dtype=np.float64),
        loudness,
    )
    assert heard.correlation > 0.6
    assert abs(heard.lag) <= 0.06


@pytest.mark.parametrize("samples", [1, 319, 320, 16_001, 40_000])
def test_sound_of_any_length(samples: int) -> None:
    rng = np.random.default_rng(1)
    pcm = rng.integers(-3000, 3000, samples).astype(np.int16)
    assert np.array_equal(filmed(pcm).pcm[:samples], pcm)


def test_silence_is_filmed_too_with_a_mouth_at_rest() -> None:
    roll = filmed(np.zeros(2 * SAMPLE_RATE, np.int16))
    assert len(roll.samples) >= 50


# --- lip sync that has heard it all --------------------------------------------------------------------------------
def poses(sync: Rehearsed | AudioLipSync, pcm: Pcm, piece: int) -> list[tuple[int, MouthPose]]:
    return [pose for at in range(0, len(pcm), piece) for pose in sync.push(pcm[at : at + piece])]


def test_poses_are_those_of_patient_lip_sync_and_known_at_once(speech: Speech) -> None:
    pcm = speech.pcm[: 3 * SAMPLE_RATE]
    rehearsed = Rehearsed(pcm)
    assert [sample for sample, _ in rehearsed.push(pcm[:320])] == [0, 160, 320]
    patient = AudioLipSync(patient=True)
    heard = [pose for at in range(0, len(pcm), 16_000) for pose in patient.push(pcm[at : at + 16_000])]
    known = [*Rehearsed(pcm).push(pcm)]
    assert known[: len(heard)] == heard
    assert len(known) == len(pcm) // 160 + 1


def test_after_the_sound_comes_rest(speech: Speech) -> None:
    rehearsed = Rehearsed(speech.pcm)
    poses(rehearsed, speech.pcm, 320)
    after = poses(rehearsed, np.zeros(SAMPLE_RATE, np.int16), 320)
    assert after[-1][1] == REST


def test_known_words_are_heeded(speech: Speech) -> None:
    words = words_of([(p.sample, p.ipa) for p in speech.phones], [w.sample for w in speech.words])
    assert len(words) > 8
    blind = poses(Rehearsed(speech.pcm), speech.pcm, 320)
    told = poses(Rehearsed(speech.pcm, Script(words=tuple(words))), speech.pcm, 320)
    exact = poses(Rehearsed(speech.pcm, speech.script), speech.pcm, 320)
    assert len(blind) == len(told) == len(exact)
    assert blind != told
    lips = [p for p in speech.timed_phones if p.ipa in {"p", "b", "m"}]
    assert lips
    for phone in lips:
        assert min(lip_gap(pose) for at, pose in exact if phone.start <= at < phone.end) < 0.3


def test_an_interrupted_mouth_is_shut(speech: Speech) -> None:
    rehearsed = Rehearsed(speech.pcm)
    rehearsed.push(speech.pcm[:8000])
    rehearsed.interrupt()
    assert {pose for _, pose in rehearsed.push(speech.pcm[8000:12_000])} == {REST}
