"""Unmodified simli-client 3.x (npm) in a real Chromium against a real server: only the URLs are changed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PageError
from tests.support.browser import browser, watched_page
from tests.support.environments import browser_bundle
from tests.support.lips import Fit, fit
from tests.support.microphone import recorded
from tests.support.server import KEY, Server, serving

DRIVER = Path(__file__).parent / "drivers" / "simli_client_v3.js"
FACE = "tmp9i8bbq7c"

pytestmark = [pytest.mark.client, pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bundle() -> Path:
    return browser_bundle("simli-client@3.0.1")


@pytest.fixture(scope="module")
def chrome(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose microphone plays the speech."""
    pcm = np.frombuffer(speech.read_bytes(), np.int16)
    microphone = recorded(tmp_path_factory.mktemp("microphone") / "speech.wav", pcm)
    with browser(microphone=microphone) as it:
        yield it


@pytest.fixture
def page(chrome: Browser, bundle: Path, server: Server) -> Iterator[Page]:
    faults: list[str] = []
    context = chrome.new_context()
    it = watched_page(context, faults)
    it.goto(f"{server.url}/healthz")
    it.add_script_tag(path=bundle)
    it.add_script_tag(path=DRIVER)
    yield it
    context.close()
    assert not faults


def start(page: Page, server: Server, **plan: object) -> float:
    """Start a session; milliseconds until the client said so."""
    full = {"http": server.url, "ws": server.ws, "key": KEY, "face": FACE, **plan}
    return float(page.evaluate("(plan) => window.drive(plan)", full))


def send(page: Page, method: str, pcm: bytes) -> None:
    code = f"(data) => window.session.client.{method}(window.bytes(data))"
    page.evaluate(code, base64.b64encode(pcm).decode())


def names(page: Page) -> list[str]:
    return [name for _, name, _ in page.evaluate("() => window.session.events")]


def until(page: Page, event: str, count: int = 1, timeout_s: float = 30) -> None:
    page.wait_for_function(
        "([event, count]) => window.session.events.filter(([, name]) => name === event).length >= count",
        arg=[event, count],
        timeout=timeout_s * 1000,
    )


def lips(page: Page) -> Fit:
    got: dict[str, Any] = page.evaluate("() => window.report()")
    seen_at, mouths = (np.array([row[i] for row in got["seen"]]) for i in (0, 1))
    heard_at, rms = (np.array([row[i] for row in got["heard"]]) for i in (0, 1))
    return fit(seen_at, mouths, heard_at, rms)


def test_sends_speech_and_sees_lips_move_with_it(page: Page, server: Server, speech: Path) -> None:
    assert start(page, server) < 15_000
    send(page, "sendAudioData", speech.read_bytes())
    until(page, "silent", 3)
    assert page.evaluate("() => window.session.size") == [512, 512]
    assert [n for n in names(page) if n in {"speaking", "silent"}] == ["speaking", "silent"] * 3
    got = lips(page)
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.12, got


def test_immediate_audio_and_clear_buffer(page: Page, server: Server, speech: Path) -> None:
    start(page, server)
    pcm = speech.read_bytes()
    send(page, "sendAudioData", pcm * 3)
    until(page, "speaking")
    send(page, "sendAudioDataImmediate", pcm[:200_000])
    until(page, "speaking", 2)
    page.evaluate("() => window.session.client.ClearBuffer()")
    count = names(page).count("speaking")
    page.wait_for_timeout(1500)
    assert names(page).count("speaking") <= count + 1
    tail = page.evaluate("() => window.session.heard.slice(-25).map(([, level]) => level)")
    assert max(tail) < 50, "silence a second after ClearBuffer"


def test_microphone_track_drives_the_face(page: Page, server: Server) -> None:
    start(page, server)
    page.evaluate(
        """async () => {
            const stream = await navigator.mediaDevices.getUserMedia({ audio: {
                echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
            window.session.client.listenToMediastreamTrack(stream.getAudioTracks()[0]);
        }"""
    )
    until(page, "speaking", 5)
    until(page, "silent", 5, 60)
    assert lips(page).correlation > 0.5


def test_stop_frees_the_slot_and_reconnect_with_the_same_token_works(page: Page, server: Server) -> None:
    start(page, server)
    page.evaluate("() => window.session.client.stop()")
    page.evaluate(
        """async ([ws]) => {
            const { SimliClient } = window.client;
            const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true });
            document.body.append(video);
            const again = new SimliClient(window.session.token, video, new Audio(), window.session.ice,
                undefined, "p2p", "websockets", ws);
            await again.start();
            await again.stop();
        }""",
        [server.ws],
    )


def test_limits_end_with_stop_and_no_error(page: Page, server: Server) -> None:
    start(page, server, config={"maxSessionLength": 3})
    until(page, "stop")
    assert "error" not in names(page)


def test_wrong_key_and_wrong_face_are_thrown_at_once(page: Page, server: Server) -> None:
    with pytest.raises(PageError, match="INVALID_API_KEY"):
        start(page, server, key="wrong")
    with pytest.raises(PageError, match="INVALID_FACE_ID"):
        start(page, server, face="00000000-0000-4000-8000-000000000000")


def test_bad_token_rejects_with_its_reason_without_retrying(page: Page, server: Server) -> None:
    said = page.evaluate(
        """async ([ws]) => {
            const video = document.createElement("video");
            const client = new window.client.SimliClient("forged", video, new Audio(), [{ urls: "stun:127.0.0.1:1" }],
                undefined, "p2p", "websockets", ws);
            const began = performance.now();
            try { await client.start(); return "started"; }
            catch (error) { return [String(error), performance.now() - began]; }
        }""",
        [server.ws],
    )
    assert "INVALID_SESSION_TOKEN" in said[0]
    assert said[1] < 5_000


def test_livekit_mode_is_answered_not_left_hanging(page: Page, server: Server) -> None:
    with pytest.raises(PageError, match="LIVEKIT"):
        start(page, server, mode="livekit")


def test_a_full_server_says_so(chrome: Browser, bundle: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "full", environ={"MOUTHPIECE_LIMITS_MAX_SESSIONS": "0"}) as full:
        page = chrome.new_page()
        page.goto(f"{full.url}/healthz")
        page.add_script_tag(path=bundle)
        page.add_script_tag(path=DRIVER)
        with pytest.raises(PageError, match=r"RATE|overloaded"):
            start(page, full)
        page.close()
