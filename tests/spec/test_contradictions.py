"""Where the documents and the clients contradict each other: what this server does, one test for each row.

The rows are numbered as in our own list of contradictions.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import struct
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.simli.conftest import KEY, OFFER, Front, rest, said
from tests.spec.test_operations import served
from tests.support.environments import npm_package
from tests.support.portraits import picture
from tests.support.seeds import between, code_blocks, seed
from tests.support.troupe import TwinTroupe
from tests.support.twin import ANSWER
from tests.transport import offers
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mouthpiece import errors
from mouthpiece.live.base import Speaking
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages
from mouthpiece.simli.tokens import SessionClaims
from mouthpiece.store.history import SessionRecord
from mouthpiece.transport.sound_sdp import sound_only

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = {"x-simli-api-key": KEY}
ROWS = set(range(1, 34))
NAMED = [int(row) for row in re.findall(r"^async def test_row_(\d+)_", Path(__file__).read_text(), re.MULTILINE)]
SWITCHING = (Path(__file__).parents[2] / "docs" / "switching.md").read_text()
V1 = "/startWebRTCSession"


async def test_every_row_has_one_test_that_is_named_after_it() -> None:
    assert sorted(NAMED) == sorted(ROWS)


@pytest.mark.parametrize("path", ["/compose/webrtc/p2p", "/compose/webrtc/peer_to_peer", "/peer-to-peer"])
async def test_row_1_three_addresses_one_socket(front: Front, path: str) -> None:
    async with front.socket(front.token(), path) as socket:
        await socket.send(OFFER)
        assert json.loads(await said(socket)) == {"sdp": ANSWER, "type": "answer"}


@pytest.mark.parametrize("path", ["/compose/webrtc/p2p", "/peer-to-peer"])
@pytest.mark.parametrize("name", ["session_token", "compose_session_token", "header", "message"])
async def test_row_2_the_token_has_two_names_in_the_query_and_two_more_ways(front: Front, path: str, name: str) -> None:
    token = front.token()
    query = f"?{name}={token}" if name.endswith("token") else ""
    headers = {"session-token": token} if name == "header" else {}
    async with front.socket(None, path + query, additional_headers=headers) as socket:
        if name == "message":
            await socket.send(token)
        await socket.send(OFFER)
        assert json.loads(await said(socket))["type"] == "answer"


async def test_row_3_an_error_is_the_word_and_the_code_without_a_colon(front: Front) -> None:
    async with front.socket("forged") as socket:
        assert await rest(socket) == (["ERROR INVALID_SESSION_TOKEN"], 1008)


@pytest.mark.parametrize("done", ["DONE", b"DONE"])
async def test_row_4_done_is_understood_as_text_and_as_bytes(front: Front, done: str | bytes) -> None:
    async with front.session() as (socket, session):
        await socket.send(done)
        assert await session.heard(1) == [("finish", None)]


@pytest.mark.parametrize("size", [65_538, 128_014, 1 << 20])
async def test_row_5_pieces_over_the_documented_64_kib_are_taken(front: Front, size: int) -> None:
    async with front.session() as (socket, session):
        await socket.send(bytes(size))
        assert await session.heard(1) == [("audio", bytes(size))]


@pytest.mark.parametrize("size", [0, 1, 2, 640, 6000, 8000])
async def test_row_6_there_is_no_smallest_piece(front: Front, size: int) -> None:
    async with front.session() as (socket, session):
        await socket.send(bytes(size))
        assert await session.heard(1) == [("audio", bytes(size))]


async def v1_session(front: Front) -> list[str]:
    """Everything that a v1 socket says from the offer to the end."""
    async with front.socket(None, V1) as socket:
        await socket.send(OFFER)
        first = [await said(socket) for _ in range(2)]
        await socket.send(front.token())
        heard = [*first, *[await said(socket) for _ in range(2)]]
        await socket.send("ping 1")
        heard.append(await said(socket))
        session = front.stage.opened[-1]
        session.say(Speaking(True), Speaking(False))
        session.end(EndReason.MAX)
        return heard + (await rest(socket))[0]


async def test_row_7_v1_says_its_eight_words_and_no_json_but_the_answer(front: Front) -> None:
    heard = await v1_session(front)
    words = ["ACK", "ACK", "START", "pong 1", "SPEAK", "SILENT", "STOP"]
    assert [text for text in heard if not text.startswith("{")] == words
    assert [list(json.loads(text)) for text in heard if text.startswith("{")] == [["sdp", "type"]]


async def test_row_8_v1_replies_twice_to_an_offer_and_v2_once(front: Front) -> None:
    old = await v1_session(front)
    assert (old[0], old[1][:8]) == ("ACK", '{"sdp":"')
    async with front.socket(front.token()) as socket:
        await socket.send(OFFER)
        heard = [await said(socket) for _ in range(4)]
    assert "ACK" not in heard
    assert heard[0].startswith('{"sdp":')


@pytest.mark.parametrize("path", ["/compose/webrtc/p2p", V1])
async def test_row_9_start_is_always_said_and_waits_for_no_media(front: Front, path: str) -> None:
    """The twin's peer never connects."""
    async with front.socket(front.token() if path != V1 else None, path) as socket:
        await socket.send(OFFER)
        if path == V1:
            await said(socket)
            await socket.send(front.token())
        async with asyncio.timeout(5):
            while await said(socket) != "START":
                pass


@pytest.mark.parametrize("reason", [EndReason.IDLE, EndReason.MAX, EndReason.DONE])
async def test_row_10_closing_comes_after_the_last_frame(front: Front, reason: EndReason) -> None:
    async with front.session() as (socket, session):
        session.end(reason, frames=7)
        texts, code = await rest(socket)
    assert texts == ["ENDFRAME 7", f"CLOSING REASON: {reason.name}", "STOP"]
    assert code == 1000


async def claims(front: Front, path: str = "/compose/token", **body: object) -> SessionClaims:
    answer = await front.http.post(path, json={"faceId": "mia", "apiKey": KEY, **body})
    return front.house.tokens.open(answer.json()["session_token"], time.time())


@pytest.mark.parametrize("path", ["/compose/token", "/startAudioToVideoSession"])
async def test_row_11_limits_come_from_the_body_or_are_300_and_3600(front: Front, path: str) -> None:
    assert ((got := await claims(front, path)).max_idle_s, got.max_length_s) == (300, 3600)
    got = await claims(front, path, maxIdleTime=30, maxSessionLength=600)
    assert (got.max_idle_s, got.max_length_s) == (30, 600)


@pytest.mark.parametrize("names", [("start", "end"), ("startTime", "endTime")])
async def test_row_12_history_takes_both_pairs_of_names(front: Front, names: tuple[str, str]) -> None:
    first, last = names
    record = SessionRecord(first, front.account, f"token of {first}", "mia", "compose", None, "settings-1")
    await front.house.history.begin(record, "a worker")  # type: ignore[attr-defined]
    now = int(time.time())
    for since, until, found in ((now - 60, now + 60, True), (0, now - 60, False), (now + 60, now + 120, False)):
        answer = await front.http.get("/history/sessions", params={first: since, last: until}, headers=MINE)
        assert (first in {session["id"] for session in answer.json()["sessions"]}) is found
    assert (await front.http.get("/history/sessions", params={first: "soon"}, headers=MINE)).status_code == 422
    await front.house.history.end(first, "done", 1)  # type: ignore[attr-defined]


async def talked(front: Front) -> str:
    """A conversation whose transcript is kept."""
    body = {"faceId": "mia", "createTranscript": True}
    started = await front.http.post("/auto/start/configurable", json=body, headers=MINE)
    return str(started.json()["sessionId"])


@pytest.mark.parametrize("headers", [{"x-simli-api-key": KEY}, {"api-key": KEY}])
@pytest.mark.parametrize(
    "path",
    [
        "/auto/transcript/{id}",
        "/auto/transcript/{{session_id}}?session_id={id}",
        "/auto/transcript?session_id={id}",
        "/auto/transcript?sessionId={id}",
        "/auto/transcript/{id}?session_id=another",
        "/getE2ETranscript/{id}",
        "/getE2ETranscript?sessionId={id}",
    ],
)
async def test_row_13_the_transcripts_id_and_key_come_in_every_way(
    front: Front, path: str, headers: dict[str, str]
) -> None:
    named = await talked(front)
    answer = await front.http.get(path.format(id=named), headers=headers)
    assert (answer.status_code, answer.json().get("sessionId")) == (200, named), "the path wins"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("way", ["path", "header"])
async def test_row_14_an_agent_is_started_by_get_and_by_post(front: Front, method: str, way: str) -> None:
    token = (await front.http.post("/auto/token", json={"simliAPIKey": KEY})).json()["token"]
    agent = (await front.http.post("/auto/agent", json={"face_id": "mia"}, headers=MINE)).json()["id"]
    url, headers = (
        (f"/auto/start/{agent}/{token}", {}) if way == "path" else (f"/auto/start/{agent}", {"session-token": token})
    )
    started = await front.http.request(method, url, headers=headers)
    assert started.status_code == 200, started.text
    reply = started.json()
    assert reply["session_id"] == reply["sessionId"]
    assert (reply["status"], "/room/" in reply["roomUrl"]) == ("active", True)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_row_15_ice_servers_by_post_and_by_get(front: Front, method: str) -> None:
    answer = await front.http.request(method, "/getIceServers", headers=MINE)
    assert answer.json()
    assert isinstance(answer.json(), list)


async def test_row_16_the_films_stand_under_both_addresses(front: Front) -> None:
    """The same handlers over the same store: see also the tests of v1's films, which fetch one film by both."""
    routes = (await served(front)).operations
    for path in ("/hls/{}/{}", "/mp4/{}/{}", "/static/hls/{}/{}", "/static/mp4/{}/{}"):
        assert ("GET", path) in routes


async def test_row_17_faces_are_a_bare_array(front: Front) -> None:
    for accept in ("application/json", "*/*", "text/html"):
        answer = await front.http.get("/faces", headers={**MINE, "accept": accept})
        assert isinstance(answer.json(), list)
        assert set(answer.json()[0]) >= {"id", "owner_id", "simli_version", "created_at", "updated_at"}


STATUS = "/faces/trinity/generation_status"
NAMES = {"face_id", "faceId", "character_uid", "id", "request_id"}


async def new_face(front: Front, path: str) -> dict[str, Any]:
    image, points = picture("ada")
    answer = await front.http.post(path, headers=MINE, files={"image": ("me.jpg", image)}, data={"landmarks": points})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_row_18_a_faces_creation_and_status_have_every_key_that_clients_look_for(front: Front) -> None:
    made = await new_face(front, "/faces/trinity")
    (named,) = {made[name] for name in NAMES}
    assert isinstance(made["message"], str)
    assert made["warnings"] == [] or isinstance(made["warnings"][0], str)
    status: dict[str, Any] = {}
    async with asyncio.timeout(60):
        while status.get("status") not in {"completed", "failed"}:
            status = (await front.http.get(STATUS, params={"face_id": named}, headers=MINE)).json()
            assert status["status"] in {"processing", "completed", "failed"}
    assert status["status"] == "completed", status
    assert set(status) >= {"face_id", "status", "state", "progress", "queue_position", "message"}
    assert {status[name] for name in NAMES - {"request_id"}} == {named}


async def test_row_19_a_language_model_of_ones_own_needs_no_name(front: Front) -> None:
    for path in ("/auto/start/configurable", "/startE2ESession"):
        body = {"faceId": "mia", "customLLMConfig": {"baseURL": "https://models.example/v1", "llmAPIKey": "k"}}
        answer = await front.http.post(path, json=body, headers=MINE)
        assert answer.status_code == 200, answer.text
        assert front.house.salon is not None
        assert isinstance(front.house.salon.troupe, TwinTroupe)
        assert front.house.salon.troupe.advised[-1].mind.model == "gpt-4o-mini"


async def test_row_20_the_socket_is_reached_by_ws_and_the_docs_say_so(front: Front) -> None:
    answer = await front.http.get("/compose/webrtc/p2p", params={"session_token": front.token()})
    assert answer.status_code == 404, "it is no HTTP route"
    (printed,) = re.findall(r"new SimliClient\(session_token.*?, (\w+)\);", SWITCHING)
    assert f'const {printed} = "ws://127.0.0.1:8800";' in SWITCHING


@pytest.mark.parametrize("model", ["artalk", "fasttalk", "something-new", None])
async def test_row_21_the_model_is_taken_and_changes_nothing(front: Front, model: str | None) -> None:
    assert (await claims(front, model=model)).face_id == (await claims(front)).face_id


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"faceId": "nobody"}, 400),
        ({"faceId": "mia", "apiKey": "wrong"}, 401),
        ({"faceId": "mia/rage"}, 400),
        ({"faceId": 7}, 422),
        ({}, 422),
        ({"faceId": "mia", "somethingNew": "x" * (1 << 20)}, 413),
    ],
)
@pytest.mark.parametrize("path", ["/compose/token", "/startAudioToVideoSession"])
async def test_row_22_fail_token_is_in_every_refusal(
    front: Front, path: str, body: dict[str, str], status: int
) -> None:
    answer = await front.http.post(path, json={"apiKey": KEY, **body})
    assert (answer.status_code, answer.json()["session_token"]) == (status, "FAIL TOKEN")


@pytest.mark.parametrize(
    "how",
    [
        {"headers": {"x-simli-api-key": KEY}},
        {"headers": {"api-key": KEY}},
        {"json": {"apiKey": KEY}},
        {"json": {"simliAPIKey": KEY}},
        {"params": {"apiKey": KEY}},
        {"params": {"api_key": KEY}},
    ],
)
async def test_row_23_the_key_may_come_in_six_ways_and_must_come_in_one(front: Front, how: dict[str, Any]) -> None:
    assert (await front.http.post("/getIceServers", **{"json": {}, **how})).status_code == 200
    assert (await front.http.post("/getIceServers", json={})).status_code == 401


@pytest.mark.parametrize("path", ["/compose/ice", "/getIceServers"])
async def test_row_24_simlis_ice_list_is_an_array_with_known_keys_only_and_polyais_an_object(
    front: Front, path: str
) -> None:
    listed = (await front.http.get(path, headers=MINE)).json()
    theirs = await front.http.get("/api/v1/ice-servers", params={"token": KEY})
    assert theirs.json() == {"iceServers": listed}
    assert listed
    for server in listed:
        assert set(server) <= {"urls", "username", "credential"}
        assert server["urls"]


CALLS = "/api/v1/webrtc/signal"


@pytest.mark.parametrize("session_id", [{"sessionId": ""}, {"sessionId": None}, {}])
async def test_row_25_a_call_begins_with_an_empty_session_id_or_none(front: Front, session_id: dict[str, Any]) -> None:
    async with call(front, **session_id) as (_, answer):
        assert len(answer["sessionId"]) == 36


async def test_row_26_close_comes_from_either_side(front: Front) -> None:
    async with call(front) as (socket, answer):
        await socket.send(json.dumps({"type": "close", "sessionId": answer["sessionId"]}))
        assert await rest(socket) == ([], 1000)
    async with call(front) as (socket, answer):
        front.stage.opened[-1].end(EndReason.MAX)
        texts, code = await rest(socket)
    assert json.loads(texts[-1]) == {"type": "close", "sessionId": answer["sessionId"]}
    assert code == 1000


@contextlib.asynccontextmanager
async def call(front: Front, **more: object) -> AsyncIterator[tuple[ClientConnection, dict[str, Any]]]:
    """A call of PolyAI's gateway, and its answer."""
    sdp = offers.offer(offers.audio(direction="sendrecv"))
    front.stage.answers[sound_only(sdp)] = ANSWER
    data = {"type": "offer", "sdp": sdp}
    async with front.socket(None, CALLS) as socket:
        await socket.send(json.dumps({"type": "offer", "data": data, "authToken": KEY, "mode": "echo", **more}))
        yield socket, json.loads(await said(socket))
        with contextlib.suppress(ConnectionClosed):
            await socket.send('{"type":"close"}')
        await rest(socket)


async def test_row_27_the_answer_has_two_keys_in_this_order_and_no_spaces(front: Front) -> None:
    for path, token in (("/compose/webrtc/p2p", front.token()), (V1, None)):
        async with front.socket(token, path) as socket:
            await socket.send(OFFER)
            answers = [await said(socket) for _ in range(2)]
        (answer,) = [text for text in answers if text.startswith("{")]
        assert answer == '{"sdp":' + json.dumps(ANSWER) + ',"type":"answer"}'
    posted = (await front.http.post(V1, json=json.loads(OFFER))).text
    assert posted == '{"sdp":' + json.dumps(ANSWER) + ',"type":"answer"}'
    for visitor in list(front.stage.visitors.values()):
        visitor.lose(errors.PeerConnectionLost(reason="test over"))


@pytest.mark.parametrize("face", ["tmp9i8bbq7c", "5b0c9c1e-6d0f-4a8e-9a53-616461000003", "mia", "tmp9i8bbq7c/happy"])
async def test_row_28_ids_are_strings_uuid_or_not(front: Front, face: str) -> None:
    assert (await claims(front, faceId=face)).face_id
    body = {"face_id": face.partition("/")[0], "voice_id": "no uuid"}
    agent = await front.http.post("/auto/agent", json=body, headers=MINE)
    assert (agent.status_code, agent.json()["voice_id"]) == (201, "no uuid"), "a voice's too, and it comes back as sent"


async def test_row_29_the_token_route_has_two_spellings(front: Front) -> None:
    for path in ("/startAudioToVideoSession", "/startAudioVideoSession"):
        assert (await claims(front, path)).account == front.account


async def test_row_30_the_printed_whole_program_does_not_parse_and_the_step_by_step_one_does(tmp_path: Path) -> None:
    """So the tests of the sample pages run the step-by-step text."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: nothing parses JavaScript here")
    whole = between(seed(3), 'filename="client.js"\n\nCopy\n', "\nserver.py")
    steps = code_blocks(between(seed(3), "client.js\nThe javascript file handles", 'filename="client.js"'))
    assert parses(whole, tmp_path) is False
    assert parses("\n".join(steps), tmp_path) is True


def parses(script: str, folder: Path) -> bool:
    path = folder / "client.js"
    path.write_text(script)
    return subprocess.run(["node", "--check", str(path)], capture_output=True, check=False).returncode == 0


@pytest.mark.client
async def test_row_31_the_newest_package_for_browsers_names_a_file_that_it_has_not() -> None:
    """So the tests use 3.0.1, which is the same code; nothing can be done about it on a server."""
    package = npm_package("simli-client@3.0.2")
    assert "./Client" in (package / "dist" / "index.js").read_text()
    assert "Client.js" not in {path.name for path in (package / "dist").iterdir()}
    assert "Client.js" in {path.name for path in (npm_package("simli-client@3.0.1") / "dist").iterdir()}


@pytest.mark.parametrize("prefix", ["/faces/trinity", "/faces/legacy"])
async def test_row_32_a_face_is_deleted_by_either_of_its_names(front: Front, prefix: str) -> None:
    for other in ("/faces/trinity", "/faces/legacy"):
        made = (await new_face(front, other))["face_id"]
        assert (await front.http.delete(f"{prefix}/{made}", headers=MINE)).status_code == 204
        assert (await front.http.get(STATUS, params={"face_id": made}, headers=MINE)).status_code == 404


async def test_row_33_an_unknown_face_is_a_400_and_a_wrong_shape_a_422(front: Front) -> None:
    unknown = await front.http.post("/compose/token", json={"faceId": "nobody"}, headers=MINE)
    assert (unknown.status_code, unknown.json()["detail"]) == (400, "INVALID_FACE_ID")
    assert (await front.http.post("/compose/token", json={"faceId": 7}, headers=MINE)).status_code == 422


# --- the traps that break a client each ----------------------------------------------------------------------------
async def test_trap_6_and_7_nothing_binary_and_nothing_unknown_before_start(front: Front) -> None:
    async with front.socket(front.token()) as socket:
        await socket.send(OFFER)
        first, second = await said(socket), await said(socket)
    assert (first.startswith("{"), second) == (True, "START")


async def test_trap_9_a_token_can_be_used_again(front: Front) -> None:
    token = front.token()
    for _ in range(3):
        async with front.session(token) as (socket, _):
            await socket.send("ping 1")
            assert await said(socket) == "pong 1"


@pytest.mark.parametrize("count", [4, 7, 9])
@pytest.mark.parametrize("glide", [b"", b"LERP" + struct.pack("<f", 0.5)])
async def test_a_camera_is_a_command_at_its_six_lengths_and_sound_at_any_other(count: int, glide: bytes) -> None:
    values = tuple(float(n) for n in range(count))
    body = b"CAM_" + struct.pack(f"<{count}f", *values) + glide
    assert messages.parse(body) == messages.Camera(values, 0.5 if glide else None)
    assert messages.parse(body + b"\0") == messages.Audio(body + b"\0")
