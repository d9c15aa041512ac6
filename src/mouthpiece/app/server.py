"""The HTTP server that both a gateway and its workers run."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

from mouthpiece.app.http import wrapped
from mouthpiece.app.net import Certificate
from mouthpiece.settings import Settings

GOODBYE_S: Final = 2.0
"""How long clients may take to hear the last words."""

PING_S: Final = 20.0
"""Between WebSocket pings: below the idle limits of common proxies, and what the clients themselves use."""

MESSAGE_OVERHEAD: Final = 1_024
"""Bytes of a message that are not sound: ``PLAY_IMMEDIATE``."""

ANYBODY: Final = ("*",)
"""A worker's only client is its gateway, which tells it the client's address."""

BIG_BODIES: Final = ("/static/audio", "/audioToVideo", "/faces/", "/generateFaceID", "/assets/", "/studio/drafts")
"""Routes that take sound or pictures."""


class QuietServer(uvicorn.Server):
    """uvicorn's server, with signals left to us and an event for the moment it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.sockets: list[socket.socket] = []
        """Bound already, by whoever can say what to do when that fails."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on ``sockets`` until told to exit."""
        await super().serve(sockets or self.sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def conversations_over(self, seconds: float) -> None:
        """Wait until every request and socket has been served, but not longer."""
        tasks = set(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)


def http_server(app: FastAPI, settings: Settings, trusted: tuple[str, ...], tls: Certificate | None) -> QuietServer:
    """A server for this application; it logs through us only."""
    config = uvicorn.Config(
        wrapped(app, dict.fromkeys(BIG_BODIES, settings.render.max_body_bytes)),
        ws="websockets-sansio",
        ws_max_size=settings.limits.message_bytes + MESSAGE_OVERHEAD,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted),
        forwarded_allow_ips=list(trusted),
        timeout_graceful_shutdown=round(GOODBYE_S),
        ssl_certfile=tls.cert if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    return QuietServer(config)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
