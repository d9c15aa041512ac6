"""Unmodified simli-ai 2.x in LIVEKIT mode, against a real server and a real LiveKit server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.clients.test_simli_ai import drive, names
from tests.support.drivers import lips
from tests.support.environments import python_client
from tests.support.server import Server

from mouthpiece.media import SAMPLE_RATE

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


@pytest.fixture(scope="session", params=("2.1.0", "2.0.3"))
def python(request: pytest.FixtureRequest) -> Path:
    return python_client(f"simli-ai=={request.param}", "av<17", "livekit==1.1.21")


def test_sends_speech_and_sees_lips_move_with_it(python: Path, livekit_house: Server, speech: Path) -> None:
    seconds = speech.stat().st_size / 2 / SAMPLE_RATE
    acts: list[list[object]] = [["wait", 1.0], ["send", str(speech)], ["wait", seconds + 1], ["stop"]]
    result = drive(python, livekit_house, *acts, mode="LIVEKIT")
    assert result["size"] == [512, 512]
    got = lips(result)
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.12, got
    assert names(result)[:6] == ["speak", "silent"] * 3


def test_immediate_audio_cuts_in_and_clear_buffer_silences(python: Path, livekit_house: Server, speech: Path) -> None:
    result = drive(
        python, livekit_house,
        ["send", str(speech)], ["send", str(speech)], ["wait", 2.0],
        ["send_immediate", str(speech)], ["wait", 1.0],
        ["clear"], ["wait", 1.5], ["stop"],
        mode="LIVEKIT",
    )  # fmt: skip
    loud = np.array([level > 100 for _, level in result["heard"]])
    assert loud[-50:].sum() == 0, "half a second after ClearBuffer there is silence"
    assert names(result).count("speak") >= 2


def test_done_plays_out_and_ends_with_the_reason(python: Path, livekit_house: Server, speech: Path) -> None:
    result = drive(python, livekit_house, ["send", str(speech)], ["done"], ["until_end", 30.0], mode="LIVEKIT")
    assert names(result)[-1] == "stop"
    assert result["stop_reason"] in (None, "DONE")


def test_idle_ends_the_session(python: Path, livekit_house: Server) -> None:
    result = drive(python, livekit_house, ["until_end", 20.0], mode="LIVEKIT", config={"maxIdleTime": 2})
    assert names(result)[-1] == "stop"
    assert result["stop_reason"] in (None, "IDLE")
