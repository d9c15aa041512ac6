"""The v1 routes that set sessions up."""

from __future__ import annotations

import time

import pytest
from tests.simli.conftest import KEY, Front

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("path", ["/startAudioToVideoSession", "/startAudioVideoSession"])
async def test_a_token_with_nothing_but_face_and_key_has_the_documented_defaults(front: Front, path: str) -> None:
    answer = await front.http.post(path, json={"faceId": "tmp9i8bbq7c", "apiKey": KEY})
    assert set(answer.json()) == {"session_token"}
    got = front.house.tokens.open(answer.json()["session_token"], time.time())
    assert (got.account, got.handle_silence, got.max_length_s, got.max_idle_s) == (front.account, True, 3600, 300)


async def test_every_field_of_v1_is_taken(front: Front) -> None:
    body = {
        "faceId": "tmp9i8bbq7c",
        "apiKey": KEY,
        "apiVersion": "v1",
        "isJPG": True,
        "syncAudio": True,
        "audioInputFormat": "pcm16",
        "batchSize": 4,
        "handleSilence": False,
        "maxSessionLength": 60,
        "maxIdleTime": 20,
        "preloadAvatar": True,
        "model": "fasttalk",
    }
    answer = await front.http.post("/startAudioToVideoSession", json=body)
    got = front.house.tokens.open(answer.json()["session_token"], time.time())
    assert (got.handle_silence, got.max_length_s, got.max_idle_s) == (False, 60, 20)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"faceId": "tmp9i8bbq7c", "apiKey": "wrong"}, 401, "INVALID_API_KEY"),
        ({"faceId": "tmp9i8bbq7c"}, 401, "INVALID_API_KEY"),
        ({"faceId": "nobody", "apiKey": KEY}, 400, "INVALID_FACE_ID"),
        ({"faceId": "mia", "apiKey": KEY, "audioInputFormat": "mp3"}, 400, "INVALID_REQUEST"),
    ],
)
async def test_refusals_can_be_read_by_every_client(front: Front, body: dict[str, str], status: int, code: str) -> None:
    answer = await front.http.post("/startAudioToVideoSession", json=body)
    reply = answer.json()
    assert (answer.status_code, reply["code"], reply["session_token"]) == (status, code, "FAIL TOKEN")
    assert reply["detail"] == reply["error"]


async def test_ice_servers_by_post_and_by_get_are_never_empty(front: Front) -> None:
    posted = await front.http.post("/getIceServers", json={"apiKey": KEY})
    asked = await front.http.get("/getIceServers", params={"apiKey": KEY})
    headed = await front.http.get("/getIceServers", headers={"x-simli-api-key": KEY})
    assert posted.json() == asked.json() == headed.json() == [{"urls": "stun:127.0.0.1:3478"}]
    assert (await front.http.post("/getIceServers", json={})).status_code == 401
    assert (await front.http.get("/getIceServers")).status_code == 401
