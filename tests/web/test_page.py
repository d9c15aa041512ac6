"""The demo page in a real Chromium, with a real server behind it, as a person meets it."""

from __future__ import annotations

import base64
import io
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import FLAGS, browser, chromium
from tests.support.lips import Fit, fit
from tests.support.server import KEY, Server, serving

from mouthpiece.app.page import with_code
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.settings import StoreSettings
from mouthpiece.store.secrets import Secrets
from mouthpiece.web.access import PageAccess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LINES = ("My mama bought a big blue boat.", "We follow five very fine foxes.")
PAUSE = np.zeros(round(0.9 * SAMPLE_RATE), np.int16)
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True,
}  # fmt: skip
PATIENCE_MS = 30_000

EYES_AND_EARS = """
// What a person sees and hears: the mouth's pixels of every picture, and how loud the face is.
const seen = window.seen = [], heard = window.heard = [];
addEventListener("DOMContentLoaded", () => {
  const video = document.getElementById("video");
  if (!video) return;
  const pen = new OffscreenCanvas(16, 8).getContext("2d", { willReadFrequently: true });
  const see = () => {
    const { videoWidth: w, videoHeight: h } = video;
    pen.drawImage(video, w * .35, h * .52, w * .3, h * .16, 0, 0, 16, 8);
    const grey = [];
    const { data } = pen.getImageData(0, 0, 16, 8);
    for (let i = 0; i < data.length; i += 4) grey.push(data[i + 1]);
    seen.push([performance.now() / 1000, grey]);
    video.requestVideoFrameCallback(see);
  };
  video.requestVideoFrameCallback(see);
  let ear = null, of = null;
  const samples = new Float32Array(1024);
  setInterval(() => {
    const stream = video.srcObject;
    if (!stream?.getAudioTracks().length) return;
    if (stream !== of) {
      const room = new AudioContext();
      ear = room.createAnalyser();
      ear.fftSize = 1024;
      room.createMediaStreamSource(of = stream).connect(ear);
    }
    ear.getFloatTimeDomainData(samples);
    heard.push([performance.now() / 1000, Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / 1024)]);
  }, 20);
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data") as it:
        yield it


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one place, that is reached from everywhere."""
    flags = ["--workers", "0", "--max-sessions", "1", "--host", "0.0.0.0"]
    with serving(tmp_path_factory.mktemp("small") / "data", flags) as it:
        yield it


@pytest.fixture(scope="module")
def speech(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WAV file with two bursts of speech, in the embedded voice."""
    parts: list[np.ndarray[Any, Any]] = []
    for line in LINES:
        said = httpx.post(f"{server.url}/speech", json={"text": line}, headers={"x-simli-api-key": KEY}, timeout=30)
        with wave.open(io.BytesIO(said.content)) as file:
            parts += [np.frombuffer(file.readframes(file.getnframes()), np.int16), PAUSE]
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(np.concatenate(parts).tobytes())
    return path


@pytest.fixture(scope="module")
def chrome(speech: Path) -> Iterator[Browser]:
    """A browser whose microphone plays the speech."""
    with browser(microphone=speech) as it:
        yield it


@pytest.fixture
def page(chrome: Browser) -> Iterator[Page]:
    yield from fresh(chrome)


def fresh(chrome: Browser, **device: object) -> Iterator[Page]:
    """A page of a new visitor; what goes wrong in its scripts fails the test."""
    faults: list[str] = []
    context = chrome.new_context(permissions=["microphone"], **device)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    it = context.new_page()
    it.on("pageerror", lambda error: faults.append(str(error)))
    it.add_init_script(EYES_AND_EARS)
    yield it
    context.close()
    assert not faults


def address(server: Server) -> str:
    """A fresh address of the page, as ``mouthpiece url`` prints it."""
    return with_code(server.url, PageAccess(Secrets.load(server.data, StoreSettings()).token_keys))


def state(page: Page, *wanted: str) -> None:
    """Wait until the state shown is one of these."""
    page.wait_for_function("(wanted) => wanted.includes(document.getElementById('state').dataset.state)", arg=wanted)


def enter(page: Page, server: Server) -> None:
    """Open the page, and cut its greeting short."""
    page.goto(address(server))
    state(page, "speaking")
    page.keyboard.press("Escape")
    state(page, "listening")
    page.evaluate("seen.length = heard.length = 0")


def lips(page: Page) -> Fit:
    seen, heard = page.evaluate("[seen, heard]")
    (seen_at, mouths), (heard_at, rms) = (
        [np.array([row[i] for row in rows]) for i in (0, 1)] for rows in (seen, heard)
    )
    return fit(seen_at, mouths, heard_at, rms * 32_768)


def spoken(page: Page, times: int = 1) -> None:
    for _ in range(times):
        state(page, "speaking")
        state(page, "listening")


# --- opening it ----------------------------------------------------------------------------------------------------
def test_the_address_of_the_ready_line_opens_on_a_face_that_talks(page: Page, server: Server) -> None:
    page.goto(server.ready_url)
    expect(page.locator("#poster")).to_be_visible()
    assert (
        page.evaluate("fetch(document.getElementById('poster').src).then((r) => r.headers.get('content-type'))")
        == "image/jpeg"
    )
    assert "code" not in page.url
    spoken(page)
    expect(page.locator("#frame")).to_have_class(re.compile(r"\blive\b"))
    assert page.evaluate("[video.videoWidth, video.videoHeight]") == [512, 512]
    mouths = np.array([mouth for _, mouth in page.evaluate("seen")])
    assert np.abs(np.diff(mouths, axis=0)).mean(1).max() > 2, "the mouth moves"
    assert max(level for _, level in page.evaluate("heard")) > 0.02, "and is heard"
    for number in ("fps", "lag", "first", "rtt", "buffer", "codec"):
        expect(page.locator(f"#{number}")).not_to_have_text("–")
    expect(page.locator("#codec")).to_have_text("H264")
    assert page.evaluate("JSON.stringify(localStorage)") == "{}"
    assert KEY not in page.evaluate("JSON.stringify(sessionStorage)"), "the page never holds the key"


def test_a_code_that_was_used_says_what_to_do_and_a_reload_still_works(
    page: Page, chrome: Browser, server: Server
) -> None:
    link = address(server)
    page.goto(link)
    state(page, "speaking")
    page.goto(link)
    expect(page.locator("body.entered")).to_be_attached()
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#error")).to_be_hidden()
    for stranger in fresh(chrome):
        for where, words in (
            (link, "used already"),
            (server.url, "one-time code"),
            (f"{server.url}/?code=x", "used already"),
        ):
            stranger.goto(where)
            expect(stranger.get_by_role("alert")).to_contain_text(words)
            expect(stranger.get_by_role("alert")).to_contain_text("mouthpiece url")
            expect(stranger.locator("#start")).to_be_hidden()


def test_access_that_ended_is_told_at_the_next_act(page: Page, tmp_path: Path) -> None:
    with serving(tmp_path / "data", environ={"MOUTHPIECE_API_KEYS": ""}) as own:
        enter(page, own)
        page.locator("#stop").click()
        keys = [sys.executable, "-m", "mouthpiece", "keys"]
        data, env = ("--data", str(own.data)), {**os.environ, "MOUTHPIECE_API_KEYS": ""}
        listed = subprocess.run([*keys, "list", *data], capture_output=True, text=True, check=True, env=env).stdout
        (key,) = re.findall(r"^key_\w+", listed, re.MULTILINE)
        subprocess.run([*keys, "revoke", key, *data], capture_output=True, check=True, env=env)
        until_refused(own, page)
        page.locator("#start").click()
        expect(page.get_by_role("alert")).to_contain_text("access has ended")
        expect(page.locator("#state")).to_have_text("no access")


def until_refused(server: Server, page: Page) -> None:
    """A revoked key is believed for a second."""
    token = page.evaluate("JSON.parse(sessionStorage.getItem('mouthpiece-access')).token")
    for _ in range(2000):
        if httpx.get(f"{server.url}/faces", headers={"x-simli-api-key": token}).status_code == 401:
            return
    raise AssertionError("the revoked key still opens the page")


# --- the three voices ----------------------------------------------------------------------------------------------
def test_typed_text_is_spoken_with_lips_that_fit(page: Page, server: Server) -> None:
    enter(page, server)
    for line in LINES:
        page.get_by_label("text to speak").fill(line)
        page.get_by_label("text to speak").press("Enter")
        spoken(page)
    got = lips(page)
    assert got.correlation > 0.5, got
    assert abs(got.lag) <= 0.16, got
    assert 0 <= int(page.locator("#lag").inner_text().removesuffix(" ms")) < 5000


def test_a_dropped_file_is_spoken(page: Page, server: Server, speech: Path) -> None:
    enter(page, server)
    drop = """([name, body]) => {
      const bag = new DataTransfer();
      bag.items.add(new File([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], name));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: bag, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop, ["words.wav", base64.b64encode(speech.read_bytes()).decode()])
    expect(page.locator("#file-note")).to_contain_text("words.wav: ")
    expect(page.get_by_role("tab", name="Audio file")).to_have_attribute("aria-selected", "true")
    spoken(page, 2)
    assert lips(page).correlation > 0.5
    page.evaluate(drop, ["words.txt", base64.b64encode(b"no sound").decode()])
    expect(page.get_by_role("alert")).to_contain_text("words.txt holds no sound")


def test_a_chosen_file_is_spoken(page: Page, server: Server, speech: Path) -> None:
    enter(page, server)
    page.get_by_role("tab", name="Audio file").click()
    page.locator("#file").set_input_files(speech)
    spoken(page)


def test_the_microphone_drives_the_face_which_is_muted_meanwhile(page: Page, server: Server) -> None:
    enter(page, server)
    page.get_by_role("tab", name="Microphone").click()
    page.get_by_role("button", name="Talk with your own voice").click()
    expect(page.locator("#mic")).to_have_attribute("aria-pressed", "true")
    spoken(page, 2)
    assert page.evaluate("video.muted")
    assert lips(page).correlation > 0.4
    page.get_by_role("button", name="Stop talking").click()
    expect(page.locator("#mic")).to_have_attribute("aria-pressed", "false")
    assert not page.evaluate("video.muted")


# --- start, interrupt, stop ----------------------------------------------------------------------------------------
def test_interrupt_silences_and_stop_ends(page: Page, server: Server) -> None:
    enter(page, server)
    page.get_by_label("text to speak").fill("one two three four five six seven eight nine ten. " * 8)
    page.get_by_role("button", name="Speak").click()
    state(page, "speaking")
    page.get_by_role("button", name="Interrupt").click()
    state(page, "listening")
    expect(page.get_by_role("button", name="Interrupt")).to_be_disabled()
    page.evaluate("heard.length = 0")
    page.wait_for_function("heard.length > 60")
    assert max(level for _, level in page.evaluate("heard.slice(20)")) < 0.001, "it stays silent"
    page.get_by_role("button", name="Speak").click()
    state(page, "speaking")
    page.get_by_label("text to speak").press("Escape")
    state(page, "listening")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#state")).to_have_text("ended")
    expect(page.locator("#start")).to_be_visible()
    for _ in range(200):
        usage = httpx.get(f"{server.url}/ratelimiter/sessions", headers={"x-simli-api-key": KEY}).json()["currentUsage"]
        if usage == 0:
            break
    assert usage == 0, "its place is free"
    page.get_by_role("button", name="Start").click()
    state(page, "listening")


def test_another_face_goes_on_at_once(page: Page, server: Server) -> None:
    enter(page, server)
    page.get_by_role("radio", name="Ada").check()
    state(page, "connecting")
    state(page, "listening")
    shown, chosen = page.evaluate("[poster.src, document.querySelector('#faces :checked + img').src]")
    assert shown == chosen
    expect(page.get_by_role("alert")).to_be_hidden()


# --- when it goes wrong --------------------------------------------------------------------------------------------
def test_a_full_server_says_so(chrome: Browser, small: Server) -> None:
    for first in fresh(chrome):
        enter(first, small)
        for second in fresh(chrome):
            second.goto(address(small))
            expect(second.get_by_role("alert")).to_contain_text("full")
            expect(second.locator("#state")).to_have_text("not connected")
            first.get_by_role("button", name="Stop").click()
            expect(first.locator("#state")).to_have_text("ended")
            second.get_by_role("button", name="Start").click()
            state(second, "listening", "failed")
            while second.locator("#state").inner_text() == "not connected":  # the place is being freed
                second.get_by_role("button", name="Start").click()
                state(second, "listening", "failed")
            expect(second.get_by_role("alert")).to_be_hidden()


def test_a_server_that_goes_away_is_told(page: Page, tmp_path: Path) -> None:
    with serving(tmp_path / "data", environ={"MOUTHPIECE_SERVER_DRAIN_S": "0"}) as short:
        enter(page, short)
        short.process.send_signal(signal.SIGTERM)
        expect(page.locator("#state")).to_have_text("ended: the server is shutting down")
        short.process.wait(30)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
        expect(page.locator("#start")).to_be_enabled()


def test_a_page_without_tls_says_why_it_has_no_microphone(page: Page, small: Server) -> None:
    host = next((each for each in own_addresses() if not each.startswith("127.")), None)
    if host is None:
        pytest.skip("this machine has no address beside loopback")
    page.goto(address(small).replace("127.0.0.1", host))
    expect(page.locator("#notice")).to_contain_text("--tls self")
    state(page, "speaking")
    expect(page.locator("#mic")).to_be_disabled()


def own_addresses() -> list[str]:
    said = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
    return [each for each in said.split() if "." in each]


def test_a_browser_that_wants_a_tap_first_gets_its_sound_by_one(chrome: Browser, server: Server) -> None:
    flags = [flag for flag in FLAGS if "autoplay" not in flag] + ["--autoplay-policy=document-user-activation-required"]
    with chrome.browser_type.launch(executable_path=chromium(), args=flags) as strict:
        for page in fresh(strict):
            with page.expect_websocket() as opened:
                page.goto(address(server))
            opened.value.wait_for_event("framereceived", lambda frame: frame == "SPEAK")  # looking counts as a touch
            expect(page.get_by_role("button", name="Tap for sound")).to_be_visible()
            expect(page.locator("#frame")).to_have_class(re.compile(r"\blive\b"))  # the pictures run meanwhile
            assert page.evaluate("video.muted")
            state(page, "listening")
            page.get_by_role("button", name="Tap for sound").click()
            state(page, "speaking")  # what was not heard is said again
            assert not page.evaluate("video.muted")


# --- for everybody -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("colours", ["dark", "light"])
def test_on_a_phone_everything_fits_and_can_be_touched(chrome: Browser, server: Server, colours: str) -> None:
    for page in fresh(chrome, **PHONE, color_scheme=colours):
        enter(page, server)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        boxes = page.evaluate(
            """[...document.querySelectorAll("button, select, textarea, .faces label")]
            .filter((e) => e.checkVisibility())
            .map((e) => [e.id || e.textContent, e.getBoundingClientRect().toJSON()])"""
        )
        for name, box in boxes:
            assert box["height"] >= 44, name
            assert box["left"] >= 0, name
            assert box["right"] <= 390, name
        assert page.evaluate("getComputedStyle(document.getElementById('text')).fontSize") == "16px", "no zoom on focus"
        assert page.locator("#frame").bounding_box()["height"] > 300  # type: ignore[index]


def test_by_keyboard_alone(page: Page, server: Server) -> None:
    enter(page, server)
    page.get_by_role("tab", name="Type").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Audio file")).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_have_attribute("id", "pane-file")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    expect(page.get_by_label("text to speak")).to_be_focused()
    page.get_by_role("radio", name="Mia").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Noah")).to_be_checked()
    state(page, "listening")
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start")).to_be_focused()


def test_every_control_has_a_name(page: Page, server: Server) -> None:
    enter(page, server)
    for tab in page.get_by_role("tab").all():
        tab.click()
        nameless = page.evaluate(
            """[...document.querySelectorAll("button, select, textarea, input, [role=meter], [role=radiogroup]")]
            .filter((e) => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() || e.labels?.length
                || e.getAttribute("aria-labelledby"))).map((e) => e.outerHTML)"""
        )
        assert nameless == []


def test_the_reference_shows_every_route(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/docs")
    page.wait_for_selector("details")
    api = httpx.get(f"{server.url}/openapi.json").json()
    shown = page.locator("summary code").all_inner_texts()
    assert set(shown) == set(api["paths"])
    page.locator("details", has_text="/compose/token").first.locator("summary").click()
    expect(page.get_by_text("faceId", exact=True).first).to_be_visible()
