"""Log-mel frames against their definition, computed the long way."""

from __future__ import annotations

import numpy as np

from mouthpiece.lipsync.features import BANDS, STEP, WINDOW, LogMel, mel_bands
from mouthpiece.media import SAMPLE_RATE


def test_a_frame_is_the_log_of_mel_band_energies_of_the_last_25_ms() -> None:
    pcm = np.random.default_rng(0).integers(-8_000, 8_000, 4 * STEP).astype(np.int16)
    mel = LogMel()
    frames = np.concatenate([mel.step(pcm[at : at + STEP]) for at in range(0, len(pcm), STEP)])
    assert frames.shape == (8, BANDS)
    for n in range(2, 8):
        seen = pcm[160 * (n + 1) - WINDOW : 160 * (n + 1)] / 32768 * np.hanning(WINDOW)
        power = np.abs(np.fft.fft(seen, 512)[:257]) ** 2
        assert np.allclose(frames[n], (np.log(power @ mel_bands() + 1e-6) + 4) / 3, atol=1e-3)


def test_every_band_has_unit_sum_and_peaks_higher_than_the_last() -> None:
    bands = mel_bands()
    assert bands.shape == (257, BANDS)
    assert np.allclose(bands.sum(axis=0), 1, atol=1e-5)
    assert (np.diff(bands.argmax(axis=0)) >= 0).all()


def test_a_tone_sounds_in_its_own_band() -> None:
    tone = np.rint(9_000 * np.sin(2 * np.pi * 1_000 * np.arange(2 * STEP) / SAMPLE_RATE)).astype(np.int16)
    mel = LogMel()
    mel.step(tone[:STEP])
    assert mel.step(tone[STEP:])[1].argmax() == mel_bands()[32].argmax()  # bin 32 of 512 is 1 kHz


def test_a_reset_forgets() -> None:
    mel, silence = LogMel(), np.zeros(STEP, np.int16)
    quiet = mel.step(silence)
    mel.step(np.full(STEP, 9_000, np.int16))
    mel.reset()
    assert np.array_equal(mel.step(silence), quiet)


def test_many_steps_are_heard_as_one_by_one() -> None:
    sound = np.random.default_rng(3).integers(-9_000, 9_000, 9 * STEP).astype(np.int16)
    single, many = LogMel(), LogMel()
    expected = np.array([single.step(pcm) for pcm in sound.reshape(-1, STEP)])
    assert np.allclose(
        np.concatenate([many.steps(sound[: 4 * STEP]), many.steps(sound[4 * STEP :])]), expected, atol=1e-4
    )
