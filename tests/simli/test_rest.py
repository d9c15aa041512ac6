"""The HTTP routes of v2 over a real server: every field, every error body, every way to bring a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.simli.conftest import KEY, OTHER_KEY, Front, Start

from mouthpiece.live.base import SessionSpec
from mouthpiece.media import Look
from mouthpiece.simli.presets import EMOTIONS, PRESET_FACES
from mouthpiece.simli.tokens import SessionClaims
from mouthpiece.store.history import SessionRecord

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = {"x-simli-api-key": KEY}


def fail(text: str, code: str) -> dict[str, str]:
    return {"detail": text, "session_token": "FAIL TOKEN", "error": text, "code": code}


async def ask(front: Front, **body: object) -> httpx.Response:
    return await front.http.post("/compose/token", json={"faceId": "mia", **body}, headers=MINE)


async def claims(front: Front, **body: object) -> SessionClaims:
    answer = await ask(front, **body)
    assert answer.status_code == 200, answer.text
    return front.house.tokens.open(answer.json()["session_token"], time.time())


# --- POST /compose/token -------------------------------------------------------------------------------------------
async def test_a_token_with_nothing_but_a_face_has_the_documented_defaults(front: Front) -> None:
    answer = await ask(front)
    assert set(answer.json()) == {"session_token"}
    got = await claims(front)
    assert (got.account, got.key_name) == (front.account, "settings-1")
    assert (got.handle_silence, got.max_length_s, got.max_idle_s, got.start_frame) == (True, 3600, 300, 0)
    assert (got.width, got.height, got.emotion, got.origins, got.end_user) == (512, 512, "natural", (), None)
    assert got.expires_at > time.time() + got.max_length_s


async def test_every_field_reaches_the_token(front: Front) -> None:
    got = await claims(
        front,
        apiVersion="v2",
        sessionAggregator="someone",
        handleSilence=False,
        maxSessionLength=605,
        maxIdleTime=35,
        startFrame=17,
        audioInputFormat="PCM16",
        model="artalk",
        streaming_width=1024,
        streaming_height=576,
        avatar_position_x=0.25,
        avatar_position_y=0.75,
        camera={"zoom": 2.0, "orbit_y_off": -20},
        originAllowList=["https://good.example"],
        isJPG=False, syncAudio=True, batchSize=1, preloadAvatar=False, somethingNew={"a": 1},
    )  # fmt: skip
    assert (got.end_user, got.handle_silence, got.max_length_s, got.max_idle_s) == ("someone", False, 605, 35)
    assert (got.start_frame, got.width, got.height, got.position) == (17, 1024, 576, (0.25, 0.75))
    assert got.camera == (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, -20.0)
    assert got.origins == ("https://good.example",)


async def test_null_is_as_good_as_absent(front: Front) -> None:
    got = await claims(front, sessionAggregator=None, maxSessionLength=None, camera=None, streaming_width=None)
    assert (got.max_length_s, got.width) == (3600, 512)


@pytest.mark.parametrize("face", [*PRESET_FACES, "mia", "MIA", "noah", "5b0c9c1e-6d0f-4a8e-9a53-616461000003"])
async def test_faces_of_sample_code_and_ours_resolve(front: Front, face: str) -> None:
    assert (await claims(front, faceId=face)).face_id in {f["id"] for f in await faces(front)}


async def faces(front: Front) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await front.http.get("/faces", headers=MINE)).json()
    return listed


@pytest.mark.parametrize("emotion", list(EMOTIONS))
async def test_every_emotion_is_known(front: Front, emotion: str) -> None:
    assert (await claims(front, faceId=f"tmp9i8bbq7c/{emotion}")).emotion == EMOTIONS[emotion]


@pytest.mark.parametrize(
    ("body", "status", "reply"),
    [
        ({"faceId": "nobody"}, 400, fail("INVALID_FACE_ID", "INVALID_FACE_ID")),
        ({"faceId": "mia/rage"}, 400, fail("INVALID_EMOTION", "INVALID_EMOTION")),
        (
            {"audioInputFormat": "mp3"},
            400,
            fail("audioInputFormat mp3 is not supported: send pcm16", "INVALID_REQUEST"),
        ),
    ],
)
async def test_what_cannot_be_used_is_a_400(front: Front, body: dict[str, Any], status: int, reply: object) -> None:
    answer = await ask(front, **body)
    assert (answer.status_code, answer.json()) == (status, reply)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"faceId": 7}, ["body", "faceId"]),
        ({"maxSessionLength": 0}, ["body", "maxSessionLength"]),
        ({"maxSessionLength": "soon"}, ["body", "maxSessionLength"]),
        ({"maxIdleTime": -1}, ["body", "maxIdleTime"]),
        ({"startFrame": -1}, ["body", "startFrame"]),
        ({"streaming_width": 511}, ["body", "streaming_width"]),
        ({"streaming_width": 513, "streaming_height": 513}, ["body", "streaming_width"]),
        ({"streaming_width": 4096, "streaming_height": 4096}, ["body", "streaming_width"]),
        ({"streaming_width": 1024}, ["body"]),
        ({"avatar_position_x": 1.01}, ["body", "avatar_position_x"]),
        ({"avatar_position_y": -0.01}, ["body", "avatar_position_y"]),
        ({"camera": {"zoom": "near"}}, ["body", "camera", "zoom"]),
    ],
)
async def test_a_wrong_shape_is_a_422_that_says_where(front: Front, body: dict[str, Any], where: list[str]) -> None:
    answer = await ask(front, **body)
    assert answer.status_code == 422
    (fault, *_) = answer.json()["detail"]
    assert fault["loc"] == where
    assert set(fault) == {"loc", "msg", "type"}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
async def test_numbers_that_are_none_are_a_422(front: Front, value: str) -> None:
    content = f'{{"faceId":"mia","camera":{{"zoom":{value}}}}}'
    answer = await front.http.post(
        "/compose/token", content=content, headers={**MINE, "content-type": "application/json"}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "\x00", '{"faceId":"\ud800"}'.encode("utf-8", "surrogatepass")]
)
async def test_what_is_not_json_is_a_422(front: Front, content: str | bytes) -> None:
    answer = await front.http.post(
        "/compose/token", content=content, headers={**MINE, "content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert "detail" in answer.json()


async def test_a_422_never_repeats_what_was_sent(front: Front) -> None:
    answer = await front.http.post("/compose/token", json={"apiKey": ["very-secret-key"], "faceId": 7})
    assert answer.status_code in (401, 422)
    assert "very-secret" not in answer.text


async def test_16_by_9_and_9_by_16_and_square(front: Front) -> None:
    for width, height in ((1280, 720), (576, 1024), (768, 768), (910, 512)):
        assert (await claims(front, streaming_width=width, streaming_height=height)).width == width


@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        ({"camera": {"zoom": 6.0}}, ["camera zoom 6.0 is outside its supported range (0.0, 4.0]; applied as is"]),
        (
            {"camera": {"orbit_y_off": -20}},
            ["camera orbit_y_off: a portrait can be turned by 14 degrees; applied as that"],
        ),
        ({"camera": {"zoom": 1.0}}, None),
        ({"avatar_position_x": 0.1}, None),
        ({"transparent": True, "background_id": "b1"}, ["background: a transparent picture has none: dropped"]),
        ({"background_id": "b1"}, ["background b1 is not one of your uploaded backgrounds: dropped"]),
        ({"foreground_id": "00000000-0000-0000-0000-000000000000"}, None),
        ({"maxSessionLength": 100_000}, ["maxSessionLength 100000 is over the limit; applied as 86400"]),
    ],
)
async def test_what_will_not_be_quite_as_asked_is_a_warning(
    front: Front, body: dict[str, Any], warnings: list[str] | None
) -> None:
    answer = await ask(front, **body)
    assert answer.status_code == 200
    assert answer.json().get("warnings") == warnings


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, v) for n in ("pos_x_off", "pos_y_off") for v in (-10.5, 10.5)]
    + [
        ("pos_z_off", 5.5),
        ("rot_x_off", 181),
        ("rot_z_off", -181),
        ("orbit_x_off", 81),
        ("orbit_y_off", 181),
        ("zoom", 0),
    ],
)
async def test_camera_out_of_range_warns(front: Front, name: str, value: float) -> None:
    (warning, *_) = (await ask(front, camera={name: value})).json()["warnings"]
    assert warning.startswith(f"camera {name} {float(value)} is outside its supported range")


# --- who asks ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "how",
    [
        {"headers": {"x-simli-api-key": KEY}},
        {"headers": {"api-key": KEY}},
        {"json": {"faceId": "mia", "apiKey": KEY}},
        {"json": {"faceId": "mia", "simliAPIKey": KEY}},
        {"params": {"apiKey": KEY}},
        {"params": {"api_key": KEY}},
        {"headers": {"x-simli-api-key": KEY, "api-key": "wrong"}, "params": {"apiKey": "wrong"}},
        {"headers": {"api-key": KEY}, "json": {"faceId": "mia", "apiKey": "wrong"}},
        {"json": {"faceId": "mia", "apiKey": KEY, "simliAPIKey": "wrong"}, "params": {"apiKey": "wrong"}},
    ],
)
async def test_the_key_is_found_where_clients_put_it(front: Front, how: dict[str, Any]) -> None:
    answer = await front.http.post("/compose/token", **{"json": {"faceId": "mia"}, **how})
    assert answer.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-simli-api-key": "wrong"}, {"x-simli-api-key": "page_x"}, {"api-key": "é"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/compose/token"),
        ("GET", "/compose/ice"),
        ("GET", "/faces"),
        ("GET", "/history/sessions"),
        ("GET", "/ratelimiter/sessions"),
    ],
)
async def test_without_a_key_nothing_is_told(front: Front, method: str, path: str, headers: dict[str, str]) -> None:
    body = {"json": {"faceId": "mia"}} if method == "POST" else {}
    raw = {name: value.encode() for name, value in headers.items()}
    answer = await front.http.request(method, path, headers=raw, **body)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()) == (401, fail("INVALID_API_KEY", "INVALID_API_KEY"))


async def test_a_page_token_is_as_good_as_a_key(front: Front) -> None:
    token = front.access.make_token(front.account, int(time.time()))
    assert (await front.http.get("/faces", headers={"x-simli-api-key": token})).status_code == 200


# --- limits --------------------------------------------------------------------------------------------------------
async def test_too_many_tokens_a_minute(start: Start) -> None:
    async with start(tokens_per_minute=2) as front:
        assert [(await ask(front)).status_code for _ in range(2)] == [200, 200]
        refused = await ask(front)
        assert refused.status_code == 429
        assert refused.json()["detail"].startswith("RATE 2 tokens a minute, retry in ")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        other = await front.http.post("/compose/token", json={"faceId": "mia"}, headers={"api-key": OTHER_KEY})
        assert other.status_code == 200, "another account is not held up"


async def test_a_full_house_says_overloaded_at_limit_plus_one(start: Start) -> None:
    async with start(max_sessions=1, retry_s=4) as front:
        assert (await ask(front)).status_code == 200
        async with front.session():
            refused = await ask(front)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "4"
            text = "server overloaded: no free session: retry in 4 s"
            assert refused.json() == fail(text, "NO_CAPACITY")
        await front.stage.until(running=0)
        async with asyncio.timeout(10):
            while (await ask(front)).status_code != 200:
                pass


async def test_a_server_that_drains_takes_nothing_new(front: Front) -> None:
    front.state.draining = True
    refused = await ask(front)
    assert refused.status_code == 503
    assert refused.json()["code"] == "SHUTTING_DOWN"
    assert (await front.http.get("/readyz")).status_code == 503
    assert (await front.http.get("/healthz")).status_code == 200


async def begin(front: Front, session_id: str) -> None:
    spec = SessionSpec(session_id, front.account, f"t-{session_id}", Look("mia"), end_user="someone")
    record = SessionRecord(spec.session_id, spec.account, spec.token_id, "mia", "compose", spec.end_user, "settings-1")
    await front.house.history.begin(record, "a worker")  # type: ignore[attr-defined]


async def test_over_the_accounts_limit_is_a_429_and_usage_agrees(start: Start) -> None:
    async with start(sessions_per_key=1) as front:
        await begin(front, "one")
        assert (await front.http.get("/ratelimiter/sessions", headers=MINE)).json() == {"currentUsage": 1}
        refused = await ask(front)
        assert refused.status_code == 429
        assert refused.json()["detail"] == "RATE 1 sessions at once, retry in 5 s"
        theirs = await front.http.get("/ratelimiter/sessions", headers={"api-key": OTHER_KEY})
        assert theirs.json() == {"currentUsage": 0}


# --- looking back --------------------------------------------------------------------------------------------------
async def test_history_tells_of_the_call_only_where_there_was_one(start: Start) -> None:
    async with start() as front:
        await begin(front, "no call")
        call = SessionRecord("call", front.account, "t", "mia", "polyai", call='{"caller":"+1"}')
        await front.house.history.begin(call, "a worker")  # type: ignore[attr-defined]
        listed = (await front.http.get("/history/sessions", headers=MINE)).json()["sessions"]
        calls = {session["id"]: session.get("call", "none") for session in listed}
        assert calls == {"no call": "none", "call": {"caller": "+1"}}
        assert all("endUserAggregator" in session for session in listed)


async def test_history_tells_what_ran(start: Start) -> None:
    async with start() as front:
        await begin(front, "one")
        await front.house.history.end("one", "idle", 50)  # type: ignore[attr-defined]
        (session,) = (await front.http.get("/history/sessions", headers=MINE)).json()["sessions"]
        assert session["sessionTotalTime"] >= 0
        assert abs(session.pop("startTime") - time.time()) < 60
        assert abs(session.pop("endTime") - time.time()) < 60
        session.pop("sessionTotalTime")
        assert session == {
            "id": "one",
            "userId": front.account,
            "face_id": "mia",
            "kind": "compose",
            "endUserAggregator": "someone",
            "apiKeyName": "settings-1",
            "sessionTokenId": "t-one",
            "endReason": "idle",
        }


@pytest.mark.parametrize(("first", "last"), [("start", "end"), ("startTime", "endTime")])
async def test_history_between_two_times(start: Start, first: str, last: str) -> None:
    async with start() as front:
        await begin(front, "one")
        now = int(time.time())
        for since, until, count in ((now - 60, now + 60, 1), (now + 60, now + 120, 0), (0, now - 60, 0)):
            answer = await front.http.get("/history/sessions", params={first: since, last: until}, headers=MINE)
            assert len(answer.json()["sessions"]) == count


async def test_history_of_another_account_is_not_shown(start: Start) -> None:
    async with start() as front:
        await begin(front, "one")
        answer = await front.http.get("/history/sessions", headers={"api-key": OTHER_KEY})
        assert answer.json() == {"sessions": []}


async def test_history_with_a_bad_time_is_a_422(front: Front) -> None:
    assert (await front.http.get("/history/sessions?start=today", headers=MINE)).status_code == 422
    assert (await front.http.get("/history/sessions?start=nan&end=inf", headers=MINE)).status_code in (200, 422)


# --- the rest ------------------------------------------------------------------------------------------------------
async def test_ice_is_a_bare_list_with_known_keys_and_the_host_by_which_we_were_reached(front: Front) -> None:
    answer = await front.http.get("/compose/ice", headers={**MINE, "host": "avatars.example:8800"})
    assert answer.json() == [{"urls": "stun:avatars.example:3478"}]


async def test_faces_have_the_keys_that_clients_look_for(front: Front) -> None:
    listed = await faces(front)
    assert {face["name"] for face in listed} == {"Mia", "Noah", "Ada", "Walter", "Zola", "Ravi"}
    for face in listed:
        assert face["id"] == face["face_id"] == face["faceId"]
        assert face["face_name"] == face["name"]
        assert {"owner_id", "simli_version", "created_at", "updated_at"} <= set(face)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("OPTIONS", "/compose/token", 200),
        ("POST", "/compose/token", 401),
        ("GET", "/compose/token", 405),
        ("GET", "/no/such/route", 404),
        ("GET", "/compose/ice", 401),
        ("GET", "/healthz", 200),
    ],
)
async def test_every_answer_may_be_read_across_origins(front: Front, method: str, path: str, status: int) -> None:
    headers = {"origin": "https://app.example"}
    if method == "OPTIONS":
        headers |= {
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-simli-api-key,api-key,session-token,authorization",
        }
    body = {"json": {"faceId": "mia"}} if method == "POST" else {}
    answer = await front.http.request(method, path, headers=headers, **body)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    if method == "OPTIONS":
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert all(name in allowed for name in headers["access-control-request-headers"].split(","))


async def test_our_own_faults_are_readable_across_origins_too(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(account: str) -> list[object]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(front.house.faces, "all", broken)
    answer = await front.http.get("/faces", headers={**MINE, "origin": "https://app.example"})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "a bug" not in answer.text


async def test_a_body_over_the_limit_is_a_413(front: Front) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    for content in (b" " * 2_000_000, drip()):
        headers = {**MINE, "content-type": "application/json"}
        answer = await front.http.post("/compose/token", content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.json()["session_token"] == "FAIL TOKEN"


async def test_openapi_tells_every_route_and_answer(front: Front) -> None:
    api = (await front.http.get("/openapi.json")).json()
    assert {"/compose/token", "/compose/ice", "/faces", "/history/sessions", "/ratelimiter/sessions"} <= set(
        api["paths"]
    )
    token = api["paths"]["/compose/token"]["post"]
    assert set(token["responses"]) == {"200", "400", "401", "422", "429", "503"}
    assert token["security"] == [{"ApiKeyAuth": []}]
    assert api["components"]["securitySchemes"]["ApiKeyAuth"]["name"] == "x-simli-api-key"
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            assert operation["responses"], (method, path)


async def test_no_page_of_the_docs_reaches_the_internet(front: Front) -> None:
    assert [(await front.http.get(path)).status_code for path in ("/docs", "/redoc")] == [404, 404]


# --- page access ---------------------------------------------------------------------------------------------------
async def test_a_one_time_code_becomes_a_page_token(front: Front) -> None:
    code = front.access.make_code(b"12345678", int(time.time()) + 60)
    first = await front.http.post("/web/access", json={"code": code})
    assert first.status_code == 200
    token, seconds = first.json()["token"], first.json()["expires_in"]
    assert seconds > 600
    assert (await front.http.get("/faces", headers={"x-simli-api-key": token})).status_code == 200
    assert (await front.http.post("/web/access", json={"code": code})).status_code == 401
    renewed = await front.http.post("/web/access", json={}, headers={"x-simli-api-key": token})
    assert (await front.http.get("/faces", headers={"x-simli-api-key": renewed.json()["token"]})).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-simli-api-key": KEY}, {"x-simli-api-key": "page_x"}])
async def test_page_access_without_a_code_is_refused(front: Front, headers: dict[str, str]) -> None:
    for body in ({}, {"code": ""}, {"code": "x" * 32}):
        assert (await front.http.post("/web/access", json=body, headers=headers)).status_code == 401
