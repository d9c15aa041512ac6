"""The worker's side: it says how it is, hears when to drain and to stop, and does not outlive its gateway."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mouthpiece.cluster.base import WorkerStatus
from mouthpiece.cluster.control import MAX_LINE, VARIABLE, Drain, Stop, decode, encode
from mouthpiece.errors import StartupError

log = logging.getLogger(__name__)

_LOOK_S = 0.25  # how often a change is looked for that nobody announced
_LOAD_STEP = 0.05  # a change of load that is worth telling before the next beat
_UNREAD = 64 * 1024  # bytes that the gateway may leave unread before we say nothing more
_LINGER_S = 3.0  # a server that ignores the end of its gateway is ended after this
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Server(Protocol):
    """The part of ``uvicorn.Server`` that is used here."""

    started: bool
    should_exit: bool
    force_exit: bool

    async def serve(self) -> None:
        """Serve until ``should_exit``."""


async def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Duties:
    """What the app does for its worker.

    ``measure``: load, sessions, and whether it would take another. ``drain``: refuse new sessions; those that run
    may go on for so many seconds. ``stop``: end every session in its protocol's words; the server ends after it.
    """

    measure: Callable[[], WorkerStatus]
    drain: Callable[[float], None] = lambda _: None
    stop: Callable[[], Awaitable[None]] = _nothing


class Worker:
    """Runs a server as a worker of the gateway that started this process.

    Raises StartupError when no gateway did.
    """

    def __init__(self, duties: Duties) -> None:
        self._duties = duties
        self._control, self._beat_s = _inherited()
        self._look_s = min(_LOOK_S, self._beat_s / 4)
        self._news = asyncio.Event()

    def changed(self) -> None:
        """A session began or ended, or the load jumped: report at once."""
        self._news.set()

    async def serve(self, server: Server) -> None:
        """Serve until the gateway says stop, or is gone. The gateway hears of us when the server listens."""
        _die_with_parent()
        reader, writer = await asyncio.open_unix_connection(sock=self._control, limit=MAX_LINE)
        chores = (
            asyncio.create_task(self._report(server, writer)),
            asyncio.create_task(self._obey(server, reader)),
        )
        for chore in chores:
            chore.add_done_callback(lambda done: _end_with(done, server))
        try:
            await server.serve()
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _report(self, server: Server, writer: asyncio.StreamWriter) -> None:
        while not server.started:  # noqa: ASYNC110 - it has no event for this
            await asyncio.sleep(0.01)
        _leave_signals_to_the_gateway()
        loop = asyncio.get_running_loop()
        told, told_at = None, 0.0
        while True:
            status = self._duties.measure()
            due = loop.time() - told_at >= self._beat_s - self._look_s / 2
            if (due or _worth_telling(told, status)) and writer.transport.get_write_buffer_size() < _UNREAD:
                writer.write(encode(status))
                told, told_at = status, loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):  # wait_for may swallow our cancellation in Python 3.11
                    await self._news.wait()
            self._news.clear()

    async def _obey(self, server: Server, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                match decode(line):
                    case Drain(deadline_s):
                        self._duties.drain(deadline_s)
                        self.changed()
                    case Stop():
                        await self._duties.stop()
                        server.should_exit = True
                        await asyncio.Event().wait()  # ours ends with the server
                    case WorkerStatus():
                        log.warning("the gateway sent a worker's message: not for us")
        log.error("the gateway is gone: this media worker ends")
        server.should_exit = server.force_exit = True
        asyncio.get_running_loop().call_later(_LINGER_S, os._exit, 1)


def _end_with(chore: asyncio.Task[None], server: Server) -> None:
    """A worker that can no longer report or obey is no use: end it, so that the gateway starts another."""
    if chore.cancelled() or (trouble := chore.exception()) is None:
        return
    log.error("the media worker ends: it cannot talk to its gateway", exc_info=trouble)
    server.should_exit = server.force_exit = True


def _worth_telling(told: WorkerStatus | None, status: WorkerStatus) -> bool:
    return (
        told is None
        or told.sessions != status.sessions
        or told.accepting != status.accepting
        or abs(told.load - status.load) >= _LOAD_STEP
    )


def _inherited() -> tuple[socket.socket, float]:
    """Our end of the control channel, kept from the processes that we start, and the seconds between reports."""
    number, _, beat_s = os.environ.pop(VARIABLE, "").partition(":")
    if not beat_s:
        raise StartupError(reason="a media worker is started by its server", remedy="run mouthpiece serve --workers N")
    control = socket.socket(fileno=int(number))
    control.set_inheritable(False)
    return control, float(beat_s)


def _die_with_parent() -> None:
    """Ask Linux to kill us when the gateway dies, even if we hang then; elsewhere the channel's end must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _leave_signals_to_the_gateway() -> None:
    """A supervisor signals every process of the service; the gateway drains first and then tells us to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
