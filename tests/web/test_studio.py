"""The face studio in a real Chromium, with a real server behind it: by mouse, touch, keyboard and camera."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import browser
from tests.support.portraits import drawn, file_of, points_json
from tests.support.server import KEY, Server, serving
from tests.web.test_page import PHONE, address, own_addresses

from mouthpiece.face.pack import resized
from mouthpiece.face.source import read_source

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

PATIENCE_MS = 300_000
"""Faces are made at low priority: on a busy machine that takes minutes."""

VIDEO = (640, 480)
CROWD, EMPTY = (800, 400), (500, 400)
HEADERS = {"x-simli-api-key": KEY}
Points = NDArray[np.float64]


# --- pictures whose faces are known ----------------------------------------------------------------------------------
def placed(alias: str, size: tuple[int, int], side: int, left: int) -> tuple[NDArray[np.uint8], Points]:
    """A picture of this size (width, height) with a drawn portrait of ``side`` pixels in it, and its landmarks."""
    rgb, points = drawn(alias)
    canvas = np.full((size[1], size[0], 3), 200, np.uint8)
    canvas[:side, left : left + side] = resized(rgb, side, side)
    return canvas, points * (side / 1024) + [left, 0, 0]


PHOTO, PHOTO_POINTS = placed("ada", VIDEO, 480, 80)

TWIN = """
import json, sys
import numpy as np
known = json.load(open(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    height, width = np.load(json.loads(line)["image"]).shape[:2]
    faces = [{"score": 0.9, "landmarks": each} for each in known.get(f"{width}x{height}", [])]
    print(json.dumps({"faces": faces}), flush=True)
"""
"""A landmarker that knows pictures by their size; in the cut portrait it finds nothing, so that points are doubtful."""


def y4m(path: Path, rgb: NDArray[np.uint8]) -> Path:
    """A film of one picture, as Chromium's fake camera plays it."""
    y, cb, cr = (np.asarray(plane) for plane in Image.fromarray(rgb).convert("YCbCr").split())
    height, width = y.shape
    small = [plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3)).astype(np.uint8) for plane in (cb, cr)]
    frame = b"FRAME\n" + b"".join(plane.tobytes() for plane in (y, *small))
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n".encode() + frame * 5)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, points and the twin."""
    folder = tmp_path_factory.mktemp("studio")
    crowd = [placed(alias, CROWD, 400, left) for alias, left in (("mia", 0), ("noah", 400))]
    both = np.concatenate([crowd[0][0][:, :400], crowd[1][0][:, 400:]], 1)
    known = {f"{VIDEO[0]}x{VIDEO[1]}": [PHOTO_POINTS.tolist()], "800x400": [each[1].tolist() for each in crowd]}
    (folder / "known.json").write_text(json.dumps(known))
    (folder / "twin.py").write_text(TWIN)
    (folder / "crowd.png").write_bytes(file_of(both))
    (folder / "empty.png").write_bytes(file_of(placed("ada", EMPTY, 400, 50)[0]))
    (folder / "mia.jpg").write_bytes(file_of(drawn("mia")[0], "JPEG"))
    (folder / "mia.json").write_text(points_json(drawn("mia")[1]))
    (folder / "words.png").write_text("I am no picture")
    y4m(folder / "camera.y4m", PHOTO)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    landmarker = f"{sys.executable},{folder / 'twin.py'},{folder / 'known.json'}"
    with serving(folder / "data", environ={"MOUTHPIECE_FACES_LANDMARKER": landmarker}) as it:
        yield it


@pytest.fixture(scope="module")
def bare(folder: Path) -> Iterator[Server]:
    """A server without a landmarker, that is reached from everywhere."""
    flags = ["--workers", "0", "--host", "0.0.0.0"]
    with serving(folder / "bare", flags, {"MOUTHPIECE_FACES_LANDMARKER": "/no/such/landmarker"}) as it:
        yield it


@pytest.fixture(scope="module")
def chrome(folder: Path) -> Iterator[Browser]:
    """A browser whose camera sees Ada."""
    with browser(f"--use-file-for-fake-video-capture={folder / 'camera.y4m'}") as it:
        yield it


@pytest.fixture
def page(chrome: Browser, server: Server) -> Iterator[Page]:
    yield from fresh(chrome, server)


def fresh(chrome: Browser, server: Server, **device: object) -> Iterator[Page]:
    """The studio as a new visitor meets it; what goes wrong in its scripts fails the test."""
    faults: list[str] = []
    context = chrome.new_context(permissions=["camera"], **device)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(address(server).replace("/?", "/studio?"))
    expect(page.locator("body.entered")).to_be_attached(timeout=PATIENCE_MS)
    yield page
    context.close()
    assert not faults


@pytest.fixture(scope="module")
def mine(server: Server, chrome: Browser, folder: Path) -> str:
    """A face called Mia of mine, made on the page from a picture and a file with its points."""
    for page in fresh(chrome, server):
        page.get_by_text("You have its points already?").click()
        page.locator("#points-file").set_input_files(folder / "mia.json")
        expect(page.locator("#points-words")).to_contain_text("mia.json")
        page.locator("#file").set_input_files(folder / "mia.jpg")
        expect(page.get_by_role("progressbar")).to_be_visible()
        step(page, "draft")
        expect(page.locator("#warnings")).to_be_hidden()
        expect(page.get_by_role("tab", name="Preview")).to_have_attribute("aria-selected", "true")
        page.get_by_label("Name").fill("Mia of mine")
        page.get_by_role("button", name="Save").click()
        step(page, "saved")
        return page.locator("#saved-id").inner_text()
    raise AssertionError


def step(page: Page, *wanted: str) -> None:
    page.wait_for_function("(wanted) => wanted.includes(document.body.dataset.step)", arg=wanted)


def edit(page: Page, name: str = "Mia of mine") -> None:
    page.get_by_role("button", name=f"Edit {name}").click()
    step(page, "draft")


def points_tab(page: Page, group: str) -> None:
    page.get_by_role("tab", name="Points").click()
    page.get_by_role("radio", name=group).check(force=True)
    page.wait_for_function(STILL)


STILL = """() => {
  const view = document.getElementById("editor").getAttribute("viewBox");
  const same = window.lastView === view;
  window.lastView = view;
  return same;
}"""
"""The view has stopped gliding."""


def spot(page: Page, handle: str) -> tuple[float, float]:
    """Where a handle is on the screen."""
    box = page.get_by_role("slider", name=handle, exact=True).locator(".mark").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def value(page: Page, handle: str) -> tuple[int, int]:
    """Where a handle is in the portrait."""
    text = page.get_by_role("slider", name=handle, exact=True).get_attribute("aria-valuetext")
    assert text is not None
    x, y = map(int, text.split(", "))
    return x, y


def drag(page: Page, handle: str, by: tuple[float, float]) -> None:
    x, y = spot(page, handle)
    page.mouse.move(x + 6, y + 4)  # beside it: it moves by as much as the hand does
    page.mouse.down()
    for part in (0.3, 0.7, 1.0):
        page.mouse.move(x + 6 + by[0] * part, y + 4 + by[1] * part)
    page.mouse.up()


def kept_points(server: Server, face_id: str) -> Points:
    """The points that the server keeps of a face."""
    return read_source((server.data / "blobs" / "faces" / face_id / "source").read_bytes()).landmarks


def reset_goes_back_to_what_was_found(page: Page, found: tuple[int, int], applied: tuple[int, int]) -> None:
    """And not to the points that were applied last, which one *Undo* brings back."""
    points_tab(page, "Mouth")
    page.get_by_role("button", name="Reset").click()
    assert value(page, "lower lip, bottom") == found
    expect(page.get_by_role("button", name="Reset")).to_be_disabled()
    expect(page.get_by_role("button", name="Apply")).to_be_enabled()
    page.get_by_role("button", name="Undo").click()
    assert value(page, "lower lip, bottom") == applied
    expect(page.get_by_role("button", name="Apply")).to_be_disabled()


# --- from the camera to a call ---------------------------------------------------------------------------------------
def test_a_photo_is_checked_nudged_saved_and_talks(page: Page, server: Server) -> None:
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator("#camera")).to_be_visible()
    page.wait_for_function("document.getElementById('camera').videoWidth > 0")
    page.get_by_role("button", name="Take the photo").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert page.evaluate("document.getElementById('camera').srcObject") is None, "the camera is off again"
    step(page, "draft")
    expect(page.get_by_label("warnings")).to_contain_text("doubtful")
    expect(page.get_by_role("tab", name="Points")).to_have_attribute("aria-selected", "true")
    points_tab(page, "Mouth")
    before = value(page, "lower lip, bottom"), value(page, "upper lip, top")
    drag(page, "lower lip, bottom", (0, 40))
    after = value(page, "lower lip, bottom"), value(page, "upper lip, top")
    assert after[0][1] > before[0][1] + 8
    assert after[1] == before[1], "the upper lip stays"
    page.get_by_role("button", name="Undo").click()
    assert value(page, "lower lip, bottom") == before[0]
    expect(page.get_by_role("button", name="Apply")).to_be_disabled()
    drag(page, "the whole mouth", (24, 30))
    assert value(page, "upper lip, top")[1] > before[1][1] + 8
    wanted = value(page, "lower lip, bottom")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#state")).to_contain_text("%")
    expect(page.get_by_role("tab", name="Preview")).to_have_attribute("aria-selected", "true", timeout=PATIENCE_MS)
    expect(page.get_by_label("warnings")).to_be_hidden()
    reset_goes_back_to_what_was_found(page, before[0], wanted)
    page.get_by_label("Name").fill("Ada of mine")
    page.get_by_role("button", name="Save").click()
    step(page, "saved")
    face_id = page.locator("#saved-id").inner_text()
    assert np.allclose(kept_points(server, face_id)[17, :2], wanted, atol=1)
    page.get_by_role("link", name="Talk to it").click()
    expect(page.get_by_role("radio", name="Ada of mine")).to_be_checked()
    page.wait_for_function("document.querySelector('#faces :checked + img').naturalWidth === 512")
    page.wait_for_function("document.getElementById('poster').naturalWidth === 512")
    page.get_by_role("button", name="Start").click()
    page.wait_for_function("document.getElementById('state').dataset.state === 'listening'")
    page.wait_for_function("document.getElementById('video').videoWidth === 512")
    assert httpx.delete(f"{server.url}/faces/trinity/{face_id}", headers=HEADERS).status_code == 204


def test_without_a_camera_it_says_so(chrome: Browser, server: Server) -> None:
    for page in fresh(chrome, server):
        page.evaluate(
            """() => {
              navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotFoundError"); };
            }"""
        )
        page.get_by_role("button", name="Use the camera").click()
        expect(page.get_by_role("alert").first).to_contain_text("No camera was found")
        expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()


# --- what is looked at -----------------------------------------------------------------------------------------------
def test_every_mouth_and_mood_is_shown(page: Page, mine: str) -> None:
    edit(page)
    page.wait_for_function("document.querySelectorAll('.crop img.there').length === 15")
    assert page.evaluate("[...document.querySelectorAll('.crop img')].every((image) => image.naturalWidth === 384)")
    shown = page.locator("#shown")
    seen = {shown.get_attribute("src")}
    for choose in ("p, b, m", "go", "happy"):
        page.get_by_role("radio", name=choose).check(force=True)
        page.wait_for_function("(seen) => !seen.includes(document.getElementById('shown').src)", arg=list(seen))
        page.wait_for_function("document.getElementById('shown').naturalWidth === 512")
        seen.add(shown.get_attribute("src"))
    expect(shown).to_have_attribute("alt", "the face: go, happy")
    page.get_by_label("How far").fill("20")
    page.wait_for_function("(seen) => !seen.includes(document.getElementById('shown').src)", arg=list(seen))
    page.get_by_role("button", name="Play all").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_function("document.querySelector('input[name=viseme]:checked').value === 'kk'")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Play all")).to_be_visible()


def test_the_cut_out_is_shown(page: Page, mine: str) -> None:
    edit(page)
    page.get_by_role("tab", name="Cut-out").click()

    def pixels() -> NDArray[np.uint8]:
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        shot = Image.open(io.BytesIO(page.locator("#editor").screenshot())).convert("RGB").resize((100, 100))
        return np.asarray(shot)

    striped = pixels()
    assert striped[8:20, 8:20].reshape(-1, 3).astype(int).max(0)[0] > 230, "stripes where nobody is"
    assert np.ptp(striped[8:30, 8:30, 2].astype(int)) > 60
    page.get_by_label("show the outline alone").check()
    outline = pixels()
    assert outline[10:20, 10:20].max() < 30
    assert outline[50:60, 45:55].min() > 225


def test_a_reload_goes_on_with_the_draft(page: Page, mine: str) -> None:
    edit(page)
    assert "draft=" in page.url
    page.reload()
    step(page, "draft")
    expect(page.get_by_label("Name")).to_have_value("Mia of mine")
    page.get_by_role("button", name="Start over").click()
    step(page, "begin")
    assert "draft=" not in page.url


# --- by keyboard and by touch ----------------------------------------------------------------------------------------
def test_by_keyboard_alone(page: Page, mine: str) -> None:
    page.get_by_role("button", name="Edit Mia of mine").focus()
    page.keyboard.press("Enter")
    step(page, "draft")
    page.get_by_role("tab", name="Preview").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Points")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Mouth")).to_be_checked()
    page.wait_for_function(STILL)
    handle = page.get_by_role("slider", name="corner of the mouth, left", exact=True)
    handle.focus()
    x, y = value(page, "corner of the mouth, left")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    assert value(page, "corner of the mouth, left") == (x - 1, y + 10)
    expect(page.locator("#state")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("slider", name="corner of the mouth, right", exact=True)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert value(page, "corner of the mouth, left") == (x, y), "one row of keys is one step back"
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


@pytest.mark.parametrize("colours", ["dark", "light"])
def test_on_a_phone_points_are_moved_by_touch(chrome: Browser, server: Server, mine: str, colours: str) -> None:
    for page in fresh(chrome, server, **PHONE, color_scheme=colours):
        fits(page)
        edit(page)
        fits(page)
        points_tab(page, "Left eye")
        fits(page)
        page.locator("#editor").scroll_into_view_if_needed()
        (x, y), before = spot(page, "upper lid"), value(page, "upper lid")
        scrolled = page.evaluate("scrollY")
        touch = page.context.new_cdp_session(page)
        for kind, down in (("touchStart", 0), ("touchMove", -12), ("touchMove", -30), ("touchEnd", 0)):
            points = [] if kind == "touchEnd" else [{"x": x + 8, "y": y - 4 + down}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert value(page, "upper lid")[1] < before[1] - 2
        assert page.evaluate("scrollY") == scrolled, "the page stays where it is"
        expect(page.get_by_role("button", name="Undo")).to_be_enabled()


def fits(page: Page) -> None:
    """Nothing sticks out, and everything is large enough for a finger."""
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = page.evaluate(
        """[...document.querySelectorAll(`button, a.button, .chips label, .mouths label, .pick, .check, summary,
            input:not([type=radio], [type=file], [type=checkbox])`)]
        .filter((e) => e.checkVisibility()).map((e) => [e.id || e.textContent, e.getBoundingClientRect().toJSON()])"""
    )
    assert boxes
    for name, box in boxes:
        assert box["height"] >= 44, name
        assert box["left"] >= 0, name
        assert box["right"] <= 390, name


def test_every_control_has_a_name(page: Page, mine: str) -> None:
    nameless = """[...document.querySelectorAll(
        "button, a, input, progress, [role=slider], [role=radiogroup], [role=tab]")]
        .filter((e) => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() || e.labels?.length
            || e.getAttribute("aria-labelledby"))).map((e) => e.outerHTML)"""
    assert page.evaluate(nameless) == []
    edit(page)
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate(nameless) == []


# --- when it does not work -------------------------------------------------------------------------------------------
def test_nobody_found_so_points_are_placed_by_hand(page: Page, folder: Path, server: Server) -> None:
    page.locator("#file").set_input_files(folder / "empty.png")
    step(page, "trouble")
    expect(page.locator("#trouble-words")).to_contain_text("No face was found")
    page.get_by_role("button", name="Place the points by hand").click()
    step(page, "place")
    truth = drawn("ada")[1] * (400 / 1024) + [50, 0, 0]
    names = {
        "middle of the eye on the left": 468,
        "middle of the eye on the right": 473,
        "corner of the mouth, left": 61,
        "corner of the mouth, right": 291,
        "tip of the chin": 152,
        "hairline": 10,
    }
    scale = page.evaluate("1 / document.getElementById('editor').getScreenCTM().a")
    for name, point in names.items():
        x, y = value(page, name)
        drag(page, name, ((truth[point, 0] - x) / scale, (truth[point, 1] - y) / scale))
    page.get_by_role("button", name="Look closer").click()
    page.wait_for_function(STILL)
    nearer = page.evaluate("1 / document.getElementById('editor').getScreenCTM().a")
    assert nearer < 0.9 * scale
    drag(page, "hairline", ((truth[10, 0] - value(page, "hairline")[0]) / nearer, 0))
    for name, point in names.items():
        assert np.allclose(value(page, name), truth[point, :2], atol=3), name
    page.get_by_role("button", name="Use these points").click()
    step(page, "draft")
    page.get_by_label("Name").fill("By hand")
    page.get_by_role("button", name="Save").click()
    step(page, "saved")
    kept = kept_points(server, page.locator("#saved-id").inner_text())
    eyes, mouth = np.linalg.norm(kept[473] - kept[468]), np.linalg.norm(kept[291] - kept[61])
    assert mouth / eyes == pytest.approx(
        np.linalg.norm(truth[291] - truth[61]) / np.linalg.norm(truth[473] - truth[468]), rel=0.06
    )


def test_several_people_are_asked_about(page: Page, folder: Path) -> None:
    page.locator("#file").set_input_files(folder / "crowd.png")
    step(page, "trouble")
    expect(page.locator("#trouble-words")).to_contain_text("2 faces")
    page.get_by_role("button", name="Face 2 from the left").click()
    step(page, "work")
    page.get_by_role("button", name="Cancel").click()
    step(page, "begin")


def test_what_is_no_picture_is_said(page: Page, folder: Path) -> None:
    page.locator("#file").set_input_files(folder / "words.png")
    step(page, "trouble")
    expect(page.locator("#trouble-words")).to_contain_text("not a JPEG")
    expect(page.get_by_role("button", name="Place the points by hand")).to_be_hidden()


def test_without_a_landmarker_it_says_what_to_run(chrome: Browser, bare: Server, folder: Path) -> None:
    for page in fresh(chrome, bare):
        page.locator("#file").set_input_files(folder / "mia.jpg")
        step(page, "trouble")
        expect(page.locator("#trouble-run")).to_contain_text("mouthpiece setup faces")
        expect(page.get_by_role("button", name="Place the points by hand")).to_be_visible()
        expect(page.locator("#trouble-points")).to_be_attached()


def test_without_tls_there_is_no_camera(chrome: Browser, bare: Server) -> None:
    host = next((each for each in own_addresses() if not each.startswith("127.")), None)
    if host is None:
        pytest.skip("this machine has no address beside loopback")
    page = chrome.new_page()
    page.goto(address(bare).replace("/?", "/studio?").replace("127.0.0.1", host))
    expect(page.locator("#notice")).to_contain_text("--tls self")
    expect(page.get_by_role("button", name="Choose a picture")).to_be_enabled()
    expect(page.get_by_role("button", name="Use the camera")).to_be_disabled()
    page.close()


def test_without_a_code_nobody_comes_in(chrome: Browser, server: Server) -> None:
    page = chrome.new_page()
    page.goto(f"{server.url}/studio")
    expect(page.get_by_role("alert").first).to_contain_text("mouthpiece url")
    expect(page.get_by_role("button", name="Choose a picture")).to_be_hidden()
    page.close()


# --- the list --------------------------------------------------------------------------------------------------------
def test_own_faces_are_listed_shown_and_deleted(page: Page, server: Server, mine: str) -> None:
    copied = httpx.post(f"{server.url}/studio/drafts", data={"face_id": mine}, headers=HEADERS).json()["id"]
    httpx.post(f"{server.url}/studio/drafts/{copied}/save", json={"name": "Twin"}, headers=HEADERS)
    page.reload()
    card = page.get_by_role("listitem").filter(has_text="Twin")
    expect(card).to_be_visible()
    page.wait_for_function("[...document.querySelectorAll('.cards img')].every((image) => image.naturalWidth === 320)")
    page.get_by_role("button", name="Delete Twin").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete Twin?")
    page.get_by_role("button", name="Keep it").click()
    expect(card).to_be_visible()
    page.get_by_role("button", name="Delete Twin").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)
    assert copied not in httpx.get(f"{server.url}/faces", headers=HEADERS).text
    page.get_by_role("link", name="Talk to Mia of mine").click()
    expect(page).to_have_url(re.compile(r"/\?face="))
    expect(page.get_by_role("radio", name="Mia of mine")).to_be_checked()
