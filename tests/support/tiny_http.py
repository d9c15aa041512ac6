"""A small HTTP server on loopback whose answers are raw bytes, for the tests of clients."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class TinyHttp:
    """``answer`` is sent as it is; with ``hang`` the connection stays open after it and nothing more comes."""

    answer: bytes = b""
    hang: bool = False
    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stream(self, body: bytes, status: str = "200 OK") -> None:
        """Answer with an event stream that ends with the connection."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        self.answer = head.encode() + body

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            self.requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
            writer.write(self.answer)
            await writer.drain()
            if self.hang:
                await reader.read()
        writer.close()


@contextlib.asynccontextmanager
async def tiny_http() -> AsyncIterator[TinyHttp]:
    """A server for as long as the block lasts."""
    it = TinyHttp()
    server = await asyncio.start_server(it._serve, "127.0.0.1", 0)
    it.port = int(server.sockets[0].getsockname()[1])
    try:
        yield it
    finally:
        server.close()
