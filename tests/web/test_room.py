"""The room page in a real Chromium, with a fake microphone that plays speech: asked, answered, interrupted, written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page
from tests.support.browser import browser, watched_page
from tests.support.microphone import quiet, recorded, said
from tests.support.server import KEY, Server, serving

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")
pytestmark = pytest.mark.browser

HEADERS = {"x-simli-api-key": KEY}
NOTES = "The museum opens at nine. " + "The museum has many rooms and many pictures in each of them. " * 6
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question, a pause in which the answer begins, and a word into it; over and over."""
    question = said("Tell me about the museum please, the museum and its pictures.")
    stop = said("Stop, stop, stop it please, that is enough.")
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    return recorded(path, quiet(4), question, quiet(6), stop, quiet(8))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("room") / "data", environ={"MOUTHPIECE_AGENTS_FIND_LOCAL": "false"}) as it:
        yield it


def begin(server: Server, **more: object) -> dict[str, Any]:
    body = {
        "faceId": "mia",
        "systemPrompt": NOTES,
        "firstMessage": "Hello, I am Mia.",
        "createTranscript": True,
        **more,
    }
    answer = httpx.post(f"{server.url}/auto/start/configurable", json=body, headers=HEADERS, timeout=60)
    answer.raise_for_status()
    return dict(answer.json())


def transcript(server: Server, started: dict[str, Any]) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}/auto/transcript/{started['sessionId']}", headers=HEADERS)
    return list(answer.json()["transcript"])


def lines(page: Page, selector: str, count: int = 1) -> None:
    page.wait_for_function(
        "([selector, count]) => document.querySelectorAll(selector).length >= count", arg=[selector, count],
        timeout=PATIENCE_MS,
    )  # fmt: skip


def test_a_conversation_is_held_interrupted_dropped_and_written_down(server: Server, microphone: Path) -> None:
    started = begin(server)
    faults: list[str] = []
    with browser(microphone=microphone) as chromium:
        context = chromium.new_context(permissions=["microphone"], accept_downloads=True)
        page = watched_page(context, faults)
        page.goto(started["roomUrl"])
        page.click("#join")
        page.click("#words")
        lines(page, "#lines li.assistant")
        assert "Hello, I am Mia." in page.inner_text("#lines")
        lines(page, "#lines li.user")
        lines(page, "#lines li.assistant.cut")  # the answer, cut short by the voice from the microphone
        page.wait_for_selector("#call.live")
        page.evaluate("roomCall().drop()")
        page.wait_for_function("document.querySelector('#state').dataset.state === 'connecting'")
        page.wait_for_function("document.querySelector('#state').dataset.state === 'listening'", timeout=PATIENCE_MS)
        lines(page, "#lines li.user", 2)  # it goes on
        with page.expect_download() as download:
            page.click("#save")
        assert "Avatar: Hello, I am Mia." in Path(download.value.path()).read_text()
        page.click("#end")
        page.wait_for_function("document.querySelector('#error').textContent.includes('over')", timeout=PATIENCE_MS)
        page.goto(started["roomUrl"])
        page.click("#join")
        page.wait_for_function("document.querySelector('#error').textContent.includes('is over')", timeout=PATIENCE_MS)
    assert faults == []
    said = transcript(server, started)
    assert [line["content"] for line in said].count("Hello, I am Mia.") == 1, "not said again after the drop"
    assert {line["role"] for line in said} == {"user", "assistant"}
    assert any(line["interrupted"] for line in said if line["role"] == "assistant")
    assert [line["timestamp"] for line in said] == sorted(line["timestamp"] for line in said)


def test_the_page_fits_a_phone_and_a_frame_and_keeps_to_its_origins(server: Server) -> None:
    started = begin(server)
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 360, "height": 640})
        page.goto(started["roomUrl"])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = page.locator("#join").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 640
        page.set_content(f"<iframe allow='microphone' src='{started['roomUrl']}'></iframe>")
        assert page.frame_locator("iframe").locator("#join").is_visible()
    token = httpx.post(
        f"{server.url}/auto/token", json={"simliAPIKey": KEY, "originAllowList": ["https://shop.example"]}
    ).json()["token"]
    answer = httpx.post(f"{server.url}/auto/start/configurable", json={"token": token})
    policy = httpx.get(answer.json()["roomUrl"]).headers["content-security-policy"]
    assert policy == "frame-ancestors 'self' https://shop.example"
    assert httpx.get(f"{server.url}/room/x?token=bad").headers["content-security-policy"] == "frame-ancestors 'self'"
