"""Unmodified clients of other generations whose media goes through a LiveKit room; only the base URL is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.clients import test_simli_ai_v1 as v1
from tests.clients import test_simli_client as v3
from tests.clients import test_simli_client_v1 as js_v1
from tests.support.browser import browser, watched_page
from tests.support.environments import browser_bundle
from tests.support.lips import Fit
from tests.support.server import Server

from mouthpiece.media import SAMPLE_RATE

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


def check(got: Fit, lag: float = 0.16) -> None:
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= lag, got


def test_simli_ai_1_0_sends_speech_and_sees_lips_move_with_it(livekit_house: Server, speech: Path) -> None:
    seconds = speech.stat().st_size / 2 / SAMPLE_RATE
    acts: list[list[object]] = [["wait", 0.5], ["send", str(speech)], ["wait", seconds + 1]]
    result = v1.drive("1.0.3", livekit_house, *acts)
    assert "error" not in result, result
    assert result["ran"], "the client did not stop by itself"
    assert result["size"] == [512, 512]
    check(v1.lips(result))


# --- browsers ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as it:
        yield it


@pytest.fixture
def page(chrome: Browser, livekit_house: Server) -> Iterator[Page]:
    context = chrome.new_context()
    it = watched_page(context, [])
    it.goto(f"{livekit_house.url}/healthz")
    yield it
    context.close()


@pytest.mark.browser
def test_simli_client_3_sends_speech_and_sees_lips_move_with_it(
    page: Page, livekit_house: Server, speech: Path
) -> None:
    page.add_script_tag(path=browser_bundle("simli-client@3.0.1"))
    page.add_script_tag(path=v3.DRIVER)
    assert v3.start(page, livekit_house, mode="livekit") < 15_000
    v3.send(page, "sendAudioData", speech.read_bytes())
    v3.until(page, "silent", 3)
    assert page.evaluate("() => window.session.size") == [512, 512]
    check(v3.lips(page))


@pytest.mark.browser
def test_simli_client_3_goes_on_in_a_room_with_the_same_token(page: Page, livekit_house: Server) -> None:
    """What it does after three failures peer to peer."""
    page.add_script_tag(path=browser_bundle("simli-client@3.0.1"))
    page.add_script_tag(path=v3.DRIVER)
    v3.start(page, livekit_house, mode="p2p")
    page.evaluate(
        """async ([ws]) => {
            const { SimliClient } = window.client;
            const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true });
            document.body.append(video);
            const room = new SimliClient(window.session.token, video, new Audio(), window.session.ice,
                undefined, "livekit", "websockets", ws);
            await room.start();
            await room.stop();
        }""",
        [livekit_house.ws],
    )


@pytest.mark.browser
def test_simli_client_2_sends_speech_and_sees_lips_move_with_it(
    page: Page, livekit_house: Server, speech: Path
) -> None:
    release = js_v1.Release("2.0.0")
    js_v1.start(page, release, livekit_house, config={"SimliURL": livekit_house.url})
    js_v1.send(page, speech.read_bytes())
    v3.until(page, "silent", 3)
    check(v3.lips(page))
