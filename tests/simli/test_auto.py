"""The voice agents' routes on a real server and database, with a scripted troupe; and without the extra."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from tests.simli.conftest import KEY, OTHER_KEY, Front, Start
from tests.support.troupe import TwinTroupe
from tests.support.twin import GOOD_OFFER, TwinSession
from websockets.asyncio.client import ClientConnection, connect

from mouthpiece.agent.base import Caption, Line, Said
from mouthpiece.errors import BadInput

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEADERS = {"x-simli-api-key": KEY}
OFFER = json.dumps({"type": "offer", "sdp": GOOD_OFFER})
BASE = ("/auto", "")  # v2, v1


def path(v2: str, v1: str, generation: int) -> str:
    return v1 if generation == 1 else v2


@pytest.fixture
def troupe(front: Front) -> TwinTroupe:
    assert front.house.salon is not None
    it = front.house.salon.troupe
    assert isinstance(it, TwinTroupe)
    it.reset()
    return it


async def new_agent(front: Front, **more: object) -> dict[str, object]:
    answer = await front.http.post("/auto/agent", json={"face_id": "tmp9i8bbq7c", **more}, headers=HEADERS)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def token(front: Front, **more: object) -> str:
    answer = await front.http.post("/auto/token", json={"simliAPIKey": KEY, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


async def begin(front: Front, **more: object) -> dict[str, object]:
    answer = await front.http.post("/auto/start/configurable", json=more, headers=HEADERS)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def room(front: Front, started: dict[str, object], **more: object) -> connect:
    query = str(started["roomUrl"]).partition("?")[2]
    return connect(f"{front.url.replace('http', 'ws')}/auto/room?{query}", **more)  # type: ignore[arg-type]


async def heard(socket: ClientConnection, kind: str) -> dict[str, object]:
    while (message := json.loads(await socket.recv()))["type"] != kind:
        pass
    return dict(message)


async def enter(socket: ClientConnection) -> None:
    assert (await heard(socket, "welcome"))["ice"]
    await socket.send(OFFER)
    assert (await heard(socket, "answer"))["sdp"]


async def called(session: TwinSession, call: str) -> None:
    """Wait until the session was told so."""
    async with asyncio.timeout(10):
        while call not in [name for name, _ in session.told]:
            session.changed.clear()
            await session.changed.wait()


async def written(front: Front, url: str, lines: int) -> dict[str, Any]:
    """The transcript, once it has so many lines."""
    async with asyncio.timeout(10):
        while True:
            said = (await front.http.get(url, headers=HEADERS)).json()
            if len(said["transcript"]) >= lines:
                return dict(said)


# --- agents --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("generation", [1, 2])
async def test_an_agent_is_made_listed_changed_and_removed(front: Front, generation: int) -> None:
    one = path("/auto/agent", "/agent", generation)
    made = await front.http.post(
        one, json={"face_id": "tmp9i8bbq7c", "name": "Ada", "prompt": "Be kind.", "unknown": 1}, headers=HEADERS
    )
    assert made.status_code == 201
    agent = made.json()
    assert (agent["name"], agent["prompt"], agent["max_idle_time"], agent["owner_id"]) == (
        "Ada", "Be kind.", 300, front.account,
    )  # fmt: skip
    mine = f"{one}/{agent['id']}"
    assert (await front.http.get(mine, headers=HEADERS)).json() == agent
    listed = (await front.http.get(path("/auto/agents", "/agents", generation), headers=HEADERS)).json()
    assert agent in listed
    changed = (await front.http.put(mine, json={"name": "Eve", "language": None}, headers=HEADERS)).json()
    assert (changed["name"], changed["prompt"]) == ("Eve", "Be kind.")
    other = {"x-simli-api-key": OTHER_KEY}
    for method in ("GET", "PUT", "DELETE"):
        answer = await front.http.request(method, mine, json={} if method == "PUT" else None, headers=other)
        assert answer.status_code == 404
    assert (await front.http.delete(mine, headers=HEADERS)).status_code == 204
    assert (await front.http.get(mine, headers=HEADERS)).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"face_id": "mia", "max_idle_time": 0},
        {"face_id": "mia", "max_idle_time": "300"},
        {"face_id": "mia", "max_session_length": 10**6},
        {"face_id": "mia", "voice_provider": "playht"},
        {"face_id": "mia", "llm_provider": "user"},
        {"face_id": "mia", "llm_endpoint": "ftp://x"},
        {"face_id": "mia", "prompt": 5},
    ],
)
async def test_an_agent_of_the_wrong_shape_is_a_readable_422(front: Front, wrong: dict[str, object]) -> None:
    answer = await front.http.post("/auto/agent", json=wrong, headers=HEADERS)
    assert answer.status_code == 422
    assert all(fault["msg"] for fault in answer.json()["detail"])


async def test_an_agent_with_a_face_that_is_not_there(front: Front) -> None:
    answer = await front.http.post("/auto/agent", json={"face_id": "nobody"}, headers=HEADERS)
    assert (answer.status_code, answer.json()["detail"]) == (400, "INVALID_FACE_ID")


# --- tokens and starting -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("route", ["/auto/token", "/createE2ESessionToken"])
async def test_a_token_says_nothing_and_starts_a_conversation(front: Front, troupe: TwinTroupe, route: str) -> None:
    body = {"simliAPIKey": KEY, "llmAPIKey": "sk-llm", "ttsAPIKey": "sk-tts", "createTranscript": True}
    answer = (await front.http.post(route, json=body)).json()
    assert answer["token"] == answer["session_token"]
    assert "sk-" not in answer["token"]
    agent = await new_agent(front, llm_model="gpt-4o", voice_id="v1")
    for url, headers in (
        (f"/auto/start/{agent['id']}/{answer['token']}", {}),
        (f"/session/{agent['id']}/{answer['token']}", {}),
        (f"/auto/start/{agent['id']}", {"session-token": answer["token"]}),
        (f"/session/{agent['id']}", {"session-token": answer["token"]}),
    ):
        started = await front.http.get(url, headers=headers)
        assert started.status_code == 200, started.text
        assert set(started.json()) >= {"roomUrl", "sessionId"}
        choice = troupe.advised[-1]
        assert (choice.mind.key, choice.voice.key, choice.mind.model) == ("sk-llm", "sk-tts", "gpt-4o")
    again = await front.http.post(f"/auto/start/{agent['id']}", headers={"session-token": answer["token"]})
    assert again.status_code == 200
    moved = await front.http.get(f"/auto/start/{agent['id']}/{answer['token']}?redirect=true", follow_redirects=False)
    assert moved.status_code == 307
    assert "/room/" in moved.headers["location"]


@pytest.mark.parametrize("named", ["apiKey", "token"])
@pytest.mark.parametrize("route", ["/auto/start/configurable", "/startE2ESession"])
async def test_a_key_or_a_token_in_the_body_starts_one(front: Front, route: str, named: str) -> None:
    for credential in (KEY, await token(front)):
        answer = await front.http.post(route, json={named: credential, "faceId": "tmp9i8bbq7c"})
        assert answer.status_code == (200 if (named, credential) != ("token", KEY) else answer.status_code), answer.text
    assert (await front.http.post(route, json={named: "nonsense"})).status_code == 401
    assert (await front.http.post(route, json={})).status_code == 401


async def test_expiry_and_origins_of_a_token_are_kept(front: Front) -> None:
    agent = await new_agent(front)
    past = await front.http.post("/auto/token", json={"simliAPIKey": KEY, "expiryStamp": 1_000_000})
    assert (past.status_code, "past" in past.json()["detail"]) == (400, True)
    assert front.house.salon is not None
    claims = front.house.salon.tokens.open_start(await token(front), time.time())
    dead = front.house.salon.tokens.make_start(replace(claims, expires_at=int(time.time()) - 1), int(time.time()))
    answer = await front.http.get(f"/auto/start/{agent['id']}/{dead}")
    assert (answer.status_code, answer.json()["code"]) == (401, "SESSION_TOKEN_EXPIRED")
    bound = await token(front, originAllowList=["https://shop.example"])
    url = f"/auto/start/{agent['id']}/{bound}"
    assert (await front.http.get(url, headers={"origin": "https://evil.example"})).status_code == 403
    started = (await front.http.get(url, headers={"origin": "https://shop.example"})).json()
    async with room(front, started, origin="https://evil.example") as socket:
        assert await socket.recv() == "ERROR ORIGIN_NOT_ALLOWED"
    async with room(front, started, origin=front.url) as socket:
        await enter(socket)


@pytest.mark.parametrize(
    "wrong",
    [
        {"llmConfig": {"provider": "User"}},
        {"llmConfig": {"provider": "Nobody"}},
        {"customLLMConfig": {"model": "m"}},
        {"customLLMConfig": {"model": "m", "baseURL": "file:///etc/passwd"}},
        {"ttsProvider": "Nobody"},
        {"maxIdleTime": "long"},
        {"createTranscript": "yes"},
    ],
)
async def test_a_start_of_the_wrong_shape_is_a_readable_422(front: Front, wrong: dict[str, object]) -> None:
    answer = await front.http.post("/auto/start/configurable", json=wrong, headers=HEADERS)
    assert answer.status_code == 422
    assert all(fault["msg"] for fault in answer.json()["detail"])


async def test_what_was_asked_for_reaches_the_conversation(front: Front, troupe: TwinTroupe) -> None:
    started = await begin(
        front,
        faceId="tmp9i8bbq7c",
        systemPrompt="Be brief.",
        firstMessage="Hello!",
        language="de",
        maxIdleTime=77,
        ttsProvider="ElevenLabs",
        voiceId="someone",
        customLLMConfig={"model": "m", "baseURL": "https://llm.example/v1", "llmAPIKey": "k"},
    )
    async with room(front, started) as socket:
        await enter(socket)
        await troupe.until_open()
        plan, choice = troupe.opened[-1].plan, troupe.opened[-1].choice
        assert (plan.instructions, plan.first_message, plan.language, plan.max_idle_s) == (
            "Be brief.",
            "Hello!",
            "de",
            77,
        )
        assert (choice.mind.base_url, choice.mind.key, choice.voice.voice_id) == (
            "https://llm.example/v1",
            "k",
            "someone",
        )


async def test_no_key_of_a_caller_is_stored(front: Front) -> None:
    secret = "sk-very-secret-key"
    await begin(front, ttsAPIKey=secret, customLLMConfig={"baseURL": "https://llm.example", "llmAPIKey": secret})
    folder = front.data
    assert not [file for file in folder.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]


async def test_warnings_and_refusals_of_the_troupe_are_passed_on(front: Front, troupe: TwinTroupe) -> None:
    troupe.warnings = ("the ears are deaf",)
    assert (await begin(front))["warnings"] == ["the ears are deaf"]
    troupe.refuse = BadInput(reason="10.0.0.1 is a private address")
    answer = await front.http.post("/auto/start/configurable", json={}, headers=HEADERS)
    assert (answer.status_code, answer.json()["detail"]) == (400, "10.0.0.1 is a private address")


# --- rooms ---------------------------------------------------------------------------------------------------------
async def test_what_is_said_reaches_the_page_and_the_transcript(front: Front, troupe: TwinTroupe) -> None:
    started = await begin(front, createTranscript=True)
    url = f"/auto/transcript/{started['sessionId']}"
    async with room(front, started) as socket:
        await enter(socket)
        talk = await troupe.until_open()
        talk.tell(Caption("user", "hello", final=True))
        talk.tell(Said(Line("user", "hello", 1_700_000_000.5)))
        talk.tell(Said(Line("assistant", "I am", 1_700_000_001.0, interrupted=True)))
        assert (await heard(socket, "caption"))["text"] == "hello"
        assert (await heard(socket, "said"))["content"] == "hello"
        assert (await heard(socket, "said"))["interrupted"] is True
        said = await written(front, url, 2)
        assert said["transcript"][0] == {
            "role": "user", "content": "hello", "timestamp": "2023-11-14T22:13:20.500Z", "interrupted": False,
        }  # fmt: skip
        talk.last_words = Said(Line("assistant", "Goodb", 1_700_000_002.0, interrupted=True))
    await front.stage.until(running=0)
    said = (await front.http.get(f"/getE2ETranscript/{started['sessionId']}", headers={"api-key": KEY})).json()
    assert [line["content"] for line in said["transcript"]] == ["hello", "I am", "Goodb"]
    assert (await front.http.get(url, headers={"x-simli-api-key": OTHER_KEY})).status_code == 404


async def test_without_createtranscript_there_is_none(front: Front, troupe: TwinTroupe) -> None:
    started = await begin(front)
    async with room(front, started) as socket:
        await enter(socket)
        (await troupe.until_open()).tell(Said(Line("user", "hello", 1.0)))
        await heard(socket, "said")
    answer = await front.http.get(f"/auto/transcript/{started['sessionId']}", headers=HEADERS)
    assert answer.status_code == 404


@pytest.mark.parametrize("kept", [True, False])
async def test_a_viewer_that_comes_back_finds_what_was_said(front: Front, troupe: TwinTroupe, *, kept: bool) -> None:
    started = await begin(front, createTranscript=kept)
    async with room(front, started) as socket:
        await enter(socket)
        (await troupe.until_open()).tell(Said(Line("user", "my name is Bob", 1.0)))
        await heard(socket, "said")
    async with room(front, started) as socket:
        await enter(socket)
        await troupe.until_open(2)
        assert [line.content for line in troupe.opened[-1].plan.history] == ["my name is Bob"]


async def test_a_second_window_takes_over(front: Front, troupe: TwinTroupe) -> None:
    started = await begin(front)
    async with room(front, started) as first:
        await enter(first)
        await troupe.until_open()
        async with room(front, started) as second:
            await enter(second)
            assert (await heard(first, "over"))["reason"] == "taken_over"
            assert troupe.opened[0].closed


async def test_the_page_interrupts_speaks_and_ends(front: Front, troupe: TwinTroupe) -> None:
    started = await begin(front)
    async with room(front, started) as socket:
        await enter(socket)
        talk = await troupe.until_open()
        session = front.stage.opened[-1]
        assert session.microphone == talk.hear
        await socket.send('{"type":"interrupt"}')
        await socket.send("nonsense")
        await socket.send('{"type":"end"}')
        await talk.until("interrupt")
        await called(session, "finish")
        from mouthpiece.session.events import EndReason

        session.end(EndReason.DONE)
        assert (await heard(socket, "over"))["reason"] == "ended"
    async with room(front, started) as socket:
        assert await socket.recv() == "ERROR CONVERSATION_OVER"


async def test_whoever_speaks_for_the_avatar_has_a_socket(front: Front, troupe: TwinTroupe) -> None:
    started = await begin(front, ttsProvider="User")
    async with connect(str(started["audioUrl"])) as audio, room(front, started) as socket:
        await enter(socket)
        assert await audio.recv() == "START"
        await audio.send(b"\1\0" * 320)
        await audio.send("ping 7")
        assert await audio.recv() == "pong 7"
        session = front.stage.opened[-1]
        assert ("audio", b"\1\0" * 320) in session.told
        await socket.close()
        assert await audio.recv() == "STOP"


async def test_a_bad_room_token_is_refused_in_words(front: Front) -> None:
    async with connect(f"{front.url.replace('http', 'ws')}/auto/room?token=nonsense") as socket:
        assert await socket.recv() == "ERROR INVALID_SESSION_TOKEN"


# --- without the extra ---------------------------------------------------------------------------------------------
async def test_without_the_extra_every_route_says_what_to_install(start: Start) -> None:
    async with start(agents=False) as front:
        for method, url in (
            ("POST", "/auto/agent"), ("GET", "/auto/agents"), ("GET", "/auto/agent/x"), ("PUT", "/auto/agent/x"),
            ("DELETE", "/auto/agent/x"), ("POST", "/auto/token"), ("POST", "/auto/start/configurable"),
            ("GET", "/auto/start/x"), ("POST", "/auto/start/x"), ("GET", "/auto/start/x/y"),
            ("GET", "/auto/transcript/x"),
            ("POST", "/agent"), ("GET", "/agents"), ("POST", "/createE2ESessionToken"), ("POST", "/startE2ESession"),
            ("GET", "/session/x"), ("GET", "/session/x/y"), ("GET", "/getE2ETranscript/x"),
        ):  # fmt: skip
            answer = await front.http.request(method, url, headers=HEADERS, json={} if method == "POST" else None)
            assert answer.status_code == 501, url
            assert "mouthpiece[agents]" in answer.json()["detail"]
        async with connect(f"{front.url.replace('http', 'ws')}/auto/room?token=x") as socket:
            assert await socket.recv() == "ERROR NOT_CONFIGURED"
        assert (await front.http.post("/compose/token", json={"faceId": "mia"}, headers=HEADERS)).status_code == 200


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def _quiet(front: Front) -> AsyncIterator[None]:
    yield
    await front.stage.until(running=0)
