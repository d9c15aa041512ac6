"""Unmodified pipecat 1.14 (v2, WebRTC) against a real server: only ``simli_url`` is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.drivers import driven
from tests.support.environments import python_client
from tests.support.lips import fit
from tests.support.server import KEY, Server

DRIVER = Path(__file__).parent / "drivers" / "pipecat_v2.py"

pytestmark = [pytest.mark.client, pytest.mark.timeout(400)]


def test_a_pipeline_sees_lips_move_and_ten_interruptions_silence(server: Server, speech: Path) -> None:
    python = python_client("pipecat-ai[simli]==1.14.0")
    plan = {"url": server.url, "key": KEY, "face": "tmp9i8bbq7c", "speech": str(speech), "interruptions": 10}
    result = driven(python, DRIVER, plan, timeout_s=200)
    assert result["size"] == [512, 512]
    assert max(result["loud_for"]) < 1.2, "an interruption clears the seven seconds that were queued"
    seen_at, heard_at = (np.array([at for at, _ in result[name]]) for name in ("seen", "heard"))
    mouths, rms = (np.array([value for _, value in result[name]]) for name in ("seen", "heard"))
    got = fit(seen_at, mouths, heard_at, rms)
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.16, got
