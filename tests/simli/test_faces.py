"""Faces of one's own over HTTP: made, watched, used, deleted; and nobody else's."""

from __future__ import annotations

import asyncio
import contextlib
import io

import httpx
import pytest
from PIL import Image
from tests.simli.conftest import KEY, OTHER_KEY, Front
from tests.support.portraits import drawn, file_of, picture, points_json

from mouthpiece.face.pack import resized

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
MINE, THEIRS = {"x-simli-api-key": KEY}, {"x-simli-api-key": OTHER_KEY}
NAMES = ("face_id", "faceId", "character_uid", "id")


async def post(front: Front, path: str, image: bytes, **form: str) -> httpx.Response:
    return await front.http.post(path, headers=MINE, files={"image": ("me.jpg", image)}, data=form, timeout=60)


async def status(front: Front, face_id: str, path: str = "/faces/trinity/generation_status") -> dict[str, object]:
    answer = await front.http.get(path, params={"face_id": face_id}, headers=MINE)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def over(front: Front, face_id: str) -> dict[str, object]:
    """The status when the face is made, or could not be."""
    async with asyncio.timeout(120):
        while (told := await status(front, face_id))["status"] == "processing":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.2)
    return told


async def test_a_face_from_picture_to_token_to_deletion(front: Front) -> None:
    image, points = picture("ada")
    made = await post(front, "/faces/trinity?gsVersion=GSA_1.0&face_name=Me", image, landmarks=points)
    assert made.status_code == 200, made.text
    face_id = made.json()["id"]
    assert {made.json()[name] for name in (*NAMES, "request_id")} == {face_id}
    early = await front.http.post("/compose/token", headers=MINE, json={"faceId": face_id})
    assert (early.status_code, early.json()["code"]) == (404, "NOT_READY")
    told = await over(front, face_id)
    assert (told["status"], told["state"], told["progress"]) == ("completed", "ready", 100), told
    assert {told[name] for name in NAMES} == {face_id}
    newest = await front.http.get("/faces/trinity/generation_status", headers=MINE)
    assert newest.json()["id"] == face_id
    listed = (await front.http.get("/faces", headers=MINE)).json()
    assert (listed[0]["id"], listed[0]["face_name"]) == (face_id, "Me")
    assert face_id not in (await front.http.get("/faces", headers=THEIRS)).text
    for named in (face_id, face_id.upper(), "Me", f"{face_id}/happy"):
        assert (await front.http.post("/compose/token", headers=MINE, json={"faceId": named})).status_code == 200
    refused = await front.http.post("/compose/token", headers=THEIRS, json={"faceId": face_id})
    assert (refused.status_code, refused.json()["detail"]) == (400, "INVALID_FACE_ID")
    for way in (
        front.http.delete(f"/faces/trinity/{face_id}", headers=THEIRS),
        front.http.get("/faces/trinity/generation_status", params={"face_id": face_id}, headers=THEIRS),
    ):
        assert (await way).status_code == 404
    assert (await front.http.delete(f"/faces/trinity/{face_id}", headers=MINE)).status_code == 204
    assert (await front.http.delete(f"/faces/trinity/{face_id}", headers=MINE)).status_code == 404
    assert (await front.http.post("/compose/token", headers=MINE, json={"faceId": face_id})).status_code == 400


async def test_the_older_names(front: Front) -> None:
    image, points = picture()
    made = await post(front, "/faces/legacy?characterVersion=1.5", image, landmarks=points)
    face_id = made.json()["face_id"]
    assert (await status(front, face_id, "/faces/legacy/generation_status"))["id"] == face_id
    assert (await front.http.delete(f"/faces/legacy/{face_id}", headers=MINE)).status_code == 204


async def test_the_v1_names(front: Front) -> None:
    image = file_of(drawn()[0], "JPEG")
    key = {"api-key": KEY}
    made = await front.http.post(
        "/generateFaceID?face_name=v1", headers=key, files={"image": ("me.jpg", image)}, timeout=60
    )
    assert made.status_code == 200, made.text
    face_id = made.json()["character_uid"]
    assert made.json()["message"]
    by_query = await front.http.post("/getRequestStatus", params={"face_id": face_id}, headers=key)
    by_body = await front.http.post("/getRequestStatus", json={"character_uid": face_id}, headers=key)
    assert by_query.json()["id"] == by_body.json()["id"] == face_id
    assert (await front.http.post("/getRequestStatus", json={"character_uid": 7}, headers=key)).status_code == 404
    assert (await front.http.delete(f"/faces/trinity/{face_id}", headers=MINE)).status_code == 204


async def test_the_portrait_before_it_is_a_face(front: Front) -> None:
    image, points = picture()
    answer = await post(front, "/faces/trinity/preprocess?retry=false", image, landmarks=points)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (1024, 1024)


async def test_what_is_wrong_with_the_picture(front: Front) -> None:
    refused = await post(front, "/faces/trinity", b"I am no picture")
    assert (refused.status_code, refused.json()["code"]) == (400, "NOT_AN_IMAGE")
    rgb, points = drawn()
    tiny, small = file_of(resized(rgb, 100, 100)), points_json(points * 100 / 1024)
    seen = await post(front, "/faces/trinity/preprocess", tiny, landmarks=small)
    assert (seen.status_code, seen.json()["code"]) == (400, "FACE_TOO_SMALL")
    made = await post(front, "/faces/trinity", tiny, landmarks=small)
    told = await over(front, made.json()["id"])
    assert (told["status"], told["code"]) == ("failed", "FACE_TOO_SMALL")
    assert "pixels high" in str(told["message"])
    unusable = await front.http.post("/compose/token", headers=MINE, json={"faceId": made.json()["id"]})
    assert unusable.status_code == 400
    await front.http.delete(f"/faces/trinity/{made.json()['id']}", headers=MINE)


async def test_requests_that_make_no_sense(front: Front) -> None:
    assert (await front.http.post("/faces/trinity", headers=MINE)).status_code == 422
    assert (await front.http.post("/faces/trinity", files={"image": b"x"})).status_code == 401
    assert (await front.http.delete("/faces/trinity/nonsense", headers=MINE)).status_code == 400
    shipped = (await front.http.get("/faces", headers=MINE)).json()[-1]["id"]
    refused = await front.http.delete(f"/faces/trinity/{shipped}", headers=MINE)
    assert (refused.status_code, refused.json()["error"]) == (400, "a shipped face cannot be deleted")
    assert (await front.http.get("/faces/trinity/generation_status", headers=THEIRS)).status_code == 404
