"""Which models a mode takes."""

from __future__ import annotations

import pytest

from mouthpiece.polyai.messages import MODES, Mode
from mouthpiece.polyai.modes import cast_for
from mouthpiece.providers.base import Choice, MindChoice

TEXT = Choice(MindChoice("openai", "gpt-4o-mini", "", "key"))
SPEECH = Choice(MindChoice("openai", "gpt-realtime", "", "key"))
OWN = Choice(MindChoice("user", "llama", "https://models.example/v1", "key"))


def test_end_to_end_takes_the_agents_own_speech_model_and_traditional_a_text_model_of_its_provider() -> None:
    assert cast_for("end-to-end", SPEECH, None) == SPEECH
    assert cast_for("end-to-end", SPEECH, "gemini-live-2.5-flash-preview") == SPEECH
    mind = cast_for("traditional", SPEECH, "gpt-realtime").mind
    assert (mind.provider, mind.key, mind.realtime) == ("openai", "key", False)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-realtime", MindChoice("openai", "gpt-realtime", "", "key")),
        ("gemini-live-2.5-flash-preview", MindChoice("google", "gemini-live-2.5-flash-preview")),
    ],
)
def test_end_to_end_takes_the_operators_speech_model_and_hands_a_key_to_nobody_else(
    model: str, expected: MindChoice
) -> None:
    got = cast_for("end-to-end", TEXT, model).mind
    assert got == expected
    assert got.realtime


@pytest.mark.parametrize("mode", MODES)
def test_without_a_speech_model_every_mode_is_the_pipeline(mode: Mode) -> None:
    assert cast_for(mode, TEXT, None) == TEXT


@pytest.mark.parametrize("mode", MODES)
def test_a_language_model_of_the_agents_own_server_stays(mode: Mode) -> None:
    assert cast_for(mode, OWN, "gpt-realtime") == OWN


def test_traditional_leaves_a_text_model_alone() -> None:
    assert cast_for("traditional", TEXT, "gpt-realtime") == TEXT
