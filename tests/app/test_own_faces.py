"""A face that somebody makes is drawn in live sessions, by worker processes too, and gone when it is deleted."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support.conversation import talking
from tests.support.portraits import drawn, picture
from tests.support.server import KEY, Server, serving
from websockets.asyncio.client import connect

pytestmark = pytest.mark.timeout(240)
MINE = {"x-simli-api-key": KEY}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("own") / "data"
    with serving(data, ["--workers", "1"], {"MOUTHPIECE_FACES_LANDMARKER": "/no/such/landmarker"}) as it:
        yield it


def make(server: Server) -> str:
    image, points = picture("ada")
    form = {"files": {"image": ("a.jpg", image)}, "data": {"landmarks": points}}
    made = httpx.post(f"{server.url}/faces/trinity", headers=MINE, timeout=60, **form)  # type: ignore[arg-type]
    face_id = str(made.json()["id"])
    for _ in range(20_000):
        told = httpx.get(
            f"{server.url}/faces/trinity/generation_status", params={"face_id": face_id}, headers=MINE, timeout=60
        ).json()
        if told["status"] != "processing":
            break
    assert told["status"] == "completed", told
    return face_id


def likeness(luma: NDArray[np.floating], alias: str) -> float:
    source = drawn(alias)[0] @ np.array([0.299, 0.587, 0.114])
    return float(np.corrcoef(luma.ravel(), source.reshape(512, 2, 512, 2).mean((1, 3)).ravel())[0, 1])


async def test_an_own_face_in_a_worker_process(server: Server) -> None:
    face_id = make(server)
    token = server.token(faceId=face_id)
    async with talking(server, token) as talk:
        seen = await talk.viewer.pictures.take(5)
    luma = seen[-1].luma.astype(float)
    assert luma.shape == (512, 512)
    assert likeness(luma, "ada") > 0.85 > likeness(luma, "mia")
    async with httpx.AsyncClient(base_url=server.url, headers=MINE, timeout=20) as client:
        assert (await client.delete(f"/faces/trinity/{face_id}")).status_code == 204
    async with connect(f"{server.ws}/compose/webrtc/p2p?session_token={token}", compression=None) as socket:
        await socket.send('{"type":"offer","sdp":"v=0"}')
        assert await socket.recv() == "ERROR INVALID_FACE_ID"
