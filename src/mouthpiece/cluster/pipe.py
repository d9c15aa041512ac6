"""One client's WebSocket, carried to the worker that holds its session and back.

Both directions pass whole messages and wait for the slower side: at most one message of the client and sixteen
of the worker are held here. A client's message of 640 bytes costs the gateway 43 to 51 us of CPU, against 31 to 36
when it serves the socket itself (``benchmarks/pipe.py`` on a busy two-core machine with Python 3.11 and uvloop).
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from mouthpiece.cluster.base import Lease

MAX_MESSAGE = 32 * 1024 * 1024
"""Bytes of the longest message from the worker; the client's are bounded by the server that accepted it."""

_OPEN_TIMEOUT_S = 5.0
_LAST_WORDS_S = 0.001  # at least one turn of the loop, in which everything that has come is read
_CLOSE_TIMEOUT_S = 1.0  # the library's own 10 s would delay the news of a loss
_PLAIN_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
_NO_STATUS, _ABNORMAL = 1005, 1006

_OURS = frozenset(
    b"connection content-length host keep-alive proxy-connection te trailer transfer-encoding upgrade "
    b"x-forwarded-for x-forwarded-proto forwarded".split()
)
_OUR_PREFIXES = (b"sec-websocket-", b"x-mouthpiece-")


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last words to a client whose worker died: texts in its protocol's order, then a close code."""

    texts: tuple[str, ...]
    code: int = 1011


class PipeEnd(StrEnum):
    """Who ended the conversation."""

    CLIENT = "client"
    WORKER = "worker"
    LOST = "lost"


def carried_headers(request: HTTPConnection, more: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a worker is told about the client: its own headers, its address and scheme as we know them, and ``more``.

    What belongs to one hop only, what we vouch for, and our own ``x-mouthpiece-`` names are never taken from it.
    """
    kept = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in request.scope["headers"]
        if name not in _OURS and not name.startswith(_OUR_PREFIXES) and name.decode("latin-1") not in more
    ]
    scheme = "https" if request.scope["scheme"] in ("https", "wss") else "http"
    client = request.client.host if request.client else "unknown"
    return [*kept, ("x-forwarded-for", client), ("x-forwarded-proto", scheme), *more.items()]


def carried_target(request: HTTPConnection) -> str:
    """Host, path and query exactly as the client sent them, without a scheme."""
    scope = request.scope
    host = request.headers.get("host", "")
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    query: bytes = b"?" + scope["query_string"] if scope["query_string"] else b""
    return (host if _PLAIN_HOST.fullmatch(host) else "worker") + (path + query).decode("latin-1")


async def pipe(
    client: WebSocket,
    lease: Lease,
    *,
    goodbye: Callable[[], Goodbye],
    headers: Mapping[str, str] | None = None,
    patience_s: float = 10.0,
) -> PipeEnd:
    """Carry an accepted socket to the worker of ``lease`` until one side ends; the other gets the same close code.

    ``headers`` are added to the request. When the worker dies, is dead already, or does not take a message within
    ``patience_s``, the client is told ``goodbye``.
    """
    try:
        worker = await unix_connect(
            str(lease.address),
            "ws://" + carried_target(client),
            additional_headers=carried_headers(client, headers or {}),
            user_agent_header=None,
            compression=None,
            max_size=MAX_MESSAGE,
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            ping_interval=None,  # the host's heartbeat watches the worker
            proxy=None,
        )
    except (OSError, InvalidHandshake, InvalidURI):
        return await _part(client, goodbye())
    return await _Pipe(client, worker, goodbye, patience_s).run(lease.lost)


def replaying(socket: WebSocket, *texts: str) -> WebSocket:
    """The same socket, as if ``texts`` had not been read yet."""
    again: deque[Message] = deque({"type": "websocket.receive", "text": text} for text in texts)

    async def receive() -> Message:
        return again.popleft() if again else await socket.receive()

    fresh = WebSocket(socket.scope, receive, socket.send)
    fresh.client_state, fresh.application_state = socket.client_state, socket.application_state
    return fresh


class _Pipe:
    def __init__(
        self, client: WebSocket, worker: ClientConnection, goodbye: Callable[[], Goodbye], patience_s: float
    ) -> None:
        self._client = client
        self._worker = worker
        self._goodbye = goodbye
        self._patience_s = patience_s

    async def run(self, lost: asyncio.Event) -> PipeEnd:
        inward = asyncio.create_task(self._inward())
        outward = asyncio.create_task(self._outward())
        loss = asyncio.create_task(self._loss(lost))
        try:
            await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
            if not outward.done() and inward.result() is None:  # the worker is gone: say first what it still said
                await asyncio.wait({outward})
            return await self._finish(None if outward.done() else inward.result(), outward)
        finally:
            for task in (inward, outward, loss):
                task.cancel()
            await asyncio.gather(inward, outward, loss, return_exceptions=True)
            await self._worker.close(1001)

    async def _finish(self, left: int | None, outward: asyncio.Task[bool]) -> PipeEnd:
        if left is not None:
            await self._worker.close(left)
            return PipeEnd.CLIENT
        if not outward.result():
            await self._worker.close(1001)
            return PipeEnd.CLIENT
        said = self._worker.protocol.close_rcvd
        if said is None:
            return await _part(self._client, self._goodbye())
        await _close(self._client, 1000 if said.code == _NO_STATUS else said.code, said.reason)
        return PipeEnd.WORKER

    async def _inward(self) -> int | None:
        """Client to worker. Returns the code with which the client left, None when the worker went first."""
        while (message := await self._client.receive())["type"] == "websocket.receive":
            text = message.get("text")
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._worker.send(message["bytes"] if text is None else text)
            except TimeoutError:  # nobody watches the client meanwhile, so this may not last
                self._worker.transport.abort()
                return None
            except ConnectionClosed:
                return None
        return _sendable(message.get("code", _NO_STATUS))

    async def _outward(self) -> bool:
        """Worker to client. Returns True when the worker ended it, False when the client cannot be reached."""
        try:
            while True:
                message = await self._worker.recv()
                if isinstance(message, str):
                    await self._client.send_text(message)
                else:
                    await self._client.send_bytes(message)
        except ConnectionClosed:
            return True
        except (WebSocketDisconnect, RuntimeError):
            return False

    async def _loss(self, lost: asyncio.Event) -> None:
        """The host says that the worker is gone: take what it had said, and wait for its socket no longer."""
        await lost.wait()
        await asyncio.sleep(_LAST_WORDS_S)
        self._worker.transport.abort()


def _sendable(code: int) -> int:
    """The close code to pass on: two of them mean that none was sent, and may not be either (RFC 6455, 7.4.1)."""
    return {_NO_STATUS: 1000, _ABNORMAL: 1001}.get(code, code)


async def _part(client: WebSocket, words: Goodbye) -> PipeEnd:
    try:
        for text in words.texts:
            await client.send_text(text)
    except (WebSocketDisconnect, RuntimeError):
        return PipeEnd.LOST
    await _close(client, words.code, "")
    return PipeEnd.LOST


async def _close(client: WebSocket, code: int, reason: str) -> None:
    if client.client_state is WebSocketState.CONNECTED and client.application_state is WebSocketState.CONNECTED:
        try:
            await client.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            return
