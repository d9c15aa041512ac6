"""The document's quick start as a page in a real Chromium, with its own messages and a microphone that speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page
from tests.support.browser import browser, watched_page
from tests.support.microphone import quiet, recorded, said
from tests.support.seeds import seed
from tests.support.server import KEY, Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HEADERS = {"x-simli-api-key": KEY}
PATIENCE_MS = 90_000
NOTES = "The museum opens at nine. The museum has many rooms and many pictures in each of them."


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pause, and a question; over and over."""
    question = said("Tell me about the museum please, the museum and its pictures.")
    return recorded(tmp_path_factory.mktemp("microphone") / "speech.wav", quiet(8), question)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("page") / "data", environ={"MOUTHPIECE_AGENTS_FIND_LOCAL": "false"}) as it:
        yield it


@pytest.fixture(scope="module")
def samples() -> dict[str, Any]:
    """The document's messages, by type."""
    blocks = re.findall(r"```json[^\n]*\n(.*?)\n```", seed(4), re.DOTALL)
    return {message["type"]: message for message in map(json.loads, blocks)}


@pytest.fixture
def page(server: Server, microphone: Path) -> Iterator[Page]:
    faults: list[str] = []
    with browser(microphone=microphone) as chromium:
        page = watched_page(chromium.new_context(permissions=["microphone"]), faults)
        page.goto(f"{server.url}/healthz")
        page.add_script_tag(path=Path(__file__).with_name("page.js"))
        yield page
    assert faults == []


def call(page: Page, server: Server, samples: dict[str, Any], token: str, **more: object) -> None:
    path = seed(4).split("`wss://webrtc-gateway.us-1.platform.polyai.app", 1)[1].split("`", 1)[0]
    asked = {
        "signal": server.ws + path,
        "ice": f"{server.url}/api/v1/ice-servers?token={token}",
        "samples": samples,
        "token": token,
        "more": more,
    }
    page.evaluate("(asked) => startCall(asked)", asked)


def until(page: Page, true: str) -> None:
    page.wait_for_function(true, timeout=PATIENCE_MS)


def test_the_quick_start_as_written_is_answered_by_an_agent(
    page: Page, server: Server, samples: dict[str, Any]
) -> None:
    pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")
    body = {"face_id": "tmp9i8bbq7c", "prompt": NOTES, "first_message": "Museum, hello!"}
    agent = httpx.post(f"{server.url}/auto/agent", json=body, headers=HEADERS).json()["id"]
    asked = {"simliAPIKey": KEY, "createTranscript": True, "originAllowList": [server.url]}
    token = httpx.post(f"{server.url}/auto/token", json=asked).json()["token"]
    call(page, server, samples, token, projectId=agent)
    until(page, "() => call.pc.connectionState === 'connected'")
    until(page, "() => call.loud > 5")  # it greets
    session_id = page.evaluate("() => call.sessionId")
    assert page.evaluate("() => codecs()") == [["audio/opus", 48_000, 2]] * 2
    assert "m=audio" in page.evaluate("() => call.answer")
    log = page.evaluate("() => call.log")
    assert log.index("answer") < log.index("ice-candidate")
    assert "ours" in log
    url = f"{server.url}/auto/transcript/{session_id}"
    said: list[dict[str, Any]] = []
    for _ in range(PATIENCE_MS // 500):
        said = httpx.get(url, headers=HEADERS).json()["transcript"]
        if [line["role"] for line in said[:3]] == ["assistant", "user", "assistant"]:
            break
        page.wait_for_timeout(500)
    assert [line["role"] for line in said[:3]] == ["assistant", "user", "assistant"], said
    assert said[2]["content"].startswith("No language model"), (
        "so the embedded responder begins, until it is interrupted"
    )
    page.evaluate("(samples) => hangUp(samples)", samples)
    until(page, "() => call.closed === 1000")
    assert page.evaluate("() => call.errors") == []


def test_the_quick_start_in_mode_echo_hears_its_own_microphone(
    page: Page, server: Server, samples: dict[str, Any]
) -> None:
    call(page, server, samples, KEY, mode="echo")
    until(page, "() => call.loud > 20")
    assert page.evaluate("() => codecs()") == [["audio/opus", 48_000, 2]] * 2
    page.evaluate("() => call.ws.close()")  # the socket goes, the sound stays
    before = page.evaluate("() => call.loud")
    until(page, f"() => call.loud > {before + 20}")
    page.evaluate("() => call.pc.close()")
    assert page.evaluate("() => call.errors") == []


def test_the_samples_own_token_is_told_to_be_wrong_in_the_samples_own_words(
    page: Page, server: Server, samples: dict[str, Any]
) -> None:
    call(page, server, samples, KEY, authToken=samples["offer"]["authToken"])
    until(page, "() => call.errors.length > 0")
    assert page.evaluate("() => call.errors") == [samples["error"]["data"]]
