"""Full, and over an account's limit: at each door, one more than fits. The words are those of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.simli.conftest import KEY, OFFER, Front, Start, rest, said
from tests.support.twin import ANSWER
from websockets.asyncio.client import ClientConnection

from mouthpiece.cluster.wire import STRANGERS_PER_ADDRESS
from mouthpiece.live.base import SessionSpec
from mouthpiece.media import Look
from mouthpiece.settings import LiveKitSettings
from mouthpiece.store.history import SessionRecord
from mouthpiece.transport.grants import Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = {"x-simli-api-key": KEY}
LIVEKIT = LiveKitSettings(url="ws://10.0.0.1:7880", key="key", secret="a secret that is long enough for HMAC")
SIGNER = Signer("key", LIVEKIT.secret or "")
TOKEN_ROUTES = {
    "/compose/token": {"faceId": "mia"},
    "/startAudioToVideoSession": {"faceId": "mia", "apiKey": KEY},
    "/startAudioVideoSession": {"faceId": "mia", "apiKey": KEY},
    "/auto/start/configurable": {"faceId": "mia"},
    "/startE2ESession": {"faceId": "mia", "apiKey": KEY},
}
AGENT_ROUTES = ("/integrations/livekit/agents", "/StartLivekitAgentsSession")
FULL = "no free session, retry in 3 s"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(start: Start) -> AsyncIterator[Front]:
    """A house for one session, which runs."""
    async with start(max_sessions=1, retry_s=3, livekit=LIVEKIT) as it, it.session():
        yield it


@pytest.mark.parametrize("path", TOKEN_ROUTES)
async def test_a_full_house_tells_whoever_wants_a_token(full: Front, path: str) -> None:
    refused = await full.http.post(path, json=TOKEN_ROUTES[path], headers=MINE)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
    told = refused.json()
    assert told["detail"].startswith("server overloaded")
    assert (told["code"], told["session_token"]) == ("NO_CAPACITY", "FAIL TOKEN")


@pytest.mark.parametrize("path", ["/compose/webrtc/p2p", "/peer-to-peer", "/compose/webrtc/livekit"])
async def test_a_full_house_tells_a_v2_socket(full: Front, path: str) -> None:
    async with full.socket(full.token(), path) as socket:
        if "livekit" not in path:
            await socket.send(OFFER)
        assert await rest(socket) == ([f"RATE {FULL}"], 1013)


async def v1_refusal(socket: ClientConnection) -> str:
    (text, stop), code = await rest(socket)
    assert (stop, code) == ("STOP", 1013)
    return text


@pytest.mark.parametrize("path", ["/startWebRTCSession", "/StartWebRTCSession", "/StartWebRTCSessionLivekit"])
async def test_a_full_house_tells_a_v1_socket(full: Front, path: str) -> None:
    async with full.socket(None, path) as socket:
        if "Livekit" not in path:
            await socket.send(OFFER)
            assert await said(socket) == "ACK"
            assert (await said(socket)).startswith("{")
        await socket.send(full.token())
        assert (await v1_refusal(socket)).startswith(f"RATE {FULL} error: ")


async def test_a_full_house_tells_a_data_channel(full: Front) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    answer = await full.http.post("/startWebRTCSession", json=json.loads(OFFER))
    assert answer.json()["sdp"] == ANSWER
    (visitor,) = full.stage.visitors.values()
    visitor.speak(full.token(), heard.put_nowait)
    async with asyncio.timeout(10):
        assert (await heard.get()).startswith(f"RATE {FULL} error: ")
        assert await heard.get() == "STOP"
    await full.stage.until(running=1)


@pytest.mark.parametrize("path", AGENT_ROUTES)
async def test_a_full_house_tells_an_agent(full: Front, path: str) -> None:
    body = {
        "session_token": full.token(),
        "livekit_token": SIGNER.avatar("room", "avatar", full.house.clock(), 60, on_behalf="agent"),
        "livekit_url": LIVEKIT.url,
    }
    refused = await full.http.post(path, json=body)
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (503, "3", "NO_CAPACITY")


async def test_a_refusal_takes_nobodys_place(full: Front) -> None:
    assert len(full.stage.sessions) == 1
    assert full.host.workers()[0].sessions == 1


@pytest.mark.parametrize("path", TOKEN_ROUTES)
async def test_over_the_accounts_limit_is_told_and_usage_agrees(start: Start, path: str) -> None:
    async with start(sessions_per_key=1) as front:
        body = TOKEN_ROUTES[path]
        assert (await front.http.post(path, json=body, headers=MINE)).status_code == 200
        spec = SessionSpec("one", front.account, "t-one", Look("mia"))
        record = SessionRecord(spec.session_id, spec.account, spec.token_id, "mia", "compose", None, "settings-1")
        await front.house.history.begin(record, "a worker")  # type: ignore[attr-defined]
        assert (await front.http.get("/ratelimiter/sessions", headers=MINE)).json() == {"currentUsage": 1}
        refused = await front.http.post(path, json=body, headers=MINE)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert refused.json()["detail"] == "RATE 1 sessions at once, retry in 5 s"


async def test_one_stranger_more_than_an_address_may_have_is_told_at_once(start: Start) -> None:
    async with start() as front:
        waiting = [await front.socket(None, "/startWebRTCSession") for _ in range(STRANGERS_PER_ADDRESS)]
        for socket in waiting:
            await socket.send("ping 1")  # it has been counted when this is answered
            assert await said(socket) == "pong 1"
        async with front.socket(None, "/startWebRTCSession") as socket:
            assert (await v1_refusal(socket)).startswith("RATE too many clients without a session token, retry in 5 s")
        async with front.socket() as socket:
            texts, code = await rest(socket)
            assert (texts, code) == (["RATE too many clients without a session token, retry in 5 s"], 1013)
        for socket in waiting:
            await socket.close()
