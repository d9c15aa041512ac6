"""The gateway's socket on a real server and database, with scripted sessions and conversations."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tests.polyai.conftest import ANSWER, CANDIDATE, PATH, SDP, STEREO, calling, heard, offer, refused
from tests.simli.conftest import KEY, OTHER_KEY, Front, Start
from tests.support.troupe import TwinTroupe
from tests.support.twin import TwinSession
from tests.transport import offers
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mouthpiece import errors
from mouthpiece.agent.base import Fault, Finished, Line, Said
from mouthpiece.polyai.signaling import MAX_FAULTS
from mouthpiece.session.events import EndReason
from mouthpiece.transport.sound_sdp import sound_only

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEADERS = {"x-simli-api-key": KEY}
NOBODY = "550e8400-e29b-41d4-a716-446655440000"


async def token(front: Front, **more: object) -> str:
    answer = await front.http.post("/auto/token", json={"simliAPIKey": KEY, **more})
    return str(answer.json()["token"])


async def agent(front: Front, key: str = KEY, **more: object) -> str:
    body = {"face_id": "tmp9i8bbq7c", **more}
    answer = await front.http.post("/auto/agent", json=body, headers={"x-simli-api-key": key})
    return str(answer.json()["id"])


async def ending(socket: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """What is still said until the close, and the close code."""
    said = []
    try:
        async with asyncio.timeout(10):
            while True:
                said.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return said, socket.close_code


# --- a call --------------------------------------------------------------------------------------------------------
async def test_a_call_is_answered_trickled_and_closed(front: Front, troupe: TwinTroupe) -> None:
    async with front.socket(None, PATH) as socket:
        await socket.send(offer())
        answer, candidate, end = await heard(socket, "answer", "ice-candidate", "ice-candidate")
        session_id = str(answer["sessionId"])
        assert len(session_id) == 36
        assert answer == {"type": "answer", "sessionId": session_id, "data": {"type": "answer", "sdp": STEREO}}
        assert candidate["data"] == {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}
        assert end["data"] == {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}
        talk = await troupe.until_open()
        session = front.stage.opened[-1]
        assert session.spec.session_id == session_id
        assert session.microphone is not None
        session.microphone(np.zeros(320, np.int16))
        assert talk.heard == 320
        data = {"candidate": CANDIDATE, "sdpMid": None, "sdpMLineIndex": 0}
        await socket.send(json.dumps({"type": "ice-candidate", "sessionId": session_id, "data": data}))
        await socket.send(json.dumps({"type": "ping", "sessionId": session_id}))
        assert await heard(socket, "pong") == [{"type": "pong", "sessionId": session_id}]
        assert ("candidate", (CANDIDATE, None, 0)) in session.told
        await socket.send(json.dumps({"type": "close", "sessionId": session_id}))
        assert await ending(socket) == ([], 1000)
    assert session.over is not None
    assert session.over.reason is EndReason.CLOSED
    assert talk.closed


async def test_candidates_before_the_offer_reach_the_peer(front: Front, troupe: TwinTroupe) -> None:
    async with front.socket(None, PATH) as socket:
        data = {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": None}
        await socket.send(json.dumps({"type": "ice-candidate", "sessionId": None, "data": data}))
        await socket.send(offer())
        await heard(socket, "answer", "ice-candidate", "ice-candidate")
        await socket.send('{"type":"ping"}')
        await heard(socket, "pong")
        assert ("candidate", (CANDIDATE, "0", None)) in front.stage.opened[-1].told


async def test_pictures_are_refused_and_sound_goes_on(front: Front, troupe: TwinTroupe) -> None:
    """The twin answers only an offer whose video is turned down."""
    assert "m=video 9" in SDP
    assert "m=video 0" in sound_only(SDP)
    async with calling(front):
        pass


async def test_echo_is_a_mirror_and_needs_no_agent(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front, mode="echo") as (_, session):
        assert ("echo", None) in session.told
    assert not troupe.opened
    assert session.spec.call == {"mode": "echo"}


async def test_what_is_told_of_a_call_is_kept_with_its_session(front: Front, troupe: TwinTroupe) -> None:
    facts = {
        "callSid": "call-unique-id",
        "caller": "+14155551234",
        "callee": "+14155555678",
        "accountId": "acc",
        "variantId": "v",
        "agentVersionOverride": {"artifactVersion": "7", "lambdaDeploymentVersion": "8"},
    }
    async with calling(front, **facts) as (_, session):
        pass
    assert session.spec.call == {**facts, "mode": "end-to-end"}
    assert (session.spec.kind, session.spec.account) == ("polyai", front.account)


async def test_two_calls_with_one_call_sid_do_not_disturb_each_other(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front, callSid="same") as (_, one), calling(front, callSid="same") as (_, other):
        assert (one.over, other.over) == (None, None)


# --- who answers ---------------------------------------------------------------------------------------------------
async def test_a_project_is_an_agent_of_ours(front: Front, troupe: TwinTroupe) -> None:
    mine = await agent(front, prompt="Be brief.", first_message="Museum, hello?", language="de")
    async with calling(front, projectId=mine):
        talk = await troupe.until_open()
    plan = talk.plan
    assert (plan.instructions, plan.first_message, plan.language) == ("Be brief.", "Museum, hello?", "de")


async def test_without_a_project_the_built_in_agent_greets(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front):
        talk = await troupe.until_open()
    assert talk.plan.first_message
    assert talk.plan.instructions


async def test_another_accounts_agent_is_an_invalid_argument(front: Front, troupe: TwinTroupe) -> None:
    theirs = await agent(front, OTHER_KEY)
    async with front.socket(None, PATH) as socket:
        for project in (theirs, NOBODY):
            code, words = await refused(socket, offer(projectId=project))
            assert code == "INVALID_ARGUMENT"
            assert "projectId" in words
        await socket.send(offer())
        await heard(socket, "answer", "ice-candidate", "ice-candidate")


async def test_a_token_brings_its_keys_and_the_transcript_it_allows(front: Front, troupe: TwinTroupe) -> None:
    shown = await token(front, llmAPIKey="llm", ttsAPIKey="tts", createTranscript=True)
    mine = await agent(front, voice_provider="elevenlabs")
    async with calling(front, authToken=shown, projectId=mine) as (socket, session):
        talk = await troupe.until_open()
        assert (talk.choice.mind.key, talk.choice.voice.key) == ("llm", "tts")
        talk.tell(Said(Line("user", "hello", 1.0)))
        talk.last_words = Said(Line("assistant", "good", 2.0, interrupted=True))
        await socket.send('{"type":"close"}')
        await ending(socket)
    url = f"/auto/transcript/{session.spec.session_id}"
    async with asyncio.timeout(10):
        while len((said := (await front.http.get(url, headers=HEADERS)).json())["transcript"]) < 2:
            pass
    assert [(line["content"], line["interrupted"]) for line in said["transcript"]] == [("hello", False), ("good", True)]


async def test_an_api_key_keeps_no_transcript(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front) as (_, session):
        (await troupe.until_open()).tell(Said(Line("user", "hello", 1.0)))
    answer = await front.http.get(f"/auto/transcript/{session.spec.session_id}", headers=HEADERS)
    assert answer.status_code == 404


async def test_the_modes_choose_the_model(front: Front, troupe: TwinTroupe) -> None:
    mine = await agent(front, llm_provider="openai", llm_model="gpt-realtime")
    for mode, realtime in (("traditional", False), ("end-to-end", True)):
        async with calling(front, projectId=mine, mode=mode):
            await troupe.until_open()
        assert troupe.opened[-1].choice.mind.realtime is realtime
        troupe.reset()


# --- every code in its case ----------------------------------------------------------------------------------------
async def test_unauthorized(front: Front) -> None:
    expired = front.house.salon
    assert expired is not None
    bound = await token(front, originAllowList=["https://shop.example"])
    async with front.socket(None, PATH) as socket:
        assert await refused(socket, offer(authToken="")) == ("UNAUTHORIZED", "Auth token required")
        assert await refused(socket, offer(authToken="forged")) == ("UNAUTHORIZED", "Invalid authentication token")
        code, words = await refused(socket, offer(authToken=bound))
        assert code == "UNAUTHORIZED"
        assert "origin" in words
        code, words = await refused(socket, offer(authToken=_outlived(front)))
        assert code == "UNAUTHORIZED"
        assert "expired" in words
    assert not front.stage.opened


def _outlived(front: Front) -> str:
    from mouthpiece.simli.auto_tokens import StartClaims

    assert front.house.salon is not None
    return front.house.salon.tokens.make_start(StartClaims(front.account, None, 1, (), transcribed=False), 0)


async def test_a_page_of_the_tokens_list_may_call(front: Front, troupe: TwinTroupe) -> None:
    bound = await token(front, originAllowList=["https://shop.example"])
    async with front.socket(None, PATH, origin="https://shop.example") as socket:
        await socket.send(offer(authToken=bound))
        await heard(socket, "answer", "ice-candidate", "ice-candidate")


async def test_invalid_argument(front: Front) -> None:
    async with front.socket(None, PATH) as socket:
        code, words = await refused(socket, offer(mode="e2e"))
    assert code == "INVALID_ARGUMENT"
    assert "end-to-end" in words


async def test_invalid_message(front: Front, troupe: TwinTroupe) -> None:
    async with front.socket(None, PATH) as socket:
        for message in (
            b"\x00\x01",
            "garbage",
            "{}",
            '{"type":"answer"}',
            f'{{"type":"close","sessionId":"{NOBODY}"}}',
        ):
            assert (await refused(socket, message))[0] == "INVALID_MESSAGE"
        await socket.send(json.dumps({"type": "ping", "sessionId": NOBODY}))
        (error,) = await heard(socket, "error")
        assert error["sessionId"] == NOBODY
    async with calling(front) as (socket, _):
        assert (await refused(socket, offer()))[0] == "INVALID_MESSAGE"
        await socket.send(json.dumps({"type": "close", "sessionId": NOBODY}))
        await heard(socket, "error")


@pytest.mark.parametrize(
    "sdp", ["v=0 o=- 4611731400430051336 2 IN IP4 127.0.0.1", offers.offer(offers.video()), "garbage"]
)
async def test_handler_error_for_an_offer_that_cannot_be_answered(front: Front, troupe: TwinTroupe, sdp: str) -> None:
    async with front.socket(None, PATH) as socket:
        code, words = await refused(socket, offer(data={"type": "offer", "sdp": sdp}))
        assert (code, "offer" in words) == ("HANDLER_ERROR", True)
        await socket.send(offer())
        await heard(socket, "answer", "ice-candidate", "ice-candidate")
        assert len(front.stage.sessions) == 1


@pytest.mark.parametrize("fault", [errors.NoCapacity(retry_s=5), errors.RateLimited(reason="x", retry_s=5)])
async def test_handler_error_when_there_is_no_place(
    front: Front, troupe: TwinTroupe, fault: errors.MouthpieceError
) -> None:
    front.stage.refuse = fault
    async with front.socket(None, PATH) as socket:
        code, words = await refused(socket, offer())
    assert code == "HANDLER_ERROR"
    assert "retry" in words


async def test_media_bridge_failure_when_nothing_can_be_bound(front: Front, troupe: TwinTroupe) -> None:
    front.stage.answers[sound_only(SDP)] = errors.Unavailable(reason="no UDP port could be bound")
    async with front.socket(None, PATH) as socket:
        code, words = await refused(socket, offer())
    assert (code, "UDP" in words) == ("MEDIA_BRIDGE_FAILURE", True)
    assert not front.stage.sessions


async def test_media_bridge_failure_when_the_connection_is_lost(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front) as (socket, session):
        session.end(EndReason.PEER_LOST)
        said, code = await ending(socket)
    assert [(each["type"], each["sessionId"]) for each in said] == [
        ("error", session.spec.session_id),
        ("close", session.spec.session_id),
    ]
    assert said[0]["data"]["code"] == "MEDIA_BRIDGE_FAILURE"
    assert code == 1000


async def test_agent_failure_when_the_agent_cannot_work(front: Front, troupe: TwinTroupe) -> None:
    troupe.refuse = errors.BadInput(reason="the language model has no address")
    async with front.socket(None, PATH) as socket:
        assert await refused(socket, offer()) == ("AGENT_FAILURE", "the language model has no address")
    assert not front.stage.opened


async def test_agent_failure_when_the_agent_does_not_start(front: Front, troupe: TwinTroupe) -> None:
    troupe.fails = RuntimeError("no ears")
    async with calling(front) as (socket, _):
        said, code = await ending(socket)
    assert [each["type"] for each in said] == ["error", "close"]
    assert said[0]["data"]["code"] == "AGENT_FAILURE"
    assert code == 1000


async def test_without_the_extra_a_call_says_what_to_install_and_echo_works(start: Start) -> None:
    async with start(agents=False) as front:
        front.stage.answers[sound_only(SDP)] = ANSWER
        async with front.socket(None, PATH) as socket:
            code, words = await refused(socket, offer())
            assert code == "AGENT_FAILURE"
            assert "mouthpiece[agents]" in words
            await socket.send(offer(mode="echo"))
            await heard(socket, "answer", "ice-candidate", "ice-candidate")
            await socket.send('{"type":"close"}')
            assert (await ending(socket))[1] == 1000
        await front.stage.until(running=0)


# --- the end -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reason", "code"), [(EndReason.MAX, 1000), (EndReason.DONE, 1000), (EndReason.SHUTDOWN, 1001)]
)
async def test_our_end_is_told_by_close(front: Front, troupe: TwinTroupe, reason: EndReason, code: int) -> None:
    async with calling(front) as (socket, session):
        session.end(reason)
        assert await ending(socket) == ([{"type": "close", "sessionId": session.spec.session_id}], code)


async def test_a_conversation_in_which_nobody_speaks_ends(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front) as (_, session):
        (await troupe.until_open()).tell(Finished("idle"))
        assert ("finish", None) in session.told


async def test_a_provider_that_fails_ends_nothing(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front) as (socket, session):
        (await troupe.until_open()).tell(Fault("mind", "no answer"))
        await socket.send('{"type":"ping"}')
        await heard(socket, "pong")
        assert session.over is None


# --- the socket drops ----------------------------------------------------------------------------------------------
async def drop(front: Front) -> TwinSession:
    """A call whose socket is gone without a word."""
    async with calling(front) as (socket, session):
        socket.transport.abort()
    return session


async def test_a_client_that_comes_back_goes_on(front: Front, troupe: TwinTroupe) -> None:
    session = await drop(front)
    session_id = session.spec.session_id
    async with front.socket(None, PATH) as socket:
        data = {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}
        await socket.send(json.dumps({"type": "ice-candidate", "sessionId": session_id, "data": data}))
        await socket.send(json.dumps({"type": "ping", "sessionId": session_id}))
        await heard(socket, "pong")
        assert ("candidate", (CANDIDATE, "0", 0)) in session.told
        assert session.over is None
        session.end(EndReason.MAX)
        assert await ending(socket) == ([{"type": "close", "sessionId": session_id}], 1000)


async def test_a_client_that_comes_back_may_hang_up(front: Front, troupe: TwinTroupe) -> None:
    session = await drop(front)
    async with front.socket(None, PATH) as socket:
        await socket.send(json.dumps({"type": "close", "sessionId": session.spec.session_id}))
        assert await ending(socket) == ([], 1000)
    assert session.over is not None


async def test_the_newer_of_two_sockets_counts(front: Front, troupe: TwinTroupe) -> None:
    async with calling(front) as (old, session), front.socket(None, PATH) as new:
        await new.send(json.dumps({"type": "ping", "sessionId": session.spec.session_id}))
        await heard(new, "pong")
        assert await ending(old) == ([], 1000)
        assert session.over is None


async def test_a_call_that_nobody_comes_back_to_is_over(impatient: Front) -> None:
    session = await drop(impatient)
    await impatient.stage.until(running=0)
    async with impatient.socket(None, PATH) as socket:
        await socket.send(json.dumps({"type": "ping", "sessionId": session.spec.session_id}))
        (error,) = await heard(socket, "error")
        assert (error["sessionId"], error["data"]["code"]) == (session.spec.session_id, "INVALID_MESSAGE")  # type: ignore[index]


# --- floods --------------------------------------------------------------------------------------------------------
@dataclass
class Flood:
    """Messages of one kind, more than a socket takes."""

    name: str
    message: str | bytes


FLOODS = [
    Flood("binary", bytes(70_000)),
    Flood("garbage", "garbage"),
    Flood("long", "x" * 300_000),
    Flood("deep", "[" * 50_000),
    Flood("answers", '{"type":"answer","data":{}}'),
    Flood("unknown", f'{{"type":"ping","sessionId":"{NOBODY}"}}'),
    Flood("forged", offer(authToken="forged")),
]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.name)
async def test_a_flood_costs_its_socket_and_nobody_else(front: Front, troupe: TwinTroupe, flood: Flood) -> None:
    async with calling(front) as (other, session):
        async with front.socket(None, PATH, max_queue=None) as socket:
            with contextlib.suppress(ConnectionClosed):
                for _ in range(3 * MAX_FAULTS):
                    await socket.send(flood.message)
                    await asyncio.sleep(0)
            async with asyncio.timeout(20):
                await socket.wait_closed()
            assert socket.close_code == 1008
        await other.send('{"type":"ping"}')
        await heard(other, "pong")
        assert session.over is None


async def test_a_flood_in_a_call_costs_its_socket_and_the_call_is_there_for_the_next(
    front: Front, troupe: TwinTroupe
) -> None:
    async with calling(front) as (socket, session):
        for _ in range(MAX_FAULTS):
            await socket.send(b"\x00garbage")
        said, code = await ending(socket)
        assert {each["data"]["code"] for each in said} == {"INVALID_MESSAGE"}
        assert (len(said), code) == (MAX_FAULTS, 1008)
    assert session.over is None
    async with front.socket(None, PATH) as back:
        await back.send(json.dumps({"type": "ping", "sessionId": session.spec.session_id}))
        await heard(back, "pong")


async def test_an_address_may_not_keep_many_sockets_that_say_nothing(front: Front) -> None:
    sockets = []
    try:
        for _ in range(33):
            sockets.append(await front.socket(None, PATH))
        (error,) = await heard(sockets[-1], "error")
        assert error["data"]["code"] == "HANDLER_ERROR"  # type: ignore[index]
    finally:
        for socket in sockets:
            await socket.close()


# --- ICE servers ---------------------------------------------------------------------------------------------------
async def test_ice_servers_are_an_object_and_the_token_is_asked_for(front: Front) -> None:
    path = "/api/v1/ice-servers"
    assert (await front.http.get(path)).status_code == 401
    assert (await front.http.get(path, params={"token": "forged"})).status_code == 401
    for shown in (KEY, await token(front)):
        answer = await front.http.get(path, params={"token": shown})
        assert answer.json() == {"iceServers": [{"urls": "stun:127.0.0.1:3478"}]}
    bound = await token(front, originAllowList=["https://shop.example"])
    headers = {"origin": "https://elsewhere.example"}
    assert (await front.http.get(path, params={"token": bound}, headers=headers)).status_code == 403
