"""A tiny app served as a worker: it echoes, and does what its clients tell it. Run by the tests as a child process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mouthpiece.cluster.base import SESSION_HEADER, WorkerStatus
from mouthpiece.cluster.worker import Duties, Worker


def note(line: str) -> None:
    """Write down what a test cannot see from outside."""
    with Path(os.environ["ECHO_LOG"]).open("a") as log:
        log.write(line + "\n")


class Stage:
    """Who is connected, and how loaded we are told to be."""

    def __init__(self) -> None:
        self.load = 0.0
        self.accepting = True
        self.sockets: dict[str, WebSocket] = {}
        self.worker = Worker()

    @property
    def duties(self) -> Duties:
        return Duties(self.measure, self.drain, self.stop, self.give_way)

    def measure(self) -> WorkerStatus:
        return WorkerStatus(self.load, frozenset(self.sockets), self.accepting)

    def drain(self, deadline_s: float) -> None:
        self.accepting = False

    async def stop(self) -> None:
        for socket in tuple(self.sockets.values()):
            await socket.send_text("STOP")
            await socket.close(1000)

    async def give_way(self, session_id: str) -> float:
        """Every session here has lasted for 12.5 s."""
        await self.sockets[session_id].send_text("taken over")
        return 12.5

    async def socket(self, socket: WebSocket) -> None:
        await socket.accept()
        session = socket.headers.get(SESSION_HEADER, "nobody")
        self.sockets[session] = socket
        self.worker.changed()
        try:
            await self.converse(socket)
        except WebSocketDisconnect as gone:
            note(f"{session} left {gone.code}")
        finally:
            self.sockets.pop(session, None)
            self.worker.changed()

    async def converse(self, socket: WebSocket) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            data = message.get("bytes")
            if data is not None:
                await socket.send_bytes(data)
            elif await self.obey(socket, message["text"].split()):
                return

    async def obey(self, socket: WebSocket, words: list[str]) -> bool:
        match words:
            case ["token", token_id]:
                used_s = await self.worker.claim(socket.headers[SESSION_HEADER], token_id)
                await socket.send_text(f"granted {used_s}")
            case ["load", load]:
                self.load = float(load)
                self.worker.changed()
            case ["full"]:
                self.accepting = False
                self.worker.changed()
            case ["close", code]:
                await socket.send_text("last words")
                await socket.close(int(code), "as asked")
                return True
            case ["who"]:
                await socket.send_json(
                    {
                        "path": socket.scope["raw_path"].decode(),
                        "query": socket.url.query,
                        "headers": dict(socket.headers),
                    }
                )
            case ["deaf"]:
                await asyncio.Event().wait()
            case ["flood", count]:
                for _ in range(int(count)):
                    await socket.send_bytes(bytes(64 * 1024))
            case ["accepting?"]:
                await socket.send_text(str(self.accepting))
            case ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                await socket.send_text(" ".join(words))
        return False


async def signaling(request: Request) -> Response:
    body = await request.json()
    answer = JSONResponse({"got": body, "path": request.url.path, "query": request.url.query}, status_code=201)
    answer.headers["x-worker"] = str(os.getpid())
    answer.headers["x-session"] = request.headers.get(SESSION_HEADER, "nobody")
    return answer


async def main(path: str) -> None:
    stage = Stage()
    app = Starlette(
        routes=[Route("/signal", signaling, methods=["POST"]), WebSocketRoute("/{path:path}", stage.socket)]
    )
    config = uvicorn.Config(
        app,
        uds=path,
        ws="websockets-sansio",
        log_level="error",
        ws_max_size=32 * 1024 * 1024,
        timeout_graceful_shutdown=1,
    )
    await stage.worker.serve(uvicorn.Server(config), stage.duties)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
