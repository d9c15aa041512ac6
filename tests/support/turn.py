"""A real coturn on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

SECRET = "north-north-west"


def turnserver() -> str | None:
    """The program, if this machine has it (Debian package coturn)."""
    return shutil.which("turnserver")


@contextlib.asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[int]:
    """Run coturn with ``use-auth-secret`` on 127.0.0.1; yields its port once it answers."""
    program = turnserver()
    assert program is not None
    port = _free_port()
    options = [
        "-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", "--use-auth-secret", "--realm=test",
        f"--static-auth-secret={SECRET}", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--log-file=stdout",
        f"--listening-port={port}", f"--pidfile={folder / 'pid'}", f"--userdb={folder / 'turndb'}",
    ]  # fmt: skip
    pipe = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *options, stdout=pipe, stderr=pipe, cwd=folder)
    try:
        await _answers(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    """Wait until the TCP port of the server takes connections; it opens it together with the UDP one."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
