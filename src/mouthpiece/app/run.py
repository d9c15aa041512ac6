"""A server from bound sockets to the ready line, through signals, to a clean end; and a worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mouthpiece.app import net
from mouthpiece.app.house import Gateway, MediaWorker, open_gateway, open_worker
from mouthpiece.app.media import status
from mouthpiece.app.page import note_address, with_code
from mouthpiece.app.server import ANYBODY, GOODBYE_S, QuietServer, http_server, loop_factory
from mouthpiece.cluster.worker import Duties, Worker
from mouthpiece.errors import StartupError
from mouthpiece.settings import Settings
from mouthpiece.store.secrets import KEY_FILE

log = logging.getLogger(__name__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


# --- the gateway ---------------------------------------------------------------------------------------------------
def run_gateway(settings: Settings, sockets: list[socket.socket], tls: net.Certificate | None) -> None:
    """Serve on bound sockets until a signal. Raises StartupError."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_gateway(settings, sockets, tls))


async def _gateway(settings: Settings, sockets: list[socket.socket], tls: net.Certificate | None) -> None:
    stopping = Stopping()
    stopping.listen()
    async with open_gateway(settings) as gateway:
        server = _https_server(gateway, settings, tls)
        server.sockets = sockets
        net.listen(sockets)
        serving = asyncio.create_task(server.serve())
        await _first(server.listening.wait(), serving)
        gateway.state.started = True
        if not stopping.asked.is_set():
            _say_ready(gateway, settings, sockets)
        await _first(stopping.asked.wait(), serving)
        await _end(gateway, server, stopping, settings.server.drain_s)
        await serving


def _https_server(gateway: Gateway, settings: Settings, tls: net.Certificate | None) -> QuietServer:
    try:
        server = http_server(gateway.app, settings, settings.server.trusted_proxy, tls)
        server.config.load()
    except (ssl.SSLError, OSError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        reason = f"{tls.cert if tls else ''} and {tls.key if tls else ''} cannot be used ({why})"
        remedy = "give a certificate chain with --tls-cert and its own private key with --tls-key, both in PEM"
        raise StartupError(reason=reason, remedy=remedy) from None
    return server


async def _first(event: object, serving: asyncio.Task[None]) -> None:
    """Wait for an event, or until the server ends by itself, which is an error."""
    waiting = asyncio.ensure_future(event)  # type: ignore[call-overload]
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if serving.done():
        await serving
        raise RuntimeError("the HTTP server ended by itself")


class Stopping:
    """Signals, counted: the first one drains, the second one means now."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.now = asyncio.Event()

    def hear(self) -> None:
        """One more signal."""
        (self.now if self.asked.is_set() else self.asked).set()

    def listen(self) -> None:
        """Hear SIGTERM and Ctrl-C from now on."""
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self.hear)


async def _end(gateway: Gateway, server: QuietServer, stopping: Stopping, drain_s: float) -> None:
    """Drain, say goodbye, close."""
    log.info("shutting down: running sessions may go on for %g s; signal again to end them now", drain_s)
    draining = asyncio.create_task(gateway.drain(drain_s))
    hurry = asyncio.create_task(stopping.now.wait())
    await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
    draining.cancel()
    hurry.cancel()
    await asyncio.gather(draining, hurry, return_exceptions=True)
    await gateway.end_sessions()
    await server.conversations_over(GOODBYE_S)
    server.should_exit = True


def _say_ready(gateway: Gateway, settings: Settings, sockets: Sequence[socket.socket]) -> None:
    """The lines on standard output; scripts read the last of them."""
    if gateway.first_key is not None:
        _say(f"your API key, also kept in {settings.server.data / KEY_FILE}: {gateway.first_key}")
    url = net.shown_url(settings.server, int(sockets[0].getsockname()[1]))
    note_address(settings.server.data.expanduser(), url)
    _say(f"mouthpiece is ready: {with_code(url, gateway.access)}  (stop with Ctrl-C)")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


# --- a worker ------------------------------------------------------------------------------------------------------
def run_worker(settings: Settings, worker_id: str, address: Path) -> None:
    """Serve as a media worker of the gateway that started this process. Raises StartupError."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_work(settings, worker_id, address))


async def _work(settings: Settings, worker_id: str, address: Path) -> None:
    worker = Worker()
    async with open_worker(settings, worker_id, worker.claim) as media:
        with contextlib.closing(net.listen_unix(address)) as sock:
            server = http_server(media.app, settings, ANYBODY, None)
            server.sockets = [sock]
            await worker.serve(server, _duties(media, server))


def _duties(media: MediaWorker, server: QuietServer) -> Duties:
    async def stop() -> None:
        await media.stage.close()
        await server.conversations_over(GOODBYE_S)

    return Duties(lambda: status(media.stage), lambda _: media.stage.drain(), stop, media.stage.give_way)
