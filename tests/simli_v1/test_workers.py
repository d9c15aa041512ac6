"""v1 against whole servers with media workers: placed before the token is known."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from tests.support.conversation import talking
from tests.support.peer import Viewer
from tests.support.server import KEY, Server, serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("workers") / "data", ("--workers", "2")) as it:
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


async def on_stage(server: Server) -> dict[str, int]:
    """Sessions on the stage of each worker."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        text = (await client.get("/metrics")).text
    return {name: int(float(n)) for name, n in re.findall(r'^mouthpiece_sessions\{worker="(w\d)"\} (\S+)', text, re.M)}


@contextlib.asynccontextmanager
async def seated(server: Server, token: str) -> AsyncIterator[tuple[Viewer, ClientConnection]]:
    """A session over the socket, whose media flows."""
    async with Viewer() as viewer, connect(f"{server.ws}/startWebRTCSession", compression=None) as socket:
        await socket.send(json.dumps({"type": "offer", "sdp": await viewer.offer()}))
        async with asyncio.timeout(PATIENCE_S):
            assert await socket.recv() == "ACK"
            await viewer.accept(json.loads(await socket.recv())["sdp"])
            await socket.send(token)
            assert [await socket.recv() for _ in range(2)] == ["ACK", "START"]
        await viewer.pictures.take(1, PATIENCE_S)
        yield viewer, socket


async def test_the_same_token_on_another_worker_takes_over(server: Server) -> None:
    token = server.token()
    async with seated(server, token) as (_, first):
        (before,) = [name for name, count in (await on_stage(server)).items() if count]
        async with seated(server, token) as (viewer, second):
            async with asyncio.timeout(PATIENCE_S):
                assert await first.recv() == "STOP"
                with pytest.raises(ConnectionClosed):
                    await first.recv()
            assert first.close_code == 1000
            await running(server, 1)
            stages = await on_stage(server)
            assert (stages.pop(before), list(stages.values())) == (0, [1]), "it went to the other worker"
            await second.send("ping 1")
            assert await second.recv() == "pong 1"
            await viewer.pictures.take(len(viewer.pictures.items) + 5, PATIENCE_S)
    await running(server, 0)


async def test_a_v2_socket_with_the_token_of_a_v1_session_finds_its_worker(server: Server) -> None:
    token = server.token()
    async with seated(server, token) as (_, first):
        before = await on_stage(server)
        async with talking(server, token):
            async with asyncio.timeout(PATIENCE_S):
                assert await first.recv() == "STOP"
            await running(server, 1)
            assert await on_stage(server) == before
    await running(server, 0)
