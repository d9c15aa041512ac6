"""Unmodified clients go on in a LiveKit room, of their own accord, when they have no luck peer to peer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.clients import test_simli_client as v3
from tests.clients.test_simli_ai import drive, names
from tests.support.browser import beside, browser, watched_page
from tests.support.environments import browser_bundle, python_client
from tests.support.relay import relay
from tests.support.server import Server

from mouthpiece.media import SAMPLE_RATE

NO_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp"

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


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


@pytest.fixture
def page_without_udp(chrome: Browser, livekit_house: Server) -> Iterator[Page]:
    """In a browser that may use WebRTC over TCP only, as behind many firewalls."""
    with beside(chrome, NO_UDP) as firewalled:
        it = watched_page(firewalled.new_context(), [])
        it.goto(f"{livekit_house.url}/healthz")
        yield it


@pytest.mark.browser
def test_simli_client_3_falls_back_by_itself_where_udp_is_blocked(
    page_without_udp: Page, livekit_house: Server, speech: Path
) -> None:
    """Three attempts peer to peer, 15 s each, then a room with the same token, over TCP."""
    page = page_without_udp
    tokens: list[str] = []
    page.on("websocket", lambda socket: tokens.append(socket.url))
    page.add_script_tag(path=browser_bundle("simli-client@3.0.1"))
    page.add_script_tag(path=v3.DRIVER)
    v3.start(page, livekit_house, mode="p2p")
    assert page.evaluate("() => window.session.client.transport") == "livekit"
    ways = [url.split("/compose/webrtc/")[1].split("?")[0] for url in tokens if "/compose/webrtc/" in url]
    assert ways == ["p2p", "p2p", "p2p", "livekit"]
    token = page.evaluate("() => encodeURIComponent(window.session.token)")
    assert all(token in url for url in tokens if "/compose/webrtc/" in url), "all with the same token"
    v3.send(page, "sendAudioData", speech.read_bytes())
    v3.until(page, "silent", 3)
    assert page.evaluate("() => window.session.size") == [512, 512]
    got = page.evaluate("() => window.report()")
    assert len(got["seen"]) > 50
    assert max(level for _, level in got["heard"]) > 300


def test_simli_ai_falls_back_by_itself_when_the_way_peer_to_peer_is_cut(livekit_house: Server, speech: Path) -> None:
    """2.1 does; 2.0 means to, but takes its second attempt for the first one, and returns without a session."""
    python = python_client("simli-ai==2.1.0", "av<17", "livekit==1.1.21")
    seconds = speech.stat().st_size / 2 / SAMPLE_RATE
    acts: list[list[object]] = [["wait", 1.0], ["send", str(speech)], ["wait", seconds + 1], ["stop"]]
    with relay(livekit_house.url, refused="/compose/webrtc/p2p") as (url, lines):
        there = Server(url, url, livekit_house.data, livekit_house.process)
        result = drive(python, there, *acts, mode="P2P", retries=3)
    sockets = [line.split("/compose/webrtc/")[1].split("?")[0] for line in lines if "/compose/webrtc/" in line]
    assert sockets == ["p2p", "livekit"]
    assert result["mode"] == "LIVEKIT"
    assert names(result)[:6] == ["speak", "silent"] * 3
    assert result["size"] == [512, 512]
    assert len(result["seen"]) > 50
    assert max(level for _, level in result["heard"]) > 300
