"""Faces without a background in a real Chromium: a WebM with opacity, and a live picture put together by the snippet
of docs/canvas.md, each over a page of a colour that no face has.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page
from tests.support.browser import browser
from tests.support.server import KEY, Server, serving

from mouthpiece.face.catalog import load
from mouthpiece.media import SAMPLE_RATE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

DOC = Path(__file__).parents[2] / "docs" / "canvas.md"
PAGE_COLOUR = (0, 255, 64)
PAGE = """<body style="margin: 0; background: rgb(0, 255, 64)">
<video autoplay muted playsinline></video><canvas></canvas></body>"""
LIVE = """
async (url) => {
  const video = document.querySelector("video"), canvas = document.querySelector("canvas");
  video.style = "position: absolute; left: 600px; top: 0; width: 200px";
  composite(video, canvas);
  const pc = window.pc = new RTCPeerConnection(), socket = window.socket = new WebSocket(url);
  const open = new Promise((done) => { socket.onopen = done; });
  pc.ontrack = ({track}) => { if (track.kind === "video") video.srcObject = new MediaStream([track]); };
  for (const kind of ["audio", "video"]) pc.addTransceiver(kind, {direction: "recvonly"});
  await pc.setLocalDescription(await pc.createOffer());
  await open;
  socket.send(JSON.stringify({type: "offer", sdp: pc.localDescription.sdp}));
  socket.onmessage = ({data}) => {
    if (data.startsWith("{") && data.includes('"answer"')) pc.setRemoteDescription(JSON.parse(data));
    if (data === "START") {
      const tone = Int16Array.from({length: 48000}, (_, k) => 9000 * Math.sin(k / 14) * (k % 8000 > 3000));
      socket.send(tone.buffer);
    }
  };
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("clear") / "data", environ={"MOUTHPIECE_RENDER_WAIT_S": "100"}) as it:
        yield it


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser("--enable-unsafe-swiftshader") as chrome:
        page = chrome.new_page(viewport={"width": 1000, "height": 600})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        assert faults == []


def shown(page: Page) -> NDArray[np.uint8]:
    """A screenshot of the page's upper left 512 x 512."""
    data = page.screenshot(clip={"x": 0, "y": 0, "width": 512, "height": 512})
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def assert_composited(seen: NDArray[np.uint8]) -> None:
    """The page around the person, the person before it, and hardly anything between."""
    away = np.abs(seen.astype(int) - PAGE_COLOUR).max(2)
    assert away[:20].max() < 12
    assert away[:250, :40].max() < 12
    pack = load("mia").pack
    x, y = pack.landmarks[:, 0].astype(int), pack.landmarks[:, 1].astype(int)
    face = seen[y[10] + 30 : y[152] - 30, x[234] + 45 : x[454] - 45].astype(int)
    assert face.size > 30_000
    assert (face[..., 0] >= face[..., 1] - 12).mean() > 0.9, "a face is red rather than green"
    middling = ((away > 40) & (away < 100)).mean()
    assert middling < 0.03, "edges are thin"
    person = (away > 100).mean()
    assert 0.3 < person < 0.6


def test_a_webm_lies_over_the_page(server: Server, page: Page) -> None:
    sound = base64.b64encode(np.zeros(SAMPLE_RATE, np.int16).tobytes()).decode()
    body = {"faceId": "mia", "audioFormat": "pcm16", "audioBase64": sound, "transparent": True}
    answer = httpx.post(f"{server.url}/static/audio", json=body, headers={"x-simli-api-key": KEY}, timeout=60)
    page.set_content(PAGE)
    url = answer.json()["webm_url"]
    film = httpx.get(url, timeout=120)
    assert film.headers["content-type"] == "video/webm", film.text
    page.evaluate(
        """(url) => new Promise((done, fail) => {
            const video = document.querySelector("video");
            video.src = url;
            video.onerror = () => fail(video.error.message);
            video.requestVideoFrameCallback(done);
        })""",
        url,
    )
    size = page.evaluate("() => { const v = document.querySelector('video'); return [v.videoWidth, v.videoHeight] }")
    assert size == [512, 512]
    assert_composited(shown(page))


def test_a_live_picture_is_put_together_by_the_documented_snippet(server: Server, page: Page) -> None:
    found = re.search(r"```js\n(function composite.*?)```", DOC.read_text(), re.DOTALL)
    assert found
    page.set_content(PAGE)
    page.add_script_tag(content=found[1])
    token = server.token(faceId="mia", transparent=True)
    page.evaluate(LIVE, f"{server.ws}/compose/webrtc/p2p?session_token={token}")
    page.wait_for_function("() => document.querySelector('canvas').width === 512", timeout=60_000)
    page.wait_for_function(
        "async () => [...(await pc.getStats()).values()].some((s) => s.kind === 'video' && s.framesDecoded > 30)",
        timeout=60_000,
    )
    seen = shown(page)
    size = page.evaluate("() => { const v = document.querySelector('video'); return [v.videoWidth, v.videoHeight] }")
    page.evaluate("() => { socket.close(); pc.close() }")
    assert size == [1024, 512]
    assert_composited(seen)
