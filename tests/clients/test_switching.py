"""Every snippet of docs/switching.md, run as it stands: only address and key are put in."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.support.browser import browser
from tests.support.environments import browser_bundle, python_client
from tests.support.server import KEY, Server

PAGE = Path(__file__).parents[2] / "docs" / "switching.md"
SNIPPETS: dict[str, str] = dict(re.findall(r"<!-- snippet: (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL))

pytestmark = [pytest.mark.client, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as it:
        yield it


def snippet(name: str, server: Server) -> str:
    code = SNIPPETS[name].replace("YOUR_KEY", KEY)
    assert "127.0.0.1:8800" in code
    return code.replace("127.0.0.1:8800", server.url.removeprefix("http://"))


def test_there_is_a_snippet_for_each_kind_of_client() -> None:
    kinds = {name for name in SNIPPETS if name != "sh"}
    assert {re.split("==|@", name)[0] for name in kinds} == {"simli-ai", "simli-client"}


@pytest.mark.parametrize("name", [name for name in SNIPPETS if "==" in name])
def test_python_snippets_show_a_picture(name: str, server: Server) -> None:
    python = str(python_client(name))
    code = snippet(name, server)
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "512 512" in done.stdout


@pytest.mark.browser
@pytest.mark.parametrize("name", [name for name in SNIPPETS if "@" in name])
def test_browser_snippets_show_a_picture(name: str, server: Server, chrome: Browser) -> None:
    page = chrome.new_page()
    page.goto(f"{server.url}/healthz")
    page.set_content("<video id=video autoplay playsinline muted></video><audio id=audio autoplay></audio>")
    page.add_script_tag(path=browser_bundle(name))
    names = "SimliClient, generateSimliSessionToken, generateIceServers"
    page.evaluate(f"async () => {{ const {{ {names} }} = window.client; {snippet(name, server)} }}")
    page.wait_for_function("() => video.videoWidth === 512 && video.currentTime > 0")
    page.close()


def test_the_http_snippet_orders_a_film(server: Server) -> None:
    done = subprocess.run(["sh", "-c", snippet("sh", server)], capture_output=True, text=True, timeout=60, check=False)
    assert set(json.loads(done.stdout)) == {"hls_url", "mp4_url"}
