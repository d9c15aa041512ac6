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
