"""Conversations on the v1 sockets, over real connections; the expected words are those of the protocol."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.simli.conftest import OFFER, Front, Start, rest, said
from tests.support.twin import ANSWER, TwinVisitor
from websockets.asyncio.client import ClientConnection

from mouthpiece import errors
from mouthpiece.live.base import Backlog, Speaking
from mouthpiece.session.events import EndReason

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOLDEN = Path(__file__).parent / "golden"
V1 = "/startWebRTCSession"
REPLY = json.dumps({"sdp": ANSWER, "type": "answer"}, separators=(",", ":"))


async def answered(front: Front, socket: ClientConnection) -> TwinVisitor:
    """Bring the socket to where it waits for the token."""
    before = set(front.stage.visitors)
    await socket.send(OFFER)
    assert [await said(socket) for _ in range(2)] == ["ACK", REPLY]
    ((_, visitor),) = [each for each in front.stage.visitors.items() if each[0] not in before]
    return visitor


@pytest.mark.parametrize("path", [V1, "/StartWebRTCSession", "/StartWebRTCSession?enableSFU=True"])
async def test_a_session_from_offer_to_stop_reads_as_the_protocol_says(front: Front, path: str) -> None:
    lines = []
    async with front.socket(None, path) as socket:
        await socket.send(OFFER)
        lines += [await said(socket) for _ in range(2)]
        await socket.send(front.token(width=768, height=768))
        lines += [await said(socket) for _ in range(2)]
        session = front.stage.opened[0]
        assert (session.spec.look.width, session.spec.account) == (768, front.account)
        await socket.send("ping 1732500000.125")
        lines.append(await said(socket))
        session.say(Speaking(True), Speaking(False), Backlog())
        session.end(EndReason.IDLE, frames=99)
        more, code = await rest(socket)
    assert "\n".join([*lines, *more, f"(closed {code})"]) + "\n" == (GOLDEN / "session.txt").read_text()


@pytest.mark.parametrize("reason", [EndReason.IDLE, EndReason.MAX, EndReason.DONE, EndReason.TAKEN_OVER])
async def test_every_ordinary_end_is_a_plain_stop(front: Front, reason: EndReason) -> None:
    async with front.socket(None, V1) as socket:
        await answered(front, socket)
        await socket.send(front.token())
        assert [await said(socket) for _ in range(2)] == ["ACK", "START"]
        front.stage.opened[0].end(reason)
        assert await rest(socket) == (["STOP"], 1000)


async def test_what_is_sent_right_after_the_token_is_not_lost(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        await answered(front, socket)
        for message in (front.token(), b"\x01\x02", "SKIP", b"PLAY_IMMEDIATE\x03", "CAM?", b"DONE"):
            await socket.send(message)
        assert [await said(socket) for _ in range(2)] == ["ACK", "START"]
        assert await front.stage.opened[0].heard(4) == [
            ("audio", b"\x01\x02"),
            ("skip", None),
            ("immediate", b"\x03"),
            ("finish", None),
        ]


async def test_the_token_may_come_over_the_data_channel(front: Front) -> None:
    replies: asyncio.Queue[str] = asyncio.Queue()
    async with front.socket(None, V1) as socket:
        visitor = await answered(front, socket)
        visitor.speak("ping 1", replies.put_nowait)
        assert await replies.get() == "pong 1", "it comes back the way it came"
        visitor.speak(front.token(), replies.put_nowait)
        assert [await said(socket) for _ in range(2)] == ["ACK", "START"]
        session = front.stage.opened[0]
        session.channel(b"\x05\x06", replies.put_nowait)
        session.channel("ping 2", replies.put_nowait)
        assert await session.heard(1) == [("audio", b"\x05\x06")]
        assert await replies.get() == "pong 2"


# --- without a token -----------------------------------------------------------------------------------------------
async def test_pings_are_answered_before_and_without_a_token(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        await socket.send("ping 0")
        assert await said(socket) == "pong 0"
        await answered(front, socket)
        await socket.send("ping 7")
        assert await said(socket) == "pong 7"


@pytest.mark.parametrize("message", [b"\x00\x00", b"PLAY_IMMEDIATE\x00", "FAIL TOKEN", "{}", "undefined"])
async def test_sound_and_unreadable_text_are_told_that_the_token_is_missing(front: Front, message: str | bytes) -> None:
    async with front.socket(None, V1) as socket:
        await answered(front, socket)
        await socket.send(message)
        assert await said(socket) == "MISSING_SESSION_TOKEN"
        await socket.send(front.token())
        assert [await said(socket) for _ in range(2)] == ["ACK", "START"]
        assert front.stage.opened[0].told == [], "sound from before the token belongs to nobody"


async def test_a_stream_of_sound_without_a_token_is_not_answered_packet_by_packet(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        await answered(front, socket)
        for _ in range(50):
            await socket.send(bytes(640))
        await socket.send("ping 1")
        assert [await said(socket) for _ in range(2)] == ["MISSING_SESSION_TOKEN", "pong 1"]


async def test_no_token_in_time(start: Start) -> None:
    async with start(offer_timeout_s=0.05) as front, front.socket(None, V1) as socket:
        await answered(front, socket)
        texts, code = await rest(socket)
        assert texts[0] == "MISSING_SESSION_TOKEN"
        assert texts[1].startswith("ERROR INVALID_SESSION_TOKEN error: ")
        assert (texts[2:], code) == (["STOP"], 1008)
        await front.stage.until(running=0)


async def test_a_token_again_after_start_is_not_a_message(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        await answered(front, socket)
        token = front.token()
        await socket.send(token)
        assert [await said(socket) for _ in range(2)] == ["ACK", "START"]
        await socket.send(token)
        await socket.send("ping 1")
        assert await said(socket) == "pong 1"


async def test_done_without_a_token_ends_it(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        visitor = await answered(front, socket)
        await socket.send(b"DONE")
        await rest(socket)
    assert visitor.closed


# --- refusals ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("claims", "code"),
    [({"expires_at": 1}, "SESSION_TOKEN_EXPIRED"), ({"origins": ("https://good.example",)}, "ORIGIN_NOT_ALLOWED")],
)
async def test_a_token_that_may_not_be_used_says_why(front: Front, claims: dict[str, object], code: str) -> None:
    async with front.socket(None, V1, origin="https://evil.example") as socket:
        visitor = await answered(front, socket)
        await socket.send(front.token(**claims))
        (text, stop), closed = await rest(socket)
    assert text.startswith(f"ERROR {code} error: ")
    assert (stop, closed, visitor.closed) == ("STOP", 1008, True)


@pytest.mark.parametrize("first", ["{}", "hello", b"\x00\x00", '{"type":"offer","sdp":"?"}'])
async def test_a_bad_offer_is_told_and_leaves_nothing(front: Front, first: str | bytes) -> None:
    async with front.socket(None, V1) as socket:
        await socket.send(first)
        (text, stop), code = await rest(socket)
    assert text.startswith("ERROR INVALID_OFFER error: ")
    assert (stop, code, front.stage.visitors) == ("STOP", 1008, {})


async def test_a_second_offer_harms_nothing(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        await answered(front, socket)
        await socket.send(OFFER)
        assert (await said(socket)).startswith("ERROR INVALID_OFFER error: ")
        await socket.send(front.token())
        assert [await said(socket) for _ in range(2)] == ["ACK", "START"]
        await socket.send(OFFER)
        assert (await said(socket)).startswith("ERROR INVALID_OFFER error: ")
        assert front.stage.opened[0].over is None


async def test_one_over_the_limit_is_told_when_to_come_back(start: Start) -> None:
    async with start(max_sessions=1, retry_s=3) as front, front.session():
        async with front.socket(None, V1) as socket:
            await answered(front, socket)
            await socket.send(front.token())
            (text, stop), code = await rest(socket)
        assert text.startswith("RATE no free session, retry in 3 s error: ")
        assert (stop, code) == ("STOP", 1013)


async def test_the_same_token_takes_over_even_when_the_house_is_full(start: Start) -> None:
    async with start(max_sessions=1) as front:
        token = front.token()
        async with front.socket(None, V1) as first, front.socket(None, V1) as second:
            await answered(front, first)
            await first.send(token)
            assert [await said(first) for _ in range(2)] == ["ACK", "START"]
            await answered(front, second)
            await second.send(token)
            assert [await said(second) for _ in range(2)] == ["ACK", "START"]
            assert await rest(first) == (["STOP"], 1000)
            await second.send("ping 1")
            assert await said(second) == "pong 1"


@pytest.mark.parametrize(
    ("fault", "code"), [(errors.PeerConnectionLost(reason="no way"), 1000), (errors.Draining(retry_s=5), 1013)]
)
async def test_a_peer_that_is_lost_while_it_waits_is_told(
    front: Front, fault: errors.MouthpieceError, code: int
) -> None:
    async with front.socket(None, V1) as socket:
        visitor = await answered(front, socket)
        visitor.lose(fault)
        (text, stop), closed = await rest(socket)
    assert f"error: {fault}" in text
    assert (stop, closed) == ("STOP", code)


async def test_a_client_that_leaves_is_gone_at_once(front: Front) -> None:
    async with front.socket(None, V1) as socket:
        visitor = await answered(front, socket)
    await front.stage.until(running=0)
    assert visitor.closed
    async with front.socket(None, V1) as socket:
        await answered(front, socket)
        await socket.send(front.token())
        assert [await said(socket) for _ in range(2)] == ["ACK", "START"]
    await front.stage.until(running=0)
    assert front.stage.opened[0].over is not None
    assert front.stage.opened[0].over.reason is EndReason.CLOSED


# --- POST, everything else on the data channel ---------------------------------------------------------------------
async def post(front: Front, path: str = V1, **more: object) -> TwinVisitor:
    before = set(front.stage.visitors)
    answer = await front.http.post(path, json={**json.loads(OFFER), "video_transform": "none", **more})
    assert answer.json() == {"sdp": ANSWER, "type": "answer"}
    ((_, visitor),) = [each for each in front.stage.visitors.items() if each[0] not in before]
    return visitor


@pytest.mark.parametrize("path", [V1, "/StartWebRTCSession"])
async def test_a_whole_session_over_the_data_channel(front: Front, path: str) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    visitor = await post(front, path)
    visitor.speak("ping 1", said.put_nowait)
    visitor.speak("nonsense", said.put_nowait)
    visitor.speak(front.token(), said.put_nowait)
    async with asyncio.timeout(10):
        assert [await said.get() for _ in range(4)] == ["pong 1", "MISSING_SESSION_TOKEN", "ACK", "START"]
        session = front.stage.opened[0]
        session.channel(b"\x01\x02", said.put_nowait)
        session.channel("SKIP", said.put_nowait)
        assert await session.heard(2) == [("audio", b"\x01\x02"), ("skip", None)]
        session.say(Speaking(True), Speaking(False))
        assert [await said.get() for _ in range(2)] == ["SPEAK", "SILENT"]
        session.end(EndReason.MAX)
        assert await said.get() == "STOP"


async def test_a_data_channel_client_that_shows_no_token_is_told_and_let_go(start: Start) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    async with start(offer_timeout_s=0.2) as front:
        visitor = await post(front)
        visitor.speak("ping 1", said.put_nowait)
        async with asyncio.timeout(10):
            assert [await said.get() for _ in range(2)] == ["pong 1", "MISSING_SESSION_TOKEN"]
            assert (await said.get()).startswith("ERROR INVALID_SESSION_TOKEN error: ")
            assert await said.get() == "STOP"
        await front.stage.until(running=0)
        assert visitor.closed


@pytest.mark.parametrize(
    ("body", "status"),
    [({"sdp": "?", "type": "offer"}, 400), ({"sdp": "x", "type": "answer"}, 400), ({"sdp": "x"}, 422), ({}, 422)],
)
async def test_an_offer_by_post_that_cannot_be_used(front: Front, body: dict[str, str], status: int) -> None:
    answer = await front.http.post(V1, json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert front.stage.visitors == {}
