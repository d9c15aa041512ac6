"""Films by v1's routes on a real server; the providers are small servers of the test's own."""

from __future__ import annotations

import base64
import io
import json
import threading
import wave
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import av
import httpx
import numpy as np
import pytest
from tests.support.server import KEY, Server, serving

from mouthpiece.media import SAMPLE_RATE

FACE = {"faceId": "tmp9i8bbq7c", "simliAPIKey": KEY}
SPOKEN: dict[str, dict[str, object]] = {
    "ElevenLabs": {"text": "Hello there.", "voiceName": "some voice", "voice_settings": {"style": 0.2}},
    "PlayHT": {"text": "Hello there.", "voice": "s3://a-voice/manifest.json", "speed": 1.2},
    "Cartesia": {"text": "Hello there."},
}


def sound(seconds: float = 1.0) -> bytes:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes((9000 * np.sin(2 * np.pi * 180 * t)).astype(np.int16).tobytes())
    return file.getvalue()


def mp3(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono")
        t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        pcm = (9000 * np.sin(2 * np.pi * 180 * t)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(stream.format, "mono", SAMPLE_RATE, stream.frame_size or 1152)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return file.getvalue()


class Providers:
    """One server for all three providers: notes what it is asked, and answers what a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.status = 200
        noted = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                noted.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                data = sound() if self.path == "/tts/bytes" else mp3()
                self.send_response(noted.status)
                self.end_headers()
                self.wfile.write(data if noted.status == 200 else b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def providers() -> Iterator[Providers]:
    it = Providers()
    thread = threading.Thread(target=it.server.serve_forever)
    thread.start()
    yield it
    it.server.shutdown()
    thread.join()
    it.server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, providers: Providers) -> Iterator[Server]:
    urls = {f"MOUTHPIECE_VOICE_{name}_URL": providers.url for name in ("ELEVENLABS", "PLAYHT")}
    more = {"MOUTHPIECE_VOICE_CARTESIA_URL": providers.url + "/", "MOUTHPIECE_RENDER_WAIT_S": "60"}
    with serving(tmp_path_factory.mktemp("films") / "data", environ=urls | more) as it:
        yield it


@pytest.fixture(autouse=True)
def _fresh(providers: Providers) -> None:
    providers.asked.clear()
    providers.status = 200


def order(server: Server, path: str, body: Mapping[str, object]) -> httpx.Response:
    return httpx.post(server.url + path, json=body, timeout=60)


def seconds_of(url: str) -> float:
    """How long the MP4 is, once it is there; it has picture and sound."""
    answer = httpx.get(url, timeout=90)
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content), "r") as film:
        assert film.streams.video
        assert film.streams.audio
        return float(film.duration or 0) / av.time_base


@pytest.mark.parametrize("path", ["/audioToVideoStream", "/audioToVideo"])
def test_a_sound_file_becomes_a_film_at_the_old_addresses(server: Server, path: str) -> None:
    body = {**FACE, "audioBase64": base64.b64encode(sound(1.5)).decode(), "audioFormat": "wav"}
    answer = order(server, path, body)
    assert set(answer.json()) == {"hls_url", "mp4_url"}
    hls, mp4 = answer.json()["hls_url"], answer.json()["mp4_url"]
    assert hls.startswith(f"{server.url}/hls/")
    assert hls.endswith("/output.m3u8")
    assert mp4.startswith(f"{server.url}/mp4/")
    assert seconds_of(mp4) == pytest.approx(1.7, abs=0.4), "the sound, and a mouth that shuts"
    playlist = httpx.get(hls, timeout=60)
    assert playlist.headers["content-type"] == "application/x-mpegURL"
    (segment, *_) = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
    assert httpx.get(hls.replace("output.m3u8", segment)).headers["content-type"] == "video/MP2T"
    assert httpx.head(mp4).status_code == 200
    assert httpx.get(mp4, headers={"range": "bytes=0-9"}).status_code == 206
    assert httpx.get(mp4.replace("/mp4/", "/static/mp4/")).status_code == 200, "one store behind both"


@pytest.mark.parametrize("provider", SPOKEN)
def test_without_a_key_the_embedded_voice_speaks(server: Server, providers: Providers, provider: str) -> None:
    body = {**FACE, "ttsAPIKey": "", "user_id": "", "requestBody": {"audioProvider": provider, **SPOKEN[provider]}}
    answer = order(server, "/textToVideoStream", body)
    assert answer.status_code == 200, answer.text
    assert 0.5 < seconds_of(answer.json()["mp4_url"]) < 3
    assert providers.asked == [], "nobody outside was asked"


def test_with_a_key_elevenlabs_speaks(server: Server, providers: Providers) -> None:
    body = {**FACE, "ttsAPIKey": "their-key", "requestBody": {"audioProvider": "ElevenLabs", **SPOKEN["ElevenLabs"]}}
    assert seconds_of(order(server, "/textToVideoStream", body).json()["mp4_url"]) == pytest.approx(1.3, abs=0.5)
    ((path, headers, sent),) = providers.asked
    assert (path, headers["xi-api-key"]) == ("/v1/text-to-speech/some%20voice", "their-key")
    assert (sent["text"], sent["model_id"]) == ("Hello there.", "eleven_turbo_v2_5")
    assert sent["voice_settings"] == {"stability": 0.5, "similarity_boost": 0.8, "style": 0.2}


def test_with_a_key_playht_speaks(server: Server, providers: Providers) -> None:
    spoken = {"audioProvider": "PlayHT", **SPOKEN["PlayHT"]}
    body = {**FACE, "ttsAPIKey": "their-key", "user_id": "their-user", "requestBody": spoken}
    assert seconds_of(order(server, "/textToVideoStream", body).json()["mp4_url"]) == pytest.approx(1.3, abs=0.5)
    ((path, headers, sent),) = providers.asked
    assert (path, headers["authorization"], headers["x-user-id"]) == ("/api/v2/tts/stream", "their-key", "their-user")
    assert (sent["voice"], sent["speed"], sent["quality"]) == ("s3://a-voice/manifest.json", 1.2, "draft")


def test_with_a_key_cartesia_speaks(server: Server, providers: Providers) -> None:
    body = {**FACE, "ttsAPIKey": "their-key", "requestBody": {"audioProvider": "Cartesia", **SPOKEN["Cartesia"]}}
    assert seconds_of(order(server, "/textToVideoStream", body).json()["mp4_url"]) == pytest.approx(1.3, abs=0.5)
    ((path, headers, sent),) = providers.asked
    assert (path, headers["x-api-key"]) == ("/tts/bytes", "their-key")
    assert sent["transcript"] == "Hello there."
    assert sent["voice"] == {"mode": "id", "id": "a167e0f3-df7e-4d52-a9c3-f949145efdab"}


@pytest.mark.parametrize(("status", "ours"), [(401, 400), (422, 400), (429, 503), (500, 503)])
def test_what_a_provider_says_no_to_is_told(server: Server, providers: Providers, status: int, ours: int) -> None:
    providers.status = status
    body = {**FACE, "ttsAPIKey": "secret-key", "requestBody": {"audioProvider": "Cartesia", **SPOKEN["Cartesia"]}}
    answer = order(server, "/textToVideoStream", body)
    assert answer.status_code == ours
    assert "Cartesia" in answer.json()["detail"]
    assert "secret-key" not in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**FACE, "requestBody": {"audioProvider": "Nobody", "text": "x"}}, 422),
        ({**FACE, "requestBody": {"audioProvider": "PlayHT", "text": "x"}}, 422),
        ({**FACE}, 422),
        ({**FACE, "faceId": "nobody", "requestBody": {"audioProvider": "Cartesia", "text": "x"}}, 400),
        ({**FACE, "simliAPIKey": "wrong", "requestBody": {"audioProvider": "Cartesia", "text": "x"}}, 401),
        ({**FACE, "ttsAPIKey": "k", "requestBody": {"audioProvider": "Cartesia", "text": "x" * 6000}}, 413),
    ],
)
def test_what_cannot_be_filmed_is_told(server: Server, body: dict[str, object], status: int) -> None:
    assert order(server, "/textToVideoStream", body).status_code == status


def test_extras_answer_what_is_so(server: Server) -> None:
    mine = {"x-simli-api-key": KEY}
    with httpx.Client(base_url=server.url) as client:
        for path in ("/health", "/ping", "/generalHealth"):
            assert client.get(path).json() == {"status": "ok"}
        for path in ("/available_sessions", "/available-sessions"):
            assert client.get(path, headers=mine).json() == {"available": True, "running": 0}
            assert client.get(path).status_code == 401
        assert client.post("/isSessionAvailable", json={"apiKey": KEY}).json()["available"] is True
        ids = [face["id"] for face in client.get("/faces", headers=mine).json()]
        assert client.get("/getPossibleFaceIDs", headers=mine).json() == ids
        assert client.get("/WebRTC").headers["location"] == "/"
