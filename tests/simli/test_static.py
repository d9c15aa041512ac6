"""Films over HTTP: ordered, watched, fetched; every limit in the words of the protocol. On a real server."""

from __future__ import annotations

import base64
import io
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from tests.support.films import OPAQUE, first_planes
from tests.support.server import KEY, OTHER_KEY, Server, serving

from mouthpiece.media import SAMPLE_RATE

HEADERS = {"x-simli-api-key": KEY}
LIMITS = {
    "MOUTHPIECE_RENDER_MAX_AUDIO_S": "20",
    "MOUTHPIECE_RENDER_MAX_BODY_BYTES": "2000000",
    "MOUTHPIECE_RENDER_WAIT_S": "60",
    "MOUTHPIECE_LIMITS_TOKENS_PER_MINUTE": "1000",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("films") / "data", environ=LIMITS) as it:
        yield it


def hum(seconds: float, rate: int = SAMPLE_RATE) -> np.ndarray[Any, np.dtype[np.int16]]:
    t = np.arange(int(seconds * rate)) / rate
    return (9000 * np.sin(2 * np.pi * 180 * t) * (np.sin(2 * np.pi * 3 * t) > 0)).astype(np.int16)


def wav(seconds: float, rate: int = SAMPLE_RATE) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(hum(seconds, rate).tobytes())
    return file.getvalue()


def asked(data: bytes = b"", kind: str = "wav", **more: object) -> dict[str, object]:
    text = base64.b64encode(data or wav(1.0)).decode()
    return {"faceId": "tmp9i8bbq7c", "audioBase64": text, "audioFormat": kind, **more}


def post(server: Server, body: object, headers: dict[str, str] = HEADERS) -> httpx.Response:
    return httpx.post(f"{server.url}/static/audio", json=body, headers=headers, timeout=60)


def duration(url: str) -> float:
    data = httpx.get(url, timeout=90).raise_for_status().content
    with av.open(io.BytesIO(data), "r") as container:
        return sum(1 for _ in container.decode(video=0)) / 25


# --- ordering and delivering ---------------------------------------------------------------------------------------
def test_a_sound_file_becomes_hls_and_mp4(server: Server) -> None:
    answer = post(server, asked(wav(6.0)))
    assert answer.status_code == 200
    urls = answer.json()
    assert set(urls) == {"hls_url", "mp4_url"}
    assert urls["hls_url"].startswith(f"{server.url}/static/hls/")
    assert urls["mp4_url"] == urls["hls_url"].replace("/hls/", "/mp4/").replace("m3u8", "mp4")
    playlist = httpx.get(urls["hls_url"], timeout=90)
    assert playlist.headers["content-type"].startswith("application/x-mpegURL")
    assert 6.0 <= duration(urls["mp4_url"]) <= 7.5
    segment = httpx.get(urls["hls_url"].replace("output.m3u8", "output00000.ts"))
    assert (segment.headers["content-type"], segment.content[0]) == ("video/MP2T", 0x47)
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration:stream=codec_name", "-of", "csv=p=0"]
    found = subprocess.run([*probe, urls["hls_url"]], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert {"h264", "aac"} <= set(found.stdout.split())


@pytest.mark.parametrize(
    ("kind", "data", "more"),
    [
        ("pcm16", hum(1.5).tobytes(), {}),
        (
            "PCM16",
            np.repeat(hum(1.5, 8000)[:, None], 2, 1).tobytes(),
            {"audioSampleRate": 8000, "audioChannelCount": 2},
        ),
        ("pcm32", (hum(1.5, 48_000).astype("<i4") << 16).tobytes(), {"audioSampleRate": 48_000}),
        ("wav", wav(1.5, 22_050), {"videoStartingFrame": 77, "unknownField": {"x": 1}, "audioSampleRate": None}),
    ],
)
def test_rates_and_channels_are_honoured(server: Server, kind: str, data: bytes, more: dict[str, object]) -> None:
    answer = post(server, asked(data, kind, **more))
    assert answer.status_code == 200
    assert 1.5 <= duration(answer.json()["mp4_url"]) <= 3.0


def test_pages_of_other_origins_may_play_it(server: Server) -> None:
    url = post(server, asked()).json()["mp4_url"]
    part = httpx.get(url, headers={"range": "bytes=0-9", "origin": "https://elsewhere.example"}, timeout=90)
    assert part.headers["access-control-allow-origin"] == "*"
    assert {"Content-Range", "Retry-After"} <= set(part.headers["access-control-expose-headers"].split(", "))


def test_ranges_and_heads(server: Server) -> None:
    url = post(server, asked()).json()["mp4_url"]
    whole = httpx.get(url, timeout=90).content
    head = httpx.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(whole)), b"")
    assert head.headers["accept-ranges"] == "bytes"
    part = httpx.get(url, headers={"range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole)}"
    assert httpx.get(url, headers={"range": "bytes=-5"}).content == whole[-5:]
    beyond = httpx.get(url, headers={"range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    stale = httpx.get(url, headers={"range": "bytes=0-1", "if-range": '"other"'})
    assert (stale.status_code, len(stale.content)) == (200, len(whole))


def test_urls_follow_the_name_that_the_caller_used(server: Server) -> None:
    answer = post(server, asked(), {**HEADERS, "host": "avatars.example:8443"})
    assert answer.json()["mp4_url"].startswith("http://avatars.example:8443/static/mp4/")


def test_a_text_is_spoken(server: Server) -> None:
    body = {"faceId": "ada/happy", "text": "Good morning, everybody.", "voice": "en-us+f3", "rate": 150}
    answer = httpx.post(f"{server.url}/static/text", json=body, headers=HEADERS, timeout=60)
    assert answer.status_code == 200
    assert 1.0 <= duration(answer.json()["mp4_url"]) <= 5.0
    for wrong, status in (({"text": "  "}, 400), ({"voice": "klingon"}, 400), ({"rate": 9}, 422), ({"text": ""}, 422)):
        answer = httpx.post(f"{server.url}/static/text", json={**body, **wrong}, headers=HEADERS, timeout=60)
        assert answer.status_code == status, wrong


# --- what is around the face -----------------------------------------------------------------------------------------
def picture(url: str, decoder: str | None = None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The luma of a film's first picture, and below it, if the decoder knows any, its opacity."""
    planes = first_planes(httpx.get(url, timeout=90).raise_for_status().content, decoder)
    return np.vstack([planes[0], *planes[3:]])


def uploaded(server: Server, kind: str, layer: np.ndarray[Any, np.dtype[np.uint8]], key: str = KEY) -> str:
    file = io.BytesIO()
    Image.fromarray(layer).save(file, "PNG")
    answer = httpx.post(
        f"{server.url}/assets/{kind}",
        files={"image": ("it.png", file.getvalue())},
        headers={"x-simli-api-key": key},
        timeout=60,
    )
    return str(answer.raise_for_status().json()["id"])


def test_camera_background_and_foreground_are_those_of_a_session(server: Server) -> None:
    white = uploaded(server, "backgrounds", np.full((512, 512, 3), 255, np.uint8))
    bar = np.zeros((512, 512, 4), np.uint8)
    bar[480:] = (0, 0, 0, 255)
    front = uploaded(server, "foregrounds", bar)
    answer = post(server, asked(wav(0.2), background_id=white, foreground_id=front, camera={"zoom": 0.5}))
    assert "warnings" not in answer.json()
    assert "webm_url" not in answer.json()
    seen = picture(answer.json()["mp4_url"])
    assert seen.shape == (512, 512)
    assert seen[:470, :100].min() > 225  # the background is seen beside a person who is half as large
    assert seen[490:].max() < 24
    assert (seen[150:350, 150:350] < 200).mean() > 0.3


def test_what_is_not_theirs_is_dropped_with_a_warning_and_a_turned_head_is_held(server: Server) -> None:
    theirs = uploaded(server, "backgrounds", np.full((512, 512, 3), 255, np.uint8), OTHER_KEY)
    answer = post(server, asked(wav(0.2), background_id=theirs, camera={"orbit_y_off": 60, "zoom": 9}))
    assert answer.status_code == 200
    said = answer.json()["warnings"]
    assert [f"background {theirs} is not one of your uploaded backgrounds: dropped" in text for text in said][-1]
    assert any("orbit_y_off" in text for text in said)
    assert any("zoom 9.0 is outside" in text for text in said)
    assert picture(answer.json()["mp4_url"])[:40, :40].max() < 235


def test_a_transparent_film_has_its_opacity_beside_its_colours_and_in_a_webm(server: Server) -> None:
    white = uploaded(server, "backgrounds", np.full((512, 512, 3), 255, np.uint8))
    answer = post(server, asked(wav(0.5), transparent=True, background_id=white))
    assert answer.json()["warnings"] == ["background: a transparent picture has none: dropped"]
    assert answer.json()["webm_url"].startswith(f"{server.url}/static/webm/")
    wide = picture(answer.json()["mp4_url"])
    assert wide.shape == (512, 1024)
    both = picture(answer.json()["webm_url"], OPAQUE)
    assert both.shape == (1024, 512)
    beside, inside = (wide[:, 512:].astype(int) - 16) * 255 / 219, both[512:].astype(int)
    for opacity in (beside, inside):
        assert opacity[:20].max() < 12
        assert opacity[220:300, 220:300].min() > 240
    assert np.abs(beside - inside).mean() < 2
    head = httpx.head(answer.json()["webm_url"])
    assert (head.status_code, head.headers["content-type"]) == (200, "video/webm")
    plain = post(server, asked(wav(0.2))).json()["mp4_url"]
    assert httpx.get(plain, timeout=90).status_code == 200
    nothing = httpx.get(plain.replace("/mp4/", "/webm/").replace(".mp4", ".webm"), timeout=90)
    assert (nothing.status_code, nothing.json()["code"]) == (404, "NOT_FOUND")


# --- refusals ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"faceId": "nobody"}, 400, "INVALID_FACE_ID"),
        ({"faceId": "mia/grumpy"}, 400, "INVALID_EMOTION"),
        ({"audioBase64": "AAAA"}, 400, "INVALID_AUDIO"),
        ({"audioBase64": ""}, 400, "INVALID_AUDIO"),
        ({"audioBase64": "%%%%"}, 400, "INVALID_AUDIO"),
        ({"audioFormat": "mp3"}, 400, "INVALID_AUDIO"),
        ({"audioFormat": "pcm16", "audioBase64": "AAAA", "audioSampleRate": 3}, 400, "INVALID_AUDIO"),
        ({"audioFormat": "pcm16", "audioBase64": "AAAA", "audioChannelCount": 0}, 400, "INVALID_AUDIO"),
    ],
)
def test_what_cannot_be_used_is_named(server: Server, change: dict[str, object], status: int, code: str) -> None:
    answer = post(server, {**asked(), **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["session_token"] == "FAIL TOKEN"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"faceId": "mia"},
        asked(kind="aiff"),
        asked(videoStartingFrame=-1),
        asked(streaming_width=512, streaming_height=700),
        {**asked(), "audioBase64": 5},
        [],
        "text",
    ],
)
def test_the_wrong_shape_is_422(server: Server, body: object) -> None:
    answer = post(server, body)
    assert answer.status_code == 422
    assert {"loc", "msg", "type"} == set(answer.json()["detail"][0])


def test_too_much_is_413(server: Server) -> None:
    long = post(server, asked(hum(21.0).tobytes(), "pcm16"))
    assert (long.status_code, long.json()["code"]) == (413, "TOO_LARGE")
    assert "20 s" in long.json()["detail"]
    big = post(server, asked(bytes(1_600_000), "pcm16"))
    assert (big.status_code, big.json()["code"]) == (413, "TOO_LARGE")


def test_a_stranger_may_not_order(server: Server) -> None:
    assert post(server, asked(), {}).status_code == 401
    assert post(server, asked(), {"x-simli-api-key": "wrong"}).json()["code"] == "INVALID_API_KEY"
    for key in ({"apiKey": KEY}, {"simliAPIKey": OTHER_KEY}):
        assert post(server, {**asked(), **key}, {}).status_code == 200


@pytest.mark.parametrize("kind", ["hls", "mp4"])
def test_what_nobody_ordered_is_404(server: Server, kind: str) -> None:
    answer = httpx.get(f"{server.url}/static/{kind}/{'0' * 32}/output.{'m3u8' if kind == 'hls' else 'mp4'}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert "retry-after" not in answer.headers
    assert httpx.get(f"{server.url}/static/{kind}/..%2f..%2fsecret/api-key").status_code == 404


def test_the_queue_is_bounded_and_waiting_ends_with_retry_after(tmp_path: Path) -> None:
    limits = {"MOUTHPIECE_RENDER_MAX_QUEUE": "1", "MOUTHPIECE_RENDER_WAIT_S": "0.5"}
    with serving(tmp_path / "data", environ=limits) as server:
        answers = [post(server, asked(hum(60.0).tobytes(), "pcm16")) for _ in range(4)]
        assert answers[0].status_code == 200
        full = answers[-1]
        assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (503, "QUEUE_FULL", "5")
        early = httpx.get(answers[0].json()["mp4_url"])
        assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (404, "NOT_READY", "5")
