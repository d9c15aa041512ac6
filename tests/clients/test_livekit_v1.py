"""Unmodified clients whose video comes out of a LiveKit room: simli-ai 1.0.3, simli-client 2.0.0 and 3.0.1."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser
from tests.support.browser import browser, watched_page
from tests.support.drivers import driven, lips
from tests.support.environments import browser_bundle, python_client
from tests.support.lips import fit
from tests.support.server import KEY, Server

from mouthpiece.media import SAMPLE_RATE

DRIVERS = Path(__file__).parent / "drivers"
FACE = "tmp9i8bbq7c"

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


def test_simli_ai_sees_lips_move(livekit_house: Server, speech: Path) -> None:
    seconds = speech.stat().st_size / 2 / SAMPLE_RATE
    acts: list[list[object]] = [["wait", 1.0], ["send", str(speech)], ["wait", seconds + 0.5]]
    plan = {"url": livekit_house.url, "key": KEY, "face": FACE, "acts": acts}
    result = driven(python_client("simli-ai==1.0.3"), DRIVERS / "simli_ai_v1.py", plan)
    assert result.get("ran"), result.get("message")
    assert result["size"] == [512, 512]
    got = lips(result)
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.2, got


KEEP_PEERS = """
    window.peers = [];
    window.RTCPeerConnection = class extends window.RTCPeerConnection {
        constructor(...rest) { super(...rest); window.peers.push(this); }
    };
"""
"""To ask the browser how long it keeps sound and pictures: see the driver."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as it:
        yield it


@pytest.mark.browser
@pytest.mark.parametrize("version", ["3.0.1", "2.0.0"])
def test_simli_client_sees_lips_move(version: str, livekit_house: Server, chrome: Browser, speech: Path) -> None:
    faults: list[str] = []
    context = chrome.new_context()
    page = watched_page(context, faults)
    page.add_init_script(KEEP_PEERS)
    page.goto(f"{livekit_house.url}/healthz")
    page.add_script_tag(path=browser_bundle(f"simli-client@{version}"))
    page.add_script_tag(path=DRIVERS / "simli_client_v3.js")
    plan: dict[str, object] = {"http": livekit_house.url, "ws": livekit_house.ws, "key": KEY, "face": FACE}
    plan["mode"] = "livekit"
    if version == "2.0.0":
        page.add_script_tag(path=DRIVERS / "simli_client_v1.js")
        plan["config"] = {"SimliURL": livekit_house.url}
    page.evaluate("(plan) => window.drive(plan)", plan)
    code = """(data) => { const bytes = window.bytes(data);
        for (let i = 0; i < bytes.length; i += 6000) window.session.client.sendAudioData(bytes.slice(i, i + 6000)); }"""
    page.evaluate(code, base64.b64encode(speech.read_bytes()).decode())
    page.wait_for_function("() => window.session.events.filter(([, name]) => name === 'silent').length >= 3")
    got = page.evaluate("() => window.report()")
    assert got["size"] == [512, 512]
    seen_at, mouths = (np.array([row[i] for row in got["seen"]]) for i in (0, 1))
    heard_at, rms = (np.array([row[i] for row in got["heard"]]) for i in (0, 1))
    found = fit(seen_at, mouths, heard_at, rms, max_lag=0.8)
    assert found.correlation > 0.5, found
    parted = page.evaluate("() => window.parted()")
    assert abs(found.lag - parted) <= 0.12, (found, parted)
    context.close()
    assert not faults
