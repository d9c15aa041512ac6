"""Conversations on the v2 sockets, over real connections; the expected words are those of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from pathlib import Path

import pytest
from tests.simli.conftest import OFFER, Front, Start, rest, said
from tests.support.twin import ANSWER
from websockets.exceptions import ConnectionClosed

from mouthpiece import errors
from mouthpiece.face.camera import Camera
from mouthpiece.lipsync.phones import TimedPhone
from mouthpiece.lipsync.script import Script
from mouthpiece.live.base import Backlog, NotDressed, Speaking
from mouthpiece.session.events import EndReason
from mouthpiece.simli.messages import NIL_ASSET

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOLDEN = Path(__file__).parent / "golden"
CAMERA = b"CAM_" + struct.pack("<9f", *range(9))


async def test_a_session_from_offer_to_stop_reads_as_the_protocol_says(front: Front) -> None:
    lines = []
    async with front.socket(front.token(width=768, height=768)) as socket:
        await socket.send(OFFER)
        lines += [await said(socket) for _ in range(4)]
        session = front.stage.opened[0]
        session.say(Speaking(True), Speaking(False), Backlog())
        session.end(EndReason.IDLE, frames=99)
        more, code = await rest(socket)
    text = "\n".join([*lines, *more, f"(closed {code})"]).replace(session.spec.session_id, "SESSION") + "\n"
    assert text == (GOLDEN / "session.txt").read_text()


@pytest.mark.parametrize("path", ["/compose/webrtc/p2p", "/compose/webrtc/peer_to_peer"])
@pytest.mark.parametrize("sfu", ["", "&enableSFU=true", "&enableSFU=False", "&enableSFU=True"])
async def test_every_address_is_the_same_socket(front: Front, path: str, sfu: str) -> None:
    async with front.socket(front.token() + sfu, path) as socket:
        await socket.send(OFFER)
        assert await said(socket) == json.dumps({"sdp": ANSWER, "type": "answer"}, separators=(",", ":"))
        assert await said(socket) == "START"


@pytest.mark.parametrize("how", ["compose", "header", "message"])
async def test_the_token_may_come_in_other_ways(front: Front, how: str) -> None:
    token = front.token()
    path = f"/peer-to-peer?compose_session_token={token}" if how == "compose" else "/compose/webrtc/p2p"
    headers = {"session-token": token} if how == "header" else {}
    async with front.socket(None, path, additional_headers=headers) as socket:
        if how == "message":
            await socket.send(token)
        await socket.send(OFFER)
        assert json.loads(await said(socket))["type"] == "answer"


async def test_what_clients_send_reaches_the_session_in_order(front: Front) -> None:
    async with front.session() as (socket, session):
        for message in (b"\x01\x02\x03", b"PLAY_IMMEDIATE\x04", "SKIP", b"SKIP", b"CAM_not a camera", "DONE", b"DONE"):
            await socket.send(message)
        assert await session.heard(7) == [
            ("audio", b"\x01\x02\x03"),
            ("immediate", b"\x04"),
            ("skip", None),
            ("skip", None),
            ("audio", b"CAM_not a camera"),
            ("finish", None),
            ("finish", None),
        ]


async def test_what_is_said_reaches_the_session_before_its_sound(front: Front) -> None:
    async with front.session() as (socket, session):
        await socket.send('{"type":"script","phones":[[0,800,"m"]]}')
        await socket.send(b"\x01\x02")
        script = Script.of_phones([TimedPhone(0, 800, "m")])
        assert await session.heard(2) == [("cue", script), ("audio", b"\x01\x02")]


async def test_a_message_of_sixteen_megabytes_is_taken(front: Front) -> None:
    async with front.session() as (socket, session):
        await socket.send(b"PLAY_IMMEDIATE" + bytes(16 * 1024 * 1024))
        ((what, data),) = await session.heard(1)
        assert what == "immediate"
        assert isinstance(data, bytes)
        assert len(data) == 16 * 1024 * 1024


async def test_a_message_over_the_limit_ends_this_socket_only(start: Start) -> None:
    async with start(message_bytes=65_536) as front, front.session() as (other, _):
        async with front.session() as (socket, session):
            await socket.send(bytes(65_536 + 1_025))
            _, code = await rest(socket)
        assert code == 1009
        await front.stage.until(running=1)
        assert session.over is not None
        await other.send("ping 1")
        assert await said(other) == "pong 1"


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("ping 123.450", "pong 123.450"),
        ("BG_nope", "Invalid background message: expected BG_ and a 36 character id"),
        ("hello", "WARNING: unknown message, ignored"),
        (OFFER, "ERROR INVALID_OFFER"),
    ],
)
async def test_replies_leave_the_session_unharmed(front: Front, message: str | bytes, reply: str) -> None:
    async with front.session() as (socket, session):
        await socket.send(message)
        assert await said(socket) == reply
        await socket.send(b"\x00\x00")
        await session.heard(1)
        assert session.over is None


async def test_the_camera_and_what_is_around_the_face(front: Front) -> None:
    asset = "01234567-89ab-cdef-0123-456789ABCDEF"
    async with front.session() as (socket, session):
        for message in (CAMERA, CAMERA + b"LERP\x00\x00\x00\x40", f"BG_{asset}", "FG_" + NIL_ASSET):
            await socket.send(message)
        there = Camera(*(1.0, 0.0, 2.0, 4.0, 5.0, 6.0, 3.0, 7.0, 8.0))
        assert await session.heard(4) == [
            ("aim", (there, 0.0)),
            ("aim", (there, 2.0)),
            ("dress", ("background", asset.lower())),
            ("dress", ("foreground", "")),
        ]
        session.say(NotDressed("background", asset))
        assert await said(socket) == f"background {asset} is not one of your uploaded backgrounds"


async def test_data_channel_commands_are_answered_on_the_data_channel(front: Front) -> None:
    replies: asyncio.Queue[str] = asyncio.Queue()
    async with front.session() as (socket, session):
        for message in ("ping 7", b"\x05\x06", "SKIP", "BG_nope"):
            session.channel(message, replies.put_nowait)
        assert await session.heard(2) == [("audio", b"\x05\x06"), ("skip", None)]
        assert await replies.get() == "pong 7"
        assert (await replies.get()).startswith("Invalid background message")
        await socket.send("ping 8")
        assert await said(socket) == "pong 8", "and not on the socket"


# --- refusals ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("token", ["nonsense", "", "gAAAA", "%00"])
async def test_a_bad_token_is_accepted_told_and_closed(front: Front, token: str) -> None:
    async with front.socket(token) as socket:
        if not token:
            await socket.send("nonsense")
        assert await rest(socket) == (["ERROR INVALID_SESSION_TOKEN"], 1008)


async def test_a_refused_client_may_finish_its_offer_first(front: Front) -> None:
    async with front.socket("nonsense") as socket:
        told = asyncio.create_task(rest(socket))
        assert not (await asyncio.wait({told}, timeout=0.2))[0], "its browser may still be making the offer"
        await socket.send(OFFER)
        assert await told == (["ERROR INVALID_SESSION_TOKEN"], 1008)


async def test_an_expired_token_says_so(front: Front) -> None:
    async with front.socket(front.token(expires_at=1)) as socket:
        assert await rest(socket) == (["ERROR SESSION_TOKEN_EXPIRED"], 1008)


async def test_an_offer_instead_of_a_token_is_told_what_is_missing(front: Front) -> None:
    async with front.socket() as socket:
        await socket.send(OFFER)
        assert await rest(socket) == (["ERROR INVALID_SESSION_TOKEN"], 1008)


@pytest.mark.parametrize(
    ("origin", "words"),
    [("https://evil.example", ["ERROR ORIGIN_NOT_ALLOWED"]), (None, ["ERROR ORIGIN_NOT_ALLOWED"])],
)
async def test_a_strange_origin_is_told_after_the_handshake(front: Front, origin: str | None, words: list[str]) -> None:
    token = front.token(origins=("https://good.example",))
    async with front.socket(token, origin=origin) as socket:
        assert await rest(socket) == (words, 1008)


async def test_the_right_origin_is_let_in(front: Front) -> None:
    token = front.token(origins=("https://good.example",))
    async with front.socket(token, origin="https://good.example") as socket:
        await socket.send(OFFER)
        assert json.loads(await said(socket))["type"] == "answer"


@pytest.mark.parametrize(
    "first", ["{}", "hello", '{"type":"offer"}', b"\x00\x00", "SKIP", '{"type":"offer","sdp":"?"}']
)
async def test_a_bad_offer_is_told_and_leaves_nothing(front: Front, first: str | bytes) -> None:
    async with front.socket(front.token()) as socket:
        await socket.send(first)
        assert await rest(socket) == (["ERROR INVALID_OFFER"], 1008)
        assert socket.close_reason
    await front.stage.until(running=0)


async def test_pings_before_the_offer_are_answered(front: Front) -> None:
    async with front.socket(front.token()) as socket:
        await socket.send("ping 1")
        assert await said(socket) == "pong 1"
        await socket.send(OFFER)
        assert json.loads(await said(socket))["type"] == "answer"


async def test_no_offer_in_time(start: Start) -> None:
    async with start(offer_timeout_s=0.05) as front:
        async with front.socket(front.token()) as socket:
            assert await rest(socket) == (["ERROR OFFER_TIMEOUT"], 1008)
        async with front.socket() as socket:
            assert await rest(socket) == (["ERROR INVALID_SESSION_TOKEN"], 1008)


async def test_pings_and_a_token_buy_no_time_for_the_offer(start: Start) -> None:
    async with start(offer_timeout_s=1.0) as front, front.socket() as socket:
        await socket.send(front.token())
        told = asyncio.create_task(rest(socket))
        while not told.done():  # each of these would begin the wait anew, if any did
            await asyncio.wait({told}, timeout=0.05)
            with contextlib.suppress(ConnectionClosed):
                await socket.send("ping 1")
        texts, code = await told
        assert (texts[-1], code) == ("ERROR OFFER_TIMEOUT", 1008)
        assert set(texts[:-1]) == {"pong 1"}


async def test_one_over_the_limit_is_told_when_to_come_back(start: Start) -> None:
    async with start(max_sessions=1, retry_s=3) as front, front.session():
        async with front.socket(front.token()) as socket:
            await socket.send(OFFER)
            assert await rest(socket) == (["RATE no free session, retry in 3 s"], 1013)
        assert len(front.stage.sessions) == 1


@pytest.mark.parametrize(
    ("fault", "words", "code"),
    [
        (errors.RateLimited(reason="2 sessions at once", retry_s=5), "RATE 2 sessions at once, retry in 5 s", 1013),
        (errors.Draining(retry_s=5), "RATE server is shutting down, retry in 5 s", 1013),
        (errors.InvalidFace(face_id="gone"), "ERROR INVALID_FACE_ID", 1008),
        (errors.Unavailable(reason="no UDP"), "ERROR UNAVAILABLE", 1011),
        (RuntimeError("a bug"), "ERROR INTERNAL_ERROR", 1011),
    ],
)
async def test_a_stage_that_refuses_is_worded(
    front: Front, fault: errors.MouthpieceError, words: str, code: int
) -> None:
    front.stage.refuse = fault
    async with front.socket(front.token()) as socket:
        await socket.send(OFFER)
        assert await rest(socket) == ([words], code)
    assert front.host.workers()[0].sessions == 0


async def test_livekit_says_at_once_that_it_is_not_there(front: Front) -> None:
    async with front.socket(front.token(), "/compose/webrtc/livekit") as socket:
        assert await rest(socket) == (["ERROR LIVEKIT_NOT_CONFIGURED"], 1011)


async def test_livekit_with_a_bad_token_says_that(front: Front) -> None:
    async with front.socket("x", "/compose/webrtc/livekit") as socket:
        assert await rest(socket) == (["ERROR INVALID_SESSION_TOKEN"], 1008)


# --- ends ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reason", "words", "code"),
    [
        (EndReason.MAX, ["ENDFRAME 42", "CLOSING REASON: MAX", "STOP"], 1000),
        (EndReason.DONE, ["ENDFRAME 42", "CLOSING REASON: DONE", "STOP"], 1000),
        (EndReason.SHUTDOWN, ["ENDFRAME 42", "CLOSING REASON: SHUTDOWN", "STOP"], 1001),
        (EndReason.PEER_LOST, ["ERROR PEER_CONNECTION_LOST", "STOP"], 1000),
        (EndReason.FAILED, ["ERROR INTERNAL_ERROR", "STOP"], 1011),
    ],
)
async def test_every_end_is_said_before_the_close(front: Front, reason: EndReason, words: list[str], code: int) -> None:
    async with front.session() as (socket, session):
        session.end(reason)
        assert await rest(socket) == (words, code)


async def test_the_same_token_takes_over(front: Front) -> None:
    token = front.token()
    async with front.session(token) as (old, first), front.session(token) as (_, second):
        assert await rest(old) == (["ENDFRAME 42", "CLOSING REASON: TAKEN_OVER", "STOP"], 1000)
        assert first.over is not None
        assert second.over is None
        assert front.host.workers()[0].sessions == 1


async def test_the_same_token_takes_over_in_a_full_house(start: Start) -> None:
    async with start(max_sessions=1) as front:
        token = front.token()
        async with front.session(token), front.session(token) as (_, second):
            assert second.over is None


async def test_a_client_that_leaves_frees_its_place(front: Front) -> None:
    async with front.session() as (socket, session):
        await socket.close()
        await front.stage.until(running=0)
    assert session.over is not None
    assert session.over.reason is EndReason.CLOSED


async def test_a_client_whose_connection_breaks_frees_its_place(front: Front) -> None:
    async with front.session() as (socket, session):
        socket.transport.abort()
        await front.stage.until(running=0)
    assert session.over is not None
    assert session.over.reason is EndReason.CLOSED


async def test_a_client_that_hangs_up_peer_first_is_told_no_error(front: Front) -> None:
    async with front.session() as (socket, session):
        session.end(EndReason.PEER_LOST)
        await socket.close()
        assert await rest(socket) == ([], 1000)


async def test_done_and_leave_at_once_as_python_clients_do(front: Front) -> None:
    async with front.session() as (socket, session):
        await socket.send(b"DONE")
        await socket.close()
        await front.stage.until(running=0)
    assert session.told == [("finish", None)]


async def test_nothing_is_compressed(front: Front) -> None:
    async with front.session() as (socket, _):
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_a_flood_slows_itself_and_nobody_else(start: Start) -> None:
    async with start(messages_per_s=50) as front:
        async with front.session() as (flooding, session), front.session() as (other, _):
            for _ in range(400):
                await flooding.send(b"\x00\x00")
            await other.send("ping 1")
            assert await said(other) == "pong 1"
            assert len(session.told) < 400
        with pytest.raises(ConnectionClosed):
            await other.send("gone")
