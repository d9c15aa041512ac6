"""Every snippet of docs/switching.md, run as it stands: only address and key are put in."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.clients.matrix import ROWS
from tests.support.browser import browser
from tests.support.environments import browser_bundle, python_client
from tests.support.livekit import KEY as LIVEKIT_KEY
from tests.support.livekit import SECRET, LiveKitServer
from tests.support.server import KEY, Server

DRIVER = Path(__file__).parent / "drivers" / "snippets.py"
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
    frameworks = {"pipecat-ai[simli]", "livekit-plugins-simli"}
    assert {re.split("==|@", name)[0] for name in kinds} == {"simli-ai", "simli-client", *frameworks}
    rows = {(row.client.split(" ")[0], row.version) for row in ROWS}
    tested = {tuple(re.split("==|@", name)) for name in kinds if not name.startswith("pipecat")}
    assert tested <= rows, "what is advised is in the table of compatibility"


@pytest.fixture
def house(name: str, request: pytest.FixtureRequest) -> Server:
    """The server that a snippet needs: with a LiveKit server beside it, or without."""
    it: Server = request.getfixturevalue("livekit_house" if name in ROOMS else "server")
    return it


ROOMS = {"simli-ai==1.0.3", "simli-client@2.0.0", "livekit-plugins-simli==1.8.9"}


@pytest.mark.parametrize("name", [name for name in SNIPPETS if name.startswith("simli-ai")])
def test_python_snippets_show_a_picture(name: str, house: Server) -> None:
    python = str(python_client(name))
    code = snippet(name, house)
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "512 512" in done.stdout


def test_the_pipecat_snippet_shows_a_picture(server: Server) -> None:
    name = "pipecat-ai[simli]==1.14.0"
    assert in_its_framework("pipecat", snippet(name, server), python_client(name)) == "512 512"


def test_the_livekit_snippet_shows_a_picture(livekit: LiveKitServer, livekit_house: Server) -> None:
    name = "livekit-plugins-simli==1.8.9"
    python = python_client(name, "livekit-agents==1.8.9")
    environ = {"LIVEKIT_URL": livekit.url, "LIVEKIT_API_KEY": LIVEKIT_KEY, "LIVEKIT_API_SECRET": SECRET}
    assert in_its_framework("livekit", snippet(name, livekit_house), python, environ) == "512 512"


def in_its_framework(framework: str, code: str, python: Path, environ: Mapping[str, str] | None = None) -> str:
    """The size of the first picture, as the driver prints it."""
    command = [str(python), str(DRIVER), framework, code]
    env = {**os.environ, **(environ or {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


@pytest.mark.browser
@pytest.mark.parametrize("name", [name for name in SNIPPETS if "@" in name])
def test_browser_snippets_show_a_picture(name: str, house: Server, chrome: Browser) -> None:
    page = chrome.new_page()
    page.goto(f"{house.url}/healthz")
    page.set_content("<video id=video autoplay playsinline muted></video><audio id=audio autoplay></audio>")
    page.add_script_tag(path=browser_bundle(name))
    names = "SimliClient, generateSimliSessionToken, generateIceServers"
    page.evaluate(f"async () => {{ const {{ {names} }} = window.client; {snippet(name, house)} }}")
    page.wait_for_function("() => video.videoWidth === 512 && video.currentTime > 0")
    page.close()


def test_the_http_snippet_orders_a_film(server: Server) -> None:
    done = subprocess.run(["sh", "-c", snippet("sh", server)], capture_output=True, text=True, timeout=60, check=False)
    assert set(json.loads(done.stdout)) == {"hls_url", "mp4_url"}
