"""Real servers: one is killed in the middle of a job, another with workers finishes it; a browser plays the result."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.support.browser import browser
from tests.support.server import KEY, Server, serving

from mouthpiece.media import SAMPLE_RATE

SECONDS = 12


def ordered(server: Server, seconds: float) -> dict[str, str]:
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hum = (9000 * np.sin(2 * np.pi * 180 * t) * (np.sin(2 * np.pi * 3 * t) > 0)).astype("<i2")
    body = {"faceId": "mia", "audioFormat": "pcm16", "audioBase64": base64.b64encode(hum.tobytes()).decode()}
    answer = httpx.post(f"{server.url}/static/audio", json=body, headers={"x-simli-api-key": KEY}, timeout=60)
    return dict(answer.raise_for_status().json())


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def stopped_renderer(server: Server) -> int:
    """The server's renderer, which stands still from now on: what follows happens in the middle of its job."""
    found = [
        pid for pid in children(server.process.pid) if b"render.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(found) == 1
    os.kill(found[0], signal.SIGSTOP)
    return found[0]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def probed(url: str, *entries: str) -> str:
    command = ["ffprobe", "-v", "error", "-show_entries", *entries, "-of", "csv=p=0", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.timeout(240)
def test_a_job_outlives_its_server_and_is_watched_all_the_while(tmp_path: Path) -> None:
    shared = {
        "MOUTHPIECE_DATABASE": f"sqlite:///{tmp_path / 'shared.db'}",
        "MOUTHPIECE_STORE_BLOBS": str(tmp_path / "blobs"),
        "MOUTHPIECE_STORE_SECRET": "a secret that both servers of this test have",
        "MOUTHPIECE_RENDER_WAIT_S": "120",
        "MOUTHPIECE_STORE_PEPPER": "and a pepper that both servers of this test have",
    }
    with serving(tmp_path / "one", environ=shared) as one:
        urls = ordered(one, SECONDS)
        httpx.get(urls["hls_url"], timeout=90).raise_for_status()
        child = stopped_renderer(one)
        first = httpx.get(urls["hls_url"]).text
        assert "#EXT-X-ENDLIST" not in first, "watched while it is rendered"
        assert {"h264", "aac"} <= set(probed(urls["hls_url"], "stream=codec_name").split())
        assert Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[16] == "19", "niced"
        one.process.send_signal(signal.SIGKILL)
        one.process.wait(10)
        os.kill(child, signal.SIGCONT)
        with serving(tmp_path / "two", ("--workers", "2"), environ=shared) as two:
            here = {name: url.replace(one.url, two.url) for name, url in urls.items()}
            text = httpx.get(here["hls_url"], timeout=90).raise_for_status().text
            assert text.count("#EXTINF") >= first.count("#EXTINF"), "what was shown stays"
            assert httpx.get(here["mp4_url"], timeout=150).status_code == 200
            assert SECONDS <= float(probed(here["mp4_url"], "format=duration")) <= SECONDS + 1.5
            assert "#EXT-X-ENDLIST" in httpx.get(here["hls_url"]).text
            shown, heard = (float(line) for line in probed(here["mp4_url"], "stream=start_time").split())
            assert abs(shown - heard) < 0.001
            assert not alive(child), "a renderer without its server ends"
    assert not list((tmp_path / "two" / "render").iterdir())


@pytest.mark.timeout(240)
def test_a_server_that_is_shut_down_puts_its_job_back(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        urls = ordered(server, SECONDS)
        httpx.get(urls["hls_url"], timeout=90).raise_for_status()
        child = stopped_renderer(server)
    assert not alive(child)
    with serving(tmp_path / "data", environ={"MOUTHPIECE_RENDER_WAIT_S": "100"}) as server:
        url = server.url + httpx.URL(urls["mp4_url"]).path
        assert httpx.get(url, timeout=110).status_code == 200, "at once, without waiting for a lease"


PLAY = """async url => {
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  video.src = url;
  const event = name => new Promise((done, fail) => {
    video.addEventListener(name, done, {once: true});
    video.addEventListener("error", () => fail(new Error(video.error.message)), {once: true});
  });
  await event("loadedmetadata");
  const size = [video.videoWidth, video.videoHeight, video.duration];
  video.currentTime = 4.0;
  await event("seeked");
  await video.play();
  await event("ended");
  const audio = video.webkitAudioDecodedByteCount;
  return {size, at: video.currentTime, pictures: video.getVideoPlaybackQuality().totalVideoFrames, audio};
}"""


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_chromium_seeks_in_the_mp4_and_plays_it_to_its_end(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, browser() as chromium:
        urls = ordered(server, 5.0)
        assert httpx.get(urls["mp4_url"], timeout=90).status_code == 200
        page = chromium.new_page()
        page.goto(f"{server.url}/healthz")
        seen = page.evaluate(PLAY, urls["mp4_url"])
    width, height, duration = seen["size"]
    assert (width, height) == (512, 512)
    assert 5.0 <= duration <= 6.5
    assert seen["at"] == pytest.approx(duration, abs=0.1)
    assert seen["pictures"] > 10
    assert seen["audio"] > 0


def test_no_orphan_is_left_by_this_file() -> None:
    assert not [pid for pid in children(os.getpid()) if b"render.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]
