"""Backgrounds and foregrounds over HTTP: uploaded, listed, shown by links that end, named in tokens, deleted."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.simli.conftest import KEY, OTHER_KEY, Front
from tests.support.portraits import file_of

from mouthpiece.app.assets import HouseAssets

pytestmark = pytest.mark.asyncio(loop_scope="module")
MINE, THEIRS = {"x-simli-api-key": KEY}, {"x-simli-api-key": OTHER_KEY}


def plain(width: int, height: int, channels: int = 3, level: int = 120) -> bytes:
    return file_of(np.full((height, width, channels), level, np.uint8))


async def post(front: Front, kind: str, data: bytes, headers: dict[str, str] = MINE) -> httpx.Response:
    return await front.http.post(f"/assets/{kind}", headers=headers, files={"image": ("b.png", data)}, timeout=60)


async def test_an_asset_from_upload_to_deletion(front: Front) -> None:
    made = await post(front, "backgrounds", plain(1280, 720))
    assert made.status_code == 201, made.text
    asset = made.json()
    assert (asset["width"], asset["height"]) == (1280, 720)
    assert asset["size_bytes"] > 0
    second = (await post(front, "backgrounds", plain(512, 512))).json()
    listed = (await front.http.get("/assets/backgrounds", headers=MINE)).json()
    assert [each["id"] for each in listed][:2] == [second["id"], asset["id"]]
    assert (await front.http.get("/assets/foregrounds", headers=MINE)).json() == []
    assert (await front.http.get("/assets/backgrounds", headers=THEIRS)).json() == []
    shown = await front.http.get(listed[1]["url"])  # without a key
    assert Image.open(io.BytesIO(shown.content)).size == (1280, 720)
    assert (await front.http.get(listed[1]["url"] + "x")).status_code == 404
    assert (await front.http.delete(f"/assets/backgrounds/{asset['id']}", headers=THEIRS)).status_code == 404
    assert (await front.http.delete(f"/assets/foregrounds/{asset['id']}", headers=MINE)).status_code == 404
    assert (await front.http.delete(f"/assets/backgrounds/{asset['id']}", headers=MINE)).status_code == 204
    assert (await front.http.delete(f"/assets/backgrounds/{asset['id']}", headers=MINE)).status_code == 404
    assert (await front.http.get(listed[1]["url"])).status_code == 404


async def test_a_link_ends(front: Front) -> None:
    assets = front.house.assets
    assert isinstance(assets, HouseAssets)
    await post(front, "backgrounds", plain(600, 600))
    (asset, *_) = await assets.all(front.account, "background")
    link, until = assets.link(asset, 1000)
    assert await assets.linked(link, until)
    with pytest.raises(Exception, match="no such picture"):
        await assets.linked(link, until + 1)


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        ("backgrounds", plain(400, 400), "512 pixels at least"),
        ("backgrounds", plain(800, 600), "1:1, 16:9 or 9:16"),
        ("backgrounds", plain(1200, 1200), "1080 pixels"),
        ("foregrounds", plain(512, 512), "transparent"),
        ("backgrounds", b"no picture", "not a JPEG"),
        ("backgrounds", bytes(5 * 1024 * 1024 + 1), "over the limit"),
    ],
    ids=["small", "shape", "large", "opaque", "junk", "heavy"],
)
async def test_what_is_wrong_with_it_is_said(front: Front, kind: str, data: bytes, says: str) -> None:
    answer = await post(front, kind, data)
    assert answer.status_code in (400, 413)
    assert says in answer.json()["detail"]


async def test_a_token_takes_ones_own_and_drops_others_with_a_warning(front: Front) -> None:
    behind = (await post(front, "backgrounds", plain(512, 512))).json()["id"]
    before = (await post(front, "foregrounds", plain(512, 512, 4))).json()["id"]
    theirs = (await post(front, "backgrounds", plain(512, 512), THEIRS)).json()["id"]
    asked = {"faceId": "mia", "background_id": behind.upper(), "foreground_id": before}
    answer = (await front.http.post("/compose/token", headers=MINE, json=asked)).json()
    assert "warnings" not in answer
    claims = front.house.tokens.open(answer["session_token"], 0)
    assert (claims.background_id, claims.foreground_id) == (behind, before)
    asked = {"faceId": "mia", "background_id": theirs, "foreground_id": behind}
    answer = (await front.http.post("/compose/token", headers=MINE, json=asked)).json()
    assert answer["warnings"] == [
        f"background {theirs} is not one of your uploaded backgrounds: dropped",
        f"foreground {behind} is not one of your uploaded foregrounds: dropped",
    ]


async def test_requests_that_make_no_sense(front: Front) -> None:
    assert (await front.http.get("/assets/curtains", headers=MINE)).status_code == 422
    assert (await front.http.post("/assets/backgrounds", headers=MINE)).status_code == 422
    assert (await front.http.get("/assets/backgrounds")).status_code == 401
