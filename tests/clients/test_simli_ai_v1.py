"""Unmodified simli-ai 0.1.x (Python, v1 over WebSocket) against a real server: only the base URL is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.drivers import driven, lips
from tests.support.environments import python_client
from tests.support.server import KEY, Server

from mouthpiece.media import SAMPLE_RATE

DRIVER = Path(__file__).parent / "drivers" / "simli_ai_v1.py"
NEWEST = "0.1.25"
VERSIONS = (NEWEST, "0.1.22", "0.1.18", "0.1.14")
FACE = "tmp9i8bbq7c"

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


def drive(version: str, server: Server, *acts: list[object], **plan: object) -> dict[str, Any]:
    """Run one plan with the client; what happened."""
    python = python_client(f"simli-ai=={version}")
    full = {"url": server.url, "key": KEY, "face": FACE, "acts": acts, **plan}
    return driven(python, DRIVER, full)


@pytest.mark.parametrize(
    ("version", "options"),
    [(version, {"useTrunServer": i % 2 == 0}) for i, version in enumerate(VERSIONS)],
    ids=VERSIONS,
)
def test_sends_speech_and_sees_lips_move_with_it(
    version: str, options: dict[str, bool], server: Server, speech: Path
) -> None:
    """With ``useTrunServer`` (its own spelling) the ICE list comes from us; without, from its own STUN address."""
    seconds = speech.stat().st_size / 2 / SAMPLE_RATE
    result = drive(version, server, ["wait", 0.5], ["send", str(speech)], ["wait", seconds + 0.5], options=options)
    assert result["ran"], "the client did not stop by itself"
    assert result["size"] == [512, 512]
    got = lips(result)
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.2, got
    assert len(result["seen"]) > 20 * seconds * 0.8, "pictures flow"


def test_the_end_is_told_and_a_cleared_buffer_is_silent(server: Server, speech: Path) -> None:
    acts: list[list[object]] = [["send", str(speech)], ["wait", 3.0], ["clear"], ["until_end", 25.0]]
    options = {"useTrunServer": True}
    result = drive(NEWEST, server, *acts, config={"maxSessionLength": 6}, options=options)
    assert not result["ran"], "STOP ends the client"
    loud = [at for at, level in result["heard"] if level > 100]
    assert 1.0 < loud[-1] - loud[0] < 4.0, "it was heard, and what was cleared was not"


@pytest.mark.parametrize("version", [NEWEST, "0.1.14"])
def test_a_wrong_key_is_told_at_once(version: str, server: Server) -> None:
    assert "401" in drive(version, server, key="wrong")["message"]
