"""Calls with a real server and a real peer: a mirror, an agent that answers, and sockets that drop."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.audio.frame import AudioFrame
from numpy.typing import NDArray
from tests.support.microphone import said
from tests.support.peer import Inbox, Viewer
from tests.support.server import KEY, Server, serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from mouthpiece.media import SAMPLE_RATE

pytestmark = pytest.mark.timeout(240)

RATE = 48_000
PATIENCE_S = 60.0
HEADERS = {"x-simli-api-key": KEY}
NOTES = "The museum opens at nine. The museum has many rooms and many pictures in each of them."

Stereo = NDArray[np.int16]
"""48 kHz, shape (n, 2)."""


class Line(MediaStreamTrack):
    """A microphone in stereo at 48 kHz; silent when ``sound`` is over."""

    kind = "audio"

    def __init__(self, sound: Stereo) -> None:
        super().__init__()
        self._sound = sound
        self._at = 0
        self._started: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._started = self._started if self._started is not None else loop.time()
        await asyncio.sleep(self._started + self._at / RATE - loop.time())
        part = self._sound[self._at : self._at + 960]
        part = np.pad(part, ((0, 960 - len(part)), (0, 0)))
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(part).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += 960
        return frame


class Caller(Viewer):
    """A peer that calls. ``heard``: what it hears, both channels; ``loud``: the numbers of the parts with a voice."""

    def __init__(self, sound: Stereo) -> None:
        super().__init__()
        self.heard: Inbox[Stereo] = Inbox()
        self.loud: Inbox[int] = Inbox()
        self.pc.addTrack(Line(sound))

    async def _collect(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                assert frame.sample_rate == RATE
                part = frame.to_ndarray().astype(np.int16).reshape(-1, 2)
                if loudness(part) > 200:
                    self.loud.add(len(self.heard.items))
                self.heard.add(part)


class Call:
    """A call that was answered."""

    def __init__(self, socket: ClientConnection, caller: Caller, session_id: str) -> None:
        self.socket, self.caller, self.session_id = socket, caller, session_id

    async def tell(self, kind: str, **more: object) -> None:
        await self.socket.send(json.dumps({"type": kind, "sessionId": self.session_id, **more}))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            return dict(json.loads(await self.socket.recv()))

    async def rest(self) -> list[str]:
        """The types of all that is still said until the close."""
        said = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                said.append((await self.next())["type"])
        return said


def url(server: Server) -> str:
    return f"{server.ws}/api/v1/webrtc/signal"


@asynccontextmanager
async def calling(server: Server, sound: Stereo, *, trickles: bool = False, **offer: object) -> AsyncIterator[Call]:
    """Call, and wait for the media. ``trickles``: the offer has no candidate, they come one by one afterwards."""
    caller = Caller(sound)
    async with caller, connect(url(server)) as socket:
        sdp = await caller.offer()
        own = [line[2:] for line in sdp.splitlines() if line.startswith("a=candidate:")]
        bare = "\r\n".join(line for line in sdp.splitlines() if "candidate" not in line) + "\r\n"
        data = {"type": "offer", "sdp": bare if trickles else sdp}
        await socket.send(json.dumps({"type": "offer", "sessionId": "", "data": data, "authToken": KEY, **offer}))
        call = Call(socket, caller, "")
        answer = await call.next()
        assert answer["type"] == "answer", answer
        call.session_id = answer["sessionId"]
        for text in own if trickles else ():
            await call.tell("ice-candidate", data={"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0})
        theirs: list[dict[str, Any]] = []
        while not theirs or theirs[-1]["candidate"]:
            message = await call.next()
            assert (message["type"], message["sessionId"]) == ("ice-candidate", call.session_id)
            theirs.append(message["data"])
        assert {f"a={each['candidate']}" for each in theirs[:-1]} == {
            line for line in answer["data"]["sdp"].splitlines() if line.startswith("a=candidate:")
        }
        assert "opus/48000/2" in answer["data"]["sdp"]
        await caller.accept(answer["data"]["sdp"])
        await caller.connected()
        yield call


@pytest.fixture(scope="module", params=["0", "1"], ids=["in-process", "in-a-worker"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environ = {"MOUTHPIECE_AGENTS_FIND_LOCAL": "false", "MOUTHPIECE_POLYAI_RESUME_S": "4"}
    with serving(tmp_path_factory.mktemp("calls") / "data", ["--workers", request.param], environ) as it:
        yield it


def tones(seconds: float) -> Stereo:
    """1 kHz on the left, and 11 kHz, which 16 kHz could not carry, on the right."""
    time = np.arange(round(seconds * RATE)) / RATE
    both = np.stack([np.sin(2 * np.pi * hertz * time) for hertz in (1_000, 11_000)], axis=1)
    return np.asarray(8_000 * both, np.int16)


def pitch(channel: NDArray[np.int16]) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(channel * np.hanning(len(channel))))
    return float(np.argmax(spectrum) * RATE / len(channel))


def loudness(sound: Stereo) -> float:
    return float(np.sqrt((sound.astype(np.float64) ** 2).mean()))


async def history(server: Server, session_id: str) -> dict[str, Any]:
    """What history says of a call; its ``endReason`` is None while it runs."""
    async with httpx.AsyncClient(base_url=server.url, headers=HEADERS, timeout=PATIENCE_S) as http:
        answer = await http.get("/history/sessions", params={"start": 0, "end": 4e9})
    (found,) = [each for each in answer.json()["sessions"] if each["id"] == session_id]
    return dict(found)


async def until_ended(server: Server, session_id: str) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while (reason := (await history(server, session_id))["endReason"]) is None:
            pass
    return str(reason)


# --- echo ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("trickles", [False, True], ids=["all-at-once", "trickled"])
async def test_echo_hears_itself_in_stereo_at_48_khz(server: Server, trickles: bool) -> None:
    async with calling(server, tones(20.0), trickles=trickles, mode="echo", callSid="sid-1") as call:
        await call.caller.loud.until(lambda loud: len(loud) > 50 and loud[-1] - loud[-50] == 49, PATIENCE_S)
        last = np.concatenate([call.caller.heard.items[n] for n in call.caller.loud.items[-50:]])
        assert abs(pitch(last[:, 0]) - 1_000) < 10
        assert abs(pitch(last[:, 1]) - 11_000) < 10
        await call.tell("close")
        assert await call.rest() == []
        await call.caller.disconnected()
    assert await until_ended(server, call.session_id) == "closed"
    assert (await history(server, call.session_id))["call"] == {"callSid": "sid-1", "mode": "echo"}


# --- an agent ------------------------------------------------------------------------------------------------------
def question(pause_s: float) -> Stereo:
    """A pause in which the agent greets, and a question."""
    spoken = said("Tell me about the museum please, the museum and its pictures.")
    pcm = np.concatenate([np.zeros(round(pause_s * SAMPLE_RATE), np.int16), spoken])
    at = np.arange(len(pcm) * 3) / 3
    wide = np.interp(at, np.arange(len(pcm)), pcm).astype(np.int16)
    return np.stack([wide, wide], axis=1)


@pytest.fixture(scope="module")
def asked() -> Stereo:
    return question(6.0)


async def transcript(server: Server, session_id: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=server.url, headers=HEADERS, timeout=PATIENCE_S) as http:
        answer = await http.get(f"/auto/transcript/{session_id}")
    answer.raise_for_status()
    return list(answer.json()["transcript"])


@pytest.mark.parametrize("mode", ["traditional", "end-to-end"])
async def test_an_agent_greets_hears_a_question_and_answers_it(server: Server, asked: Stereo, mode: str) -> None:
    pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
        body = {"face_id": "tmp9i8bbq7c", "prompt": NOTES, "first_message": "Museum, hello!"}
        agent = (await http.post("/auto/agent", json=body, headers=HEADERS)).json()["id"]
        token = (await http.post("/auto/token", json={"simliAPIKey": KEY, "createTranscript": True})).json()["token"]
    async with calling(server, asked, mode=mode, authToken=token, projectId=agent) as call:
        await call.caller.loud.take(20, PATIENCE_S)
        async with asyncio.timeout(2 * PATIENCE_S):
            while len(await transcript(server, call.session_id)) < 2:
                await call.caller.heard.take(len(call.caller.heard.items) + 25, PATIENCE_S)
        await call.caller.loud.take(len(call.caller.loud.items) + 60, PATIENCE_S)
        await call.tell("close")
        assert await call.rest() == []
    said = await transcript(server, call.session_id)
    assert [line["role"] for line in said[:3]] == ["assistant", "user", "assistant"], said
    assert said[0]["content"] == "Museum, hello!"
    assert said[2]["content"].startswith("No language model"), "the embedded responder says so before it answers"


# --- sockets that drop ---------------------------------------------------------------------------------------------
async def test_a_socket_drops_and_comes_back_while_the_sound_goes_on(server: Server) -> None:
    async with calling(server, tones(60.0), mode="echo") as call:
        call.socket.transport.abort()
        count = len(call.caller.heard.items)
        await call.caller.heard.take(count + 100, PATIENCE_S)
        async with connect(url(server)) as call.socket:
            await call.tell("ping")
            assert await call.next() == {"type": "pong", "sessionId": call.session_id}
            await call.tell("close")
            assert await call.rest() == []
    assert await until_ended(server, call.session_id) == "closed"


async def test_a_call_with_a_voice_outlives_its_socket(server: Server) -> None:
    """PolyAI's apps come back on a socket that says nothing."""
    async with calling(server, tones(60.0), mode="echo") as call:
        call.socket.transport.abort()
        async with connect(url(server)):
            count = len(call.caller.heard.items)
            await call.caller.heard.take(count + 400, PATIENCE_S)
            assert (await history(server, call.session_id))["endReason"] is None
    assert await until_ended(server, call.session_id) == "peer_lost"


async def test_a_call_that_lost_its_socket_and_its_voice_is_over_and_known_no_more(server: Server) -> None:
    async with calling(server, tones(60.0), mode="echo") as call:
        call.caller.vanish()
        call.socket.transport.abort()
        assert await until_ended(server, call.session_id) in ("closed", "peer_lost")
        async with connect(url(server)) as call.socket:
            await call.tell("ping")
            error = await call.next()
            assert (error["type"], error["sessionId"]) == ("error", call.session_id)
            assert error["data"]["code"] == "INVALID_MESSAGE"


async def test_a_refused_offer_leaves_nothing_and_the_socket_for_another(server: Server) -> None:
    async with connect(url(server)) as socket:
        offer = {"type": "offer", "sessionId": "", "authToken": KEY, "mode": "echo"}
        for sdp in ("v=0 o=- 4611731400430051336 2 IN IP4 127.0.0.1", "garbage"):
            await socket.send(json.dumps({**offer, "data": {"type": "offer", "sdp": sdp}}))
            assert json.loads(await socket.recv())["data"]["code"] == "HANDLER_ERROR"
        async with Caller(tones(1.0)) as caller:
            await socket.send(json.dumps({**offer, "data": {"type": "offer", "sdp": await caller.offer()}}))
            answer = json.loads(await socket.recv())
            assert answer["type"] == "answer"
            await caller.accept(answer["data"]["sdp"])
            await caller.connected()
            await socket.send(json.dumps({"type": "close", "sessionId": answer["sessionId"]}))
            assert await until_ended(server, answer["sessionId"]) == "closed"


async def test_a_peer_that_never_connects_is_a_media_bridge_failure(tmp_path: Path) -> None:
    environ = {"MOUTHPIECE_TRANSPORT_CONNECT_TIMEOUT_S": "1"}
    with serving(tmp_path / "data", environ=environ) as server:
        async with Caller(tones(1.0)) as caller, connect(url(server)) as socket:
            data = {"type": "offer", "sdp": await caller.offer()}
            caller.vanish()
            await socket.send(json.dumps({"type": "offer", "data": data, "authToken": KEY, "mode": "echo"}))
            said = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    said.append(json.loads(await socket.recv()))
        errors = [each["data"]["code"] for each in said if each["type"] == "error"]
        assert errors == ["MEDIA_BRIDGE_FAILURE"]
        assert said[-1]["type"] == "close"
