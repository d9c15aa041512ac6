"""Unmodified simli-client 3.x goes on in a LiveKit room when it has no luck peer to peer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.clients import test_simli_client as v3
from tests.support.browser import browser, watched_page
from tests.support.environments import browser_bundle
from tests.support.server import Server

pytestmark = [pytest.mark.client, pytest.mark.browser, pytest.mark.timeout(300)]


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
