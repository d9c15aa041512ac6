"""A live session with a real server: the avatar socket, and a real viewer behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.peer import Viewer
from tests.support.server import Server
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE_S = 30.0


@dataclass
class Talk:
    """Both halves of a session, as its client has them."""

    socket: ClientConnection
    viewer: Viewer
    session_id: str

    async def rest(self) -> tuple[list[str], int | None]:
        """What is still said until the close (SPEAK and SILENT left out), and the close code."""
        said: list[str] = []
        try:
            while True:
                async with asyncio.timeout(PATIENCE_S):
                    text = await self.socket.recv()
                assert isinstance(text, str)
                said += [text] if text not in ("SPEAK", "SILENT") else []
        except ConnectionClosed:
            return said, self.socket.close_code


@asynccontextmanager
async def talking(server: Server, token: str) -> AsyncIterator[Talk]:
    """A session whose media flows."""
    url = f"{server.ws}/compose/webrtc/p2p?session_token={token}"
    async with Viewer() as viewer, connect(url, compression=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "offer", "sdp": await viewer.offer()}))
        answer, start, where, _ = [str(await socket.recv()) for _ in range(4)]
        assert start == "START"
        await viewer.accept(json.loads(answer)["sdp"])
        await viewer.pictures.take(1, PATIENCE_S)
        yield Talk(socket, viewer, json.loads(where)["session_id"])
