"""Hosts, actors and a gateway to test with: all of them real."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect, unix_connect

from mouthpiece.cluster.base import SESSION_HEADER, Lease, SessionHost, WorkerStatus
from mouthpiece.cluster.book import Placement
from mouthpiece.cluster.forward import forward
from mouthpiece.cluster.inprocess import InProcessHost
from mouthpiece.cluster.local import LocalHost, Supervision
from mouthpiece.cluster.pipe import Goodbye, PipeEnd, pipe
from mouthpiece.errors import WorkerLost

ECHO = Path(__file__).with_name("echo_worker.py")
GOODBYE = Goodbye(("ERROR WORKER_LOST", "STOP"), 1011)
BRISK = Supervision(beat_s=0.5, misses=3, backoff_s=0.05, max_backoff_s=0.4, stop_s=5.0)


class Actor:
    """One session on a worker, whatever the host: it can load its worker and leave."""

    async def load(self, load: float) -> None:
        raise NotImplementedError

    async def refuse(self) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        raise NotImplementedError


@dataclass
class Rig:
    """A host under test, and a way to put actors on its workers."""

    host: SessionHost
    enter: Callable[[Lease], Awaitable[Actor]]
    children: bool


@dataclass
class Room:
    """The stage of the in-process host."""

    loaded: float = 0.0
    accepting: bool = True
    sessions: set[str] = field(default_factory=set)

    def measure(self) -> WorkerStatus:
        return WorkerStatus(self.loaded, frozenset(self.sessions), self.accepting)


@dataclass
class RoomActor(Actor):
    room: Room
    session_id: str

    async def load(self, load: float) -> None:
        self.room.loaded = load

    async def refuse(self) -> None:
        self.room.accepting = False

    async def leave(self) -> None:
        self.room.sessions.discard(self.session_id)


@dataclass
class SocketActor(Actor):
    socket: ClientConnection

    async def load(self, load: float) -> None:
        await self.order(f"load {load}")

    async def refuse(self) -> None:
        await self.order("full")

    async def leave(self) -> None:
        await self.socket.close()

    async def order(self, words: str) -> None:
        await self.socket.send(words)
        await self.socket.send("done")
        assert await self.socket.recv() == "done"


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that the host will come to know; the test's own timeout is the limit."""
    while not true():  # noqa: ASYNC110 - the public interface has no event for a report
        await asyncio.sleep(0.005)


def echo(worker_id: str, path: Path) -> list[str]:
    return [sys.executable, str(ECHO), str(path)]


@asynccontextmanager
async def local_rig(
    log: Path, *, count: int = 2, rules: Placement | None = None, care: Supervision = BRISK
) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        host = LocalHost(echo, count=count, rules=rules, supervision=care, env={"ECHO_LOG": str(log)})
        stack.push_async_callback(host.close)
        await host.start()

        async def enter(lease: Lease) -> Actor:
            headers = {SESSION_HEADER: lease.session_id}
            connecting = unix_connect(str(lease.address), additional_headers=headers, close_timeout=1)
            socket = await stack.enter_async_context(connecting)
            await socket.send("hello")
            assert await socket.recv() == "hello"
            return SocketActor(socket)

        yield Rig(host, enter, children=True)


@asynccontextmanager
async def room_rig(rules: Placement | None = None) -> AsyncIterator[Rig]:
    room = Room()
    host = InProcessHost(room.measure, rules)
    await host.start()

    async def enter(lease: Lease) -> Actor:
        room.sessions.add(lease.session_id)
        return RoomActor(room, lease.session_id)

    yield Rig(host, enter, children=False)
    await host.close()


@dataclass
class Gateway:
    """A real server in front of a host: every socket is placed and piped, as the app does it."""

    host: SessionHost
    port: int = 0
    ends: dict[str, PipeEnd] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    patience_s: float = 10.0

    async def socket(self, socket: WebSocket) -> None:
        await socket.accept()
        session_id = socket.query_params["session"]
        lease = await self.host.place(session_id, token_id=socket.query_params.get("token"))
        assert lease.address is not None
        try:
            headers = {SESSION_HEADER: session_id}
            self.ends[session_id] = await pipe(
                socket, lease, goodbye=lambda: GOODBYE, headers=headers, patience_s=self.patience_s
            )
        finally:
            await self.host.release(session_id)
            self.ended.set()

    async def post(self, request: Request) -> Response:
        lease = await self.host.place(request.query_params["session"], token_id=None)
        assert lease.address is not None
        try:
            return await forward(request, lease.address, headers={SESSION_HEADER: lease.session_id})
        except WorkerLost as error:
            return PlainTextResponse(error.code, 503)

    def connect(self, session_id: str, *, path: str = "/talk", token: str = "", **kwargs: Any) -> connect:  # noqa: ANN401
        extra = f"&token={token}" if token else ""
        return connect(f"ws://127.0.0.1:{self.port}{path}?session={session_id}{extra}", compression=None, **kwargs)


@asynccontextmanager
async def gateway(host: SessionHost) -> AsyncIterator[Gateway]:
    gate = Gateway(host)
    routes = [Route("/signal", gate.post, methods=["POST"]), WebSocketRoute("/{path:path}", gate.socket)]
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        # without the protocol's number asyncio does not set TCP_NODELAY, and every second message waits 40 ms
        listener.bind(("127.0.0.1", 0))
        gate.port = listener.getsockname()[1]
        config = uvicorn.Config(
            Starlette(routes=routes),
            ws="websockets-sansio",
            log_level="error",
            ws_max_size=32 * 1024 * 1024,
            proxy_headers=False,
            ws_per_message_deflate=False,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield gate
        finally:
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving


def parsed(text: str | bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value
