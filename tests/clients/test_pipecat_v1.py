"""Unmodified pipecat 0.0.90 (v1 over WebSocket) and 0.0.100 (v1, LiveKit): only ``simli_url`` is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.drivers import driven
from tests.support.environments import python_client
from tests.support.lips import fit
from tests.support.server import KEY, Server

DRIVER = Path(__file__).parent / "drivers" / "pipecat_v1.py"

pytestmark = [pytest.mark.client, pytest.mark.timeout(400)]


@pytest.mark.parametrize(("version", "house"), [("0.0.90", "server"), ("0.0.100", "livekit_house")])
def test_a_pipeline_sees_lips_move_and_an_interruption_silences(
    version: str, house: str, request: pytest.FixtureRequest, speech: Path
) -> None:
    server: Server = request.getfixturevalue(house)
    python = python_client(f"pipecat-ai[simli]=={version}")
    plan = {"url": server.url, "key": KEY, "face": "tmp9i8bbq7c", "speech": str(speech)}
    result = driven(python, DRIVER, plan, timeout_s=150)
    assert result["size"] == [512, 512]
    whole, interrupted = result["loud"]
    assert interrupted < 0.6 * whole, "an interruption clears the seven seconds that were queued"
    if house == "server":  # out of a room the sound comes through a queue of the client's own, which drains as it can
        assert result["loud_for"] < 3, "and soon"
    seen_at, heard_at = (np.array([at for at, _ in result[name]]) for name in ("seen", "heard"))
    mouths, rms = (np.array([value for _, value in result[name]]) for name in ("seen", "heard"))
    got = fit(seen_at, mouths, heard_at, rms)
    assert got.correlation > 0.6, got
