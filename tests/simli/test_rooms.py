"""LiveKit rooms: the words on the sockets, who may have us join what, and where the session is placed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from livekit.api import TokenVerifier
from tests.simli.conftest import Front, Start, rest, said

from mouthpiece import errors
from mouthpiece.errors import BadInput, HostNotAllowed
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LiveKitSettings
from mouthpiece.simli.hosts import check_livekit_url
from mouthpiece.transport.base import RoomTicket
from mouthpiece.transport.grants import Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIVEKIT = LiveKitSettings("ws://10.0.0.1:7880", "wss://live.example", "key", "a secret that is long enough for HMAC")
SIGNER = Signer("key", LIVEKIT.secret or "")
COMPOSE, V1 = "/compose/webrtc/livekit", "/StartWebRTCSessionLivekit"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(start: Start) -> AsyncIterator[Front]:
    """A front end with a LiveKit server of its own."""
    async with start(livekit=LIVEKIT, allow_hosts=("rooms.example", "*.cloud.example")) as it:
        yield it


def of_session(front: Front) -> RoomTicket:
    """How the session entered its room."""
    (what, ticket), *_ = front.stage.opened[-1].told
    assert what == "join"
    assert isinstance(ticket, RoomTicket)
    return ticket


async def test_v2_says_room_then_video_then_start(front: Front) -> None:
    async with front.socket(front.token(width=768, height=768), COMPOSE) as socket:
        room, video = json.loads(await said(socket)), json.loads(await said(socket))
        assert list(room) == ["livekit_url", "livekit_token"]
        assert room["livekit_url"] == "wss://live.example"
        assert video == {"video_metadata": {"fps": 25, "width": 768, "height": 768}}
        assert await said(socket) == "START"
        assert set(json.loads(await said(socket))) == {"destination", "session_id"}
        await socket.send(b"\x01\x02")
        await front.stage.opened[-1].heard(2)
        ticket = of_session(front)
        front.stage.opened[-1].end(EndReason.DONE, frames=7)
        assert await rest(socket) == (["ENDFRAME 7", "CLOSING REASON: DONE", "STOP"], 1000)
    theirs = TokenVerifier("key", SIGNER.secret).verify(room["livekit_token"])
    ours = TokenVerifier("key", SIGNER.secret).verify(ticket.token)
    assert theirs.video
    assert ours.video
    assert theirs.video.room == ours.video.room
    assert (theirs.video.can_publish, ours.video.can_publish) == (False, True)
    assert (ticket.url, ticket.width, ticket.height, ticket.speaker) == (LIVEKIT.url, 768, 768, None)


async def test_a_client_that_never_joined_is_told_so(front: Front) -> None:
    async with front.socket(front.token(), COMPOSE) as socket:
        for _ in range(4):
            await said(socket)
        front.stage.opened[-1].end(EndReason.PEER_LOST, frames=0)
        texts, code = await rest(socket)
    assert texts == ["Client not connected to LiveKit room within 30 s", "ERROR PEER_CONNECTION_LOST", "STOP"]
    assert code == 1000


async def test_v1_wants_the_token_first_and_has_its_own_words(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        await socket.send("not a token")
        assert await said(socket) == "MISSING_SESSION_TOKEN"
        await socket.send(bytes(640))
        assert await said(socket) == "MISSING_SESSION_TOKEN"
        await socket.send(front.token())
        assert "livekit_token" in json.loads(await said(socket))
        assert "video_metadata" in json.loads(await said(socket))
        assert await said(socket) == "START"
        await socket.send("ping 5")
        assert await said(socket) == "pong 5"
        front.stage.opened[-1].end(EndReason.IDLE)
        assert await rest(socket) == (["STOP"], 1000)


@pytest.mark.parametrize(("path", "words"), [(COMPOSE, "ERROR {}"), (V1, "ERROR {} error: ")])
async def test_a_room_that_cannot_be_entered_ends_the_session(front: Front, path: str, words: str) -> None:
    front.stage.join_fails = errors.RoomUnreachable(reason="no answer")
    async with front.socket(front.token() if path == COMPOSE else None, path) as socket:
        if path == V1:
            await socket.send(front.token())
        await said(socket)
        await said(socket)
        texts, _ = await rest(socket)
    assert texts[0].startswith(words.format("LIVEKIT_UNREACHABLE"))
    assert front.host.workers()[0].sessions == 0


# --- agents --------------------------------------------------------------------------------------------------------
def asking(front: Front, **more: object) -> dict[str, Any]:
    token = SIGNER.avatar("room", "avatar", time.time(), 60, on_behalf="agent-7")
    return {
        "session_token": front.token(),
        "livekit_token": token,
        "livekit_url": "wss://a.cloud.example",
        **more,
    }


@pytest.mark.parametrize("path", ["/integrations/livekit/agents", "/StartLivekitAgentsSession"])
async def test_an_agent_gets_its_face_and_the_place_is_free_afterwards(front: Front, path: str) -> None:
    reply = await front.http.post(path, json=asking(front))
    assert reply.status_code == 200, reply.text
    session = front.stage.opened[-1]
    assert (reply.json()["status"], reply.json()["session_id"]) == ("ok", session.spec.session_id)
    assert session.spec.kind == "livekit-agent"
    assert of_session(front).speaker == "agent-7"
    assert front.host.workers()[0].sessions == 1
    session.end(EndReason.PEER_LOST)
    await front.stage.until(running=0)
    assert front.host.workers()[0].sessions == 0


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"session_token": "x"}, 401, "INVALID_SESSION_TOKEN"),
        ({"livekit_token": "x"}, 400, "INVALID_REQUEST"),
        ({"livekit_url": "http://"}, 400, "INVALID_REQUEST"),
        ({"livekit_url": "wss://elsewhere.example"}, 400, "HOST_NOT_ALLOWED"),
        ({"livekit_url": "ws://127.0.0.1:7880"}, 400, "HOST_NOT_ALLOWED"),
    ],
)
async def test_what_cannot_be_is_refused_and_holds_no_place(
    front: Front, more: dict[str, object], status: int, code: str
) -> None:
    reply = await front.http.post("/integrations/livekit/agents", json=asking(front, **more))
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert front.host.workers()[0].sessions == 0


async def test_an_unreachable_room_is_worth_a_retry(front: Front) -> None:
    front.stage.join_fails = errors.RoomUnreachable(reason="no answer")
    reply: httpx.Response = await front.http.post("/integrations/livekit/agents", json=asking(front))
    assert (reply.status_code, reply.json()["code"]) == (503, "LIVEKIT_UNREACHABLE")
    await front.stage.until(running=0)
    assert front.host.workers()[0].sessions == 0


async def test_a_missing_field_is_422(front: Front) -> None:
    reply = await front.http.post("/integrations/livekit/agents", json={"session_token": "x"})
    assert reply.status_code == 422


@pytest.mark.parametrize(
    "url",
    ["ws://10.0.0.1:7880", "http://10.0.0.1:7880/path", "wss://LIVE.example", "wss://rooms.example:9", "wss://x.cloud.example"],
)  # fmt: skip
async def test_our_own_and_allowed_hosts_may_be_named(url: str) -> None:
    check_livekit_url(url, LIVEKIT, ("rooms.example", "*.cloud.example"))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ws://10.0.0.1:7881", HostNotAllowed),  # our own host, another port
        ("wss://evilcloud.example", HostNotAllowed),
        ("wss://rooms.example.evil", HostNotAllowed),
        ("wss://rooms.example@evil.example", BadInput),
        ("ftp://rooms.example", BadInput),
        ("wss://rooms.example:99999", BadInput),
        ("rooms.example", BadInput),
        ("", BadInput),
    ],
)
async def test_others_may_not(url: str, fault: type[errors.MouthpieceError]) -> None:
    with pytest.raises(fault):
        check_livekit_url(url, LIVEKIT, ("rooms.example", "*.cloud.example"))
