"""v1 against whole servers with media workers: placed before the token is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest
from tests.support.peer import Viewer
from tests.support.server import KEY, Server, serving
from websockets.asyncio.client import connect

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("workers") / "data", ("--workers", "1")) as it:
        yield it


async def running(server: Server, count: int) -> None:
    """Ask until so many sessions of the account run."""
    async with httpx.AsyncClient(base_url=server.url, headers={"x-simli-api-key": KEY}) as client:
        async with asyncio.timeout(PATIENCE_S):
            while (await client.get("/ratelimiter/sessions")).json()["currentUsage"] != count:
                pass


async def test_the_token_over_the_data_channel_brings_pictures(server: Server) -> None:
    async with Viewer() as viewer, connect(f"{server.ws}/startWebRTCSession", compression=None) as socket:
        viewer.receive("audio")
        viewer.receive("video")
        channel = viewer.channel()
        opened = asyncio.Event()
        channel.on("open", opened.set)
        await socket.send(json.dumps({"type": "offer", "sdp": await viewer.offer()}))
        async with asyncio.timeout(PATIENCE_S):
            assert await socket.recv() == "ACK"
            await viewer.accept(json.loads(await socket.recv())["sdp"])
            await opened.wait()
            channel.send(server.token())
            assert [await socket.recv() for _ in range(2)] == ["ACK", "START"]
        await viewer.pictures.take(10, PATIENCE_S)
        await viewer.sounds.take(10, PATIENCE_S)
    await running(server, 0)


async def test_a_session_by_post_lives_on_its_data_channel_and_gives_its_place_back(server: Server) -> None:
    async with Viewer() as viewer, httpx.AsyncClient(base_url=server.url) as client:
        viewer.receive("audio")
        viewer.receive("video")
        channel = viewer.channel("chat")
        opened = asyncio.Event()
        channel.on("open", opened.set)
        body = {"type": "offer", "sdp": await viewer.offer(), "video_transform": "none"}
        answer = await client.post("/StartWebRTCSession", json=body)
        await viewer.accept(answer.json()["sdp"])
        async with asyncio.timeout(PATIENCE_S):
            await opened.wait()
            channel.send("ping 1")
            channel.send(server.token(maxSessionLength=2))
            await viewer.messages.until(lambda said: said[-1:] == ["START"])
            assert viewer.messages.items == ["pong 1", "ACK", "START"]
            await viewer.pictures.take(10, PATIENCE_S)
            await viewer.messages.until(lambda said: said[-1:] == ["STOP"])
    await running(server, 0)
