"""Unmodified simli-client 1.x (npm) in a real Chromium against a real server: only the base URL is changed.

1.1.6 has none to change: its host is mapped to the server, which shows a certificate of its own making.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PageError
from tests.support.browser import browser, watched_page
from tests.support.environments import browser_bundle
from tests.support.lips import Fit, fit
from tests.support.server import KEY, Server, serving

DRIVERS = [Path(__file__).parent / "drivers" / f"simli_client_{name}.js" for name in ("v3", "v1")]
FACE = "tmp9i8bbq7c"
CHUNK = 6000

pytestmark = [pytest.mark.client, pytest.mark.browser, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Release:
    """One release of the package. ``refs``: it takes React references; ``fixed``: its host cannot be changed."""

    version: str
    refs: bool = False
    fixed: bool = False


RELEASES = (Release("1.2.20"), Release("1.2.3", refs=True), Release("1.1.6", refs=True, fixed=True))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("secure") / "data", ("--workers", "0", "--tls", "self")) as it:
        yield it


@pytest.fixture(scope="module")
def chrome(secure: Server) -> Iterator[Browser]:
    port = secure.url.rsplit(":", 1)[1]
    with browser(f"--host-resolver-rules=MAP api.simli.ai:443 127.0.0.1:{port}", "--ignore-certificate-errors") as it:
        yield it


@pytest.fixture
def page(chrome: Browser) -> Iterator[Page]:
    faults: list[str] = []
    context = chrome.new_context(ignore_https_errors=True)
    yield watched_page(context, faults)
    context.close()
    assert not faults


def start(page: Page, release: Release, server: Server, **plan: object) -> float:
    """Start a session; milliseconds until its first picture."""
    page.goto(f"{server.url}/healthz")
    page.add_script_tag(path=browser_bundle(f"simli-client@{release.version}", "events@3.3.0"))
    for driver in DRIVERS:
        page.add_script_tag(path=driver)
    full = {"http": server.url, "key": KEY, "face": FACE, "refs": release.refs, **plan}
    return float(page.evaluate("(plan) => window.drive(plan)", full))


def send(page: Page, pcm: bytes) -> None:
    """As the documents advise: 6000 bytes at a time."""
    code = """([data, size]) => { const bytes = window.bytes(data);
        for (let i = 0; i < bytes.length; i += size) window.session.client.sendAudioData(bytes.slice(i, i + size)); }"""
    page.evaluate(code, [base64.b64encode(pcm).decode(), CHUNK])


def names(page: Page) -> list[str]:
    return [name for _, name, _ in page.evaluate("() => window.session.events")]


def until(page: Page, event: str, count: int = 1) -> None:
    page.wait_for_function(
        "([event, count]) => window.session.events.filter(([, name]) => name === event).length >= count",
        arg=[event, count],
    )


def lips(page: Page) -> Fit:
    got: dict[str, Any] = page.evaluate("() => window.report()")
    seen_at, mouths = (np.array([row[i] for row in got["seen"]]) for i in (0, 1))
    heard_at, rms = (np.array([row[i] for row in got["heard"]]) for i in (0, 1))
    return fit(seen_at, mouths, heard_at, rms)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_sends_speech_and_sees_lips_move_with_it(
    page: Page, release: Release, server: Server, secure: Server, speech: Path
) -> None:
    assert start(page, release, secure if release.fixed else server) < 15_000
    send(page, speech.read_bytes())
    if release.fixed:  # it has no events for speech
        page.wait_for_function("() => window.session.heard.filter(([, level]) => level > 300).length > 100")
        page.wait_for_function("() => window.session.heard.slice(-60).every(([, level]) => level < 100)")
    else:
        until(page, "silent", 3)
        assert [n for n in names(page) if n in {"speaking", "silent"}] == ["speaking", "silent"] * 3
    assert page.evaluate("() => window.session.size") == [512, 512]
    got = lips(page)
    assert got.correlation > 0.6, got
    assert abs(got.lag) <= 0.2, got
    assert "failed" not in names(page)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_the_end_of_the_session_reaches_the_client(
    page: Page, release: Release, server: Server, secure: Server
) -> None:
    start(page, release, secure if release.fixed else server, config={"maxSessionLength": 4})
    until(page, "disconnected")


def test_a_wrong_key_is_refused(page: Page, server: Server) -> None:
    with pytest.raises(PageError, match="INVALID_API_KEY"):
        start(page, RELEASES[0], server, key="wrong")
