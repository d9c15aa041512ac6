"""The sample programs of the original documents, as printed: only the host is another, and the radio is our speech.

v1: ``index.html``, ``client.js`` and ``server.py``, whose token goes over the socket after its data channel opened. v2:
``client.js`` on a page of the server's own origin. Both decode sound with ``server.py`` and send it on the socket or on
the data channel, whichever of its two printed functions is used.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, TimeoutError
from tests.support.browser import browser
from tests.support.lips import Fit, fit
from tests.support.seeds import between, code_blocks, seed, snippet
from tests.support.server import KEY, Server, free_port

WATCH = Path(__file__).parent / "drivers" / "simli_client_v3.js"
RADIO = "https://radio.talksport.com/stream"
LOUD = "window.session.heard.filter(([, level]) => level > 300)"
STATE = f"""() => [pc.connectionState, dc.readyState, window.session.seen.length, window.session.heard.length,
    {LOUD}.length, Math.max(...window.session.heard.map(([, level]) => level)), audio.paused, audio.currentTime,
    document.getElementById('data-channel').textContent.slice(-500)]"""
OVER_SOCKET, OVER_CHANNEL = "wsConnection.send(event.data)", "dc.send(event.data)"

pytestmark = [pytest.mark.client, pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def radio(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The speech as the MP3 that the sample expects, twice: the decoder keeps the last of it back."""
    out = tmp_path_factory.mktemp("radio") / "speech.mp3"
    raw = ("-f", "s16le", "-ar", "16000", "-ac", "1")
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-stream_loop", "1", *raw, "-i", str(speech), "-b:a", "64k", str(out)],
        check=True,
    )
    return out.read_bytes()


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The document's ``server.py`` on a free port."""
    port = free_port()
    code = between(seed(3), 'filename="server.py"\n\nCopy\n', "\nTo run, just type").replace("8080", str(port))
    path = tmp_path_factory.mktemp("decoder") / "server.py"
    path.write_text(code)
    process = subprocess.Popen([sys.executable, str(path)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "running on" in line:
            break
    else:
        pytest.fail(f"server.py ended with {process.wait()}")
    yield port
    process.terminate()
    process.wait(10)
    process.stderr.close()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as it:
        yield it


@pytest.fixture
def page(chrome: Browser, radio: bytes) -> Iterator[Page]:
    context = chrome.new_context()
    page = context.new_page()
    allow = {"access-control-allow-origin": "*"}
    page.route(RADIO, lambda route: route.fulfill(body=radio, content_type="audio/mpeg", headers=allow))
    yield page
    context.close()


FAR_AWAY = f"""
const [Socket, atOnce, sockets] = [window.WebSocket, window.fetch, []];
window.WebSocket = class extends Socket {{ constructor(...rest) {{ super(...rest); sockets.push(this); }} }};
window.fetch = async (url, ...rest) => {{
  const waiting = () => sockets.some((one) => one.readyState === Socket.CONNECTING);
  while (url === "{RADIO}" && waiting()) await new Promise((r) => setTimeout(r, 5));
  return atOnce(url, ...rest);
}};
"""
"""A radio on the internet answers after the decoder next door. The samples count on it: they send to it unasked."""


def put(page: Page, server: Server, html: str, script: str) -> None:
    """Show a page of the server's own origin, which it does not have itself."""
    page.goto(f"{server.url}/healthz")
    page.set_content(html.replace('<script src="client.js"></script>', ""))
    page.add_script_tag(content=FAR_AWAY)
    page.add_script_tag(content=script)
    page.add_script_tag(path=WATCH)


def lips(page: Page) -> Fit:
    """Press start, hear the first line and its pause, and judge the mouth."""
    page.click("#start")
    page.wait_for_function("() => video.videoWidth > 0 && audio.srcObject", timeout=60_000)
    page.evaluate("() => { window.session = { seen: [], heard: [] }; watch(video, audio, window.session); }")
    try:
        page.wait_for_function(f"() => {LOUD}.length > 200", timeout=60_000)
    except TimeoutError:
        pytest.fail(f"not enough was heard: {page.evaluate(STATE)}")
    got = page.evaluate("() => ({ seen: window.session.seen, heard: window.session.heard })")
    assert page.evaluate("() => [video.videoWidth, video.videoHeight]") == [512, 512]
    seen_at, mouths = (np.array([row[i] for row in got["seen"]]) for i in (0, 1))
    heard_at, rms = (np.array([row[i] for row in got["heard"]]) for i in (0, 1))
    found = fit(seen_at, mouths, heard_at, rms, max_lag=0.8)
    parted = page.evaluate("() => { window.peers = [pc]; return window.parted(); }")
    assert abs(found.lag - parted) <= 0.2, (found, parted)
    return found


def v1_script(server: Server, decoder: int, way: str) -> str:
    """The step-by-step client.js: the one printed whole lacks an ``async``. Its last block is the data channel's."""
    text = between(seed(3), "client.js\nThe javascript file handles", 'filename="client.js"')
    blocks = code_blocks(text)
    assert OVER_SOCKET in blocks[-2]
    assert OVER_CHANNEL in blocks[-1]
    script = "\n".join(blocks if way == OVER_CHANNEL else blocks[:-1])
    script = script.replace("wss://api.simli.ai", server.ws).replace("https://api.simli.ai", server.url)
    return script.replace("SIMLI_API_KEY", KEY).replace("localhost:8080", f"localhost:{decoder}")


@pytest.mark.parametrize("way", [OVER_SOCKET, OVER_CHANNEL], ids=["socket", "data-channel"])
def test_legacy_page_as_printed(page: Page, server: Server, decoder: int, way: str) -> None:
    html = between(seed(3), 'filename="index.html"\n\nCopy\n', "</html>") + "</html>"
    put(page, server, html, v1_script(server, decoder, way))
    got = lips(page)
    assert got.correlation > 0.5, got
    log = page.inner_text("#data-channel")
    assert "< ACK" in log
    assert "< START" in log
    assert "< pong" in log
    page.click("#stop")


V2_REST = """
      document.getElementById("answer-sdp").textContent = answer.sdp; } catch (e) { console.log(e); } } });
  ws.addEventListener("open", () => ws.send(JSON.stringify({ sdp: offer.sdp, type: offer.type })));
  while (answer === null) await new Promise((r) => setTimeout(r, 10));
  await pc.setRemoteDescription(answer);
}
var answer = null, wsConnection = null, session_token, wsURL, dcZeroAudio, startStamp;
function current_stamp() { return new Date().getTime() - startStamp; }
async function createPeerConnection() {
  const key = document.getElementById("apiKey").value;
  const response = await fetch("/compose/ice", { headers: { "x-simli-api-key": key } });
  pc = new RTCPeerConnection({ iceServers: await response.json() });
  pc.addEventListener("track", (evt) => { document.getElementById(evt.track.kind).srcObject = evt.streams[0]; });
  dc = pc.createDataChannel("datachannel", { ordered: true });
  dc.addEventListener("open", initializeWebsocketDecoder); // earlier, its loop would never let the page go on
  return pc;
}
"""
"""What the v2 snippet leaves out or calls "defined elsewhere": its end, its ICE list, its variables."""


def v2_page() -> str:
    """The v1 page with the fields that the v2 script reads."""
    html = between(seed(3), 'filename="index.html"\n\nCopy\n', "</html>") + "</html>"
    fields = {"faceId": "tmp9i8bbq7c", "apiKey": KEY, "maxSessionLength": "600", "maxIdleTime": "300"}
    inputs = "".join(f'<input id="{name}" value="{value}">' for name, value in fields.items())
    inputs += '<input type="file" id="fileInput"><button id="playImmediate"></button>'
    return html.replace("<h2>State</h2>", inputs + "<h2>State</h2>")


def v2_script(decoder: int, way: str) -> str:
    """The printed functions of v2's client.js; what it shares with v1's is taken from there."""
    text = seed(2)
    shared = code_blocks(between(seed(3), "client.js\nThe javascript file handles", 'filename="client.js"'))
    decode = snippet(text, "Initialize WebSocket Decoder")
    assert OVER_CHANNEL in decode
    play = snippet(text, "Play Immediate with File Data")
    parts = [
        shared[0],
        "var pc = null, dc = null;",
        shared[2],
        snippet(text, "Start Peer Connection and Negotiation"),
        snippet(text, "Connect to Remote Peer and Handle WebSocket Messages") + V2_REST,
        decode.replace(OVER_CHANNEL, way).replace("localhost:8080", f"localhost:{decoder}"),
        _without_comments(play),
    ]
    return "\n".join(parts)


COMMENTS = (
    "// Add event listener for file input change event ",
    "// Default is utf-8 ",
    '// Uint8Array of " World!" ',
    '// let chunkSize = parseInt(document.getElementById("chunkSize").value); ',
    "// console.log(uint8Array) ",
    "// for (var x = 0; x < 600; x++) ",
    '// dc.send(uint8Array); // console.log("SUNEN"); ',
)


def _without_comments(code: str) -> str:
    """It is printed on one line, so its line comments would swallow the rest."""
    for comment in COMMENTS:
        assert comment in code
        code = code.replace(comment, "")
    return code


@pytest.mark.parametrize("way", [OVER_SOCKET, OVER_CHANNEL], ids=["socket", "data-channel"])
def test_v2_script_as_printed(page: Page, server: Server, decoder: int, way: str) -> None:
    put(page, server, v2_page(), v2_script(decoder, way))
    got = lips(page)
    assert got.correlation > 0.5, got
    log = page.inner_text("#data-channel")
    assert "< START" in log
    assert "video_metadata" in log


def test_v2_play_immediate_sends_a_whole_file(page: Page, server: Server, decoder: int, speech: Path) -> None:
    page.route(RADIO, lambda route: route.abort())
    put(page, server, v2_page(), v2_script(decoder, OVER_SOCKET))
    page.click("#start")
    page.wait_for_function("() => video.videoWidth > 0 && dc.readyState === 'open'", timeout=60_000)
    page.set_input_files("#fileInput", speech)
    assert speech.stat().st_size > 128_000
    page.evaluate("() => playImmediate()")
    page.wait_for_function("() => document.getElementById('data-channel').textContent.includes('< SPEAK')")
