"""CPU of the gateway per client message: piped to a worker, and served by the gateway itself for comparison.

Run ``python benchmarks/pipe.py``: forty clients each send 640 bytes (20 ms of speech) every 20 ms. Client, gateway
and worker are three processes; the gateway's own user and system time is what counts.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect

from mouthpiece.cluster.base import WorkerStatus
from mouthpiece.cluster.book import Placement
from mouthpiece.cluster.local import LocalHost
from mouthpiece.cluster.pipe import Goodbye, pipe
from mouthpiece.cluster.worker import Duties, Worker

CLIENTS, SECONDS, SIZE = 40, 10, 640
TICKS = os.sysconf("SC_CLK_TCK")


async def sink(socket: WebSocket) -> None:
    """Take everything, answer the last."""
    await socket.accept()
    try:
        while True:
            message = await socket.receive()
            if message.get("text"):
                await socket.send_text(message["text"])
            elif message["type"] == "websocket.disconnect":
                return
    except WebSocketDisconnect:
        return


def server(app: Starlette, **where: object) -> uvicorn.Server:
    """The server as the product runs it."""
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        loop="uvloop",
        log_level="error",
        ws_per_message_deflate=False,
        **where,  # type: ignore[arg-type]
    )
    return uvicorn.Server(config)


async def worker(path: str) -> None:
    """The worker process."""
    duties = Duties(lambda: WorkerStatus(0.0))
    await Worker().serve(server(Starlette(routes=[WebSocketRoute("/", sink)]), uds=path), duties)


async def gateway(port: int, own: bool) -> None:
    """The gateway process, which pipes, or is the worker itself."""
    command = [sys.executable, __file__, "worker"]
    host = LocalHost(lambda _, path: [*command, str(path)], count=1, rules=Placement(session_load=0.001))
    await host.start()

    async def piped(socket: WebSocket) -> None:
        await socket.accept()
        lease = await host.place(str(id(socket)), token_id=None)
        await pipe(socket, lease, goodbye=lambda: Goodbye(()))

    app = Starlette(routes=[WebSocketRoute("/", sink if own else piped)])
    await server(app, port=port).serve()
    await host.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def speak(socket: ClientConnection) -> None:
    """One client: a message every 20 ms, and the answer to the last."""
    due = asyncio.get_running_loop().time()
    for _ in range(SECONDS * 50):
        await socket.send(bytes(SIZE))
        due += 0.02
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
    await socket.send("all?")
    assert await socket.recv() == "all?"


async def measure(mode: str, port: int) -> float:
    """Microseconds of the gateway's CPU per client message."""
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "gateway", str(port), mode)
    sockets: list[ClientConnection] = []
    while len(sockets) < CLIENTS:
        try:
            sockets.append(await connect(f"ws://127.0.0.1:{port}/", compression=None))
        except OSError:
            await asyncio.sleep(0.1)
    before = cpu_seconds(process.pid)
    await asyncio.gather(*(speak(socket) for socket in sockets))
    spent = cpu_seconds(process.pid) - before
    await asyncio.gather(*(socket.close() for socket in sockets))
    process.terminate()
    await process.wait()
    return spent / (CLIENTS * SECONDS * 50) * 1e6


async def main() -> None:
    """Measure both and print them."""
    for mode, port in (("own", 18_471), ("piped", 18_472)):
        print(f"{mode:6} {await measure(mode, port):6.1f} us of gateway CPU per client message")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker", path]:
            uvloop.run(worker(path))
        case ["gateway", port, mode]:
            uvloop.run(gateway(int(port), mode == "own"))
        case _:
            uvloop.run(main())
