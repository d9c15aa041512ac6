"""The network: its arithmetic against plain numpy, its memory, and that it hears what is said."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mouthpiece.lipsync.articulation import ARTICULATORS, PHONES, VISEME_OF
from mouthpiece.lipsync.features import STEP
from mouthpiece.lipsync.neural import LIVE_DELAY, Network, Recognizer
from mouthpiece.lipsync.phones import timed_visemes
from mouthpiece.lipsync.visemes import SIL, VISEMES
from mouthpiece.lipsync.weights import load_weights, meaning

from .espeak import say
from .scoring import viseme_track


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    y: NDArray[np.float64] = 1 / (1 + np.exp(-x))
    return y


def by_hand(steps: NDArray[np.float32]) -> NDArray[np.float64]:
    w, answers = load_weights(), []
    recent, hidden = np.zeros((3, 96)), [np.zeros(128), np.zeros(128)]
    for frames in steps:
        recent = np.vstack([recent[1:], np.maximum(frames.ravel() @ w.input_weight + w.input_bias, 0)])
        x = np.maximum(recent.ravel() @ w.conv_weight + w.conv_bias, 0)
        for n, layer in enumerate(w.recurrent):
            given = np.split(x @ layer.input_weight + layer.input_bias, 3)
            held = np.split(hidden[n] @ layer.hidden_weight + layer.hidden_bias, 3)
            update = sigmoid(given[1] + held[1])
            new = np.tanh(given[2] + sigmoid(given[0] + held[0]) * held[2])
            x = hidden[n] = (1 - update) * new + update * hidden[n]
        answers.append(x @ w.live.weight + w.live.bias)
    return np.array(answers)


def test_compiled_steps_equal_the_definition() -> None:
    steps = np.random.default_rng(0).normal(0, 1.5, (40, 2, 40)).astype(np.float32)
    network = Network()
    assert np.allclose(np.concatenate([network.steps(frames[None]) for frames in steps]), by_hand(steps), atol=1e-4)
    assert np.allclose(Network().steps(steps), by_hand(steps), atol=1e-4)


def test_of_frames_told_for_good_the_phones_have_half_a_say() -> None:
    w = load_weights()
    values = np.random.default_rng(1).normal(0, 2, (3, w.live.bias.size)).astype(np.float32)
    named = values[:, -2 * len(PHONES) :].reshape(3, 2, -1).astype(np.float64)
    frames = values[:, : -2 * len(PHONES)].reshape(3, 6, -1).astype(np.float64)
    visemes = np.exp(frames[..., : len(VISEMES)])
    visemes /= visemes.sum(axis=-1, keepdims=True)
    phones = np.exp(named) / np.exp(named).sum(axis=-1, keepdims=True)
    for n, viseme in enumerate(VISEME_OF):
        visemes[:, :2, viseme] += phones[..., n]
    visemes[:, :2] /= 2
    assert np.allclose(meaning(values).visemes, visemes, atol=1e-5)


def test_compiled_meaning_equals_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[NDArray[np.float32]] = []
    network_steps = Network.steps

    def steps(self: Network, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        told.append(network_steps(self, frames))
        return told[-1]

    recognizer, noise = Recognizer(), np.random.default_rng(2)
    monkeypatch.setattr(Network, "steps", steps)
    heard = recognizer.step(noise.integers(-5_000, 5_000, STEP).astype(np.int16))
    meant = meaning(told[-1])
    for name in ("visemes", "closure", "tuck", "shape", "phones"):
        assert np.allclose(getattr(heard, name), getattr(meant, name)[0], atol=1e-5), name


@pytest.mark.parametrize("patient", [False, True])
def test_it_tells_probabilities_of_six_frames(patient: bool) -> None:
    recognizer, noise = Recognizer(patient=patient), np.random.default_rng(0)
    for _ in range(20):
        heard = recognizer.step(noise.integers(-5_000, 5_000, STEP).astype(np.int16))
        assert heard.visemes.shape == (6, len(VISEMES))
        assert heard.shape.shape == (6, len(ARTICULATORS))
        assert np.allclose(heard.visemes.sum(axis=1), 1, atol=1e-5)
        assert np.allclose(heard.phones.sum(axis=1), 1, atol=1e-5)
        for gate in (heard.closure, heard.tuck):
            assert gate.shape == (6,)
            assert ((gate >= 0) & (gate <= 1)).all()


def test_silence_is_silence_from_the_first_step_on() -> None:
    recognizer = Recognizer()
    answers = [recognizer.step(np.zeros(STEP, np.int16)).visemes for _ in range(50)]
    assert all((answer.argmax(axis=1) == SIL).all() for answer in answers)
    assert np.allclose(answers, recognizer.silence.visemes, atol=0.02)


@pytest.mark.parametrize("patient", [False, True])
def test_it_recognises_most_of_what_a_synthetic_voice_says(patient: bool) -> None:
    speech = say("The weather bureau promised plenty of bright sunshine above the bay by tomorrow.")
    recognizer = Recognizer(patient=patient)
    pcm = np.concatenate([speech.pcm, np.zeros(recognizer.delay, np.int16)])
    told = [recognizer.step(pcm[at : at + STEP]).visemes[:2] for at in range(0, len(pcm) - STEP + 1, STEP)]
    frames = np.concatenate(told).argmax(axis=1)[(recognizer.delay - STEP) // 160 :]
    truth = viseme_track(timed_visemes(speech.phones), len(pcm) // 160)[: len(frames)]
    assert (frames == truth)[truth > 0].mean() > 0.7


@pytest.mark.parametrize("patient", [False, True])
def test_many_steps_at_once_tell_the_same(patient: bool) -> None:
    sound = np.random.default_rng(2).integers(-5_000, 5_000, 12 * STEP).astype(np.int16)
    one, many = Recognizer(patient=patient), Recognizer(patient=patient)
    single = [one.step(pcm) for pcm in sound.reshape(-1, STEP)]
    for a, b in zip(single, many.steps(sound), strict=True):
        assert np.allclose(a.visemes, b.visemes, atol=1e-4 if patient else 0)
        assert np.allclose(a.phones, b.phones, atol=1e-4 if patient else 0)


def test_only_a_moment_of_sound_is_needed_for_what_is_told_for_good() -> None:
    """The look-ahead is what it is said to be: sound that comes later changes nothing."""
    noise = np.random.default_rng(1).integers(-5_000, 5_000, (12, STEP)).astype(np.int16)
    other = noise.copy()
    other[8:] = 0
    told = []
    for sound in (noise, other):
        recognizer = Recognizer()
        told.append([recognizer.step(pcm).visemes for pcm in sound])
    assert np.array_equal(told[0][:8], told[1][:8])
    assert LIVE_DELAY == 960


def test_weights_are_shared_and_small() -> None:
    weights = load_weights()
    assert load_weights() is weights
    assert sum(layer.hidden_weight.size for layer in weights.recurrent) < 200_000
