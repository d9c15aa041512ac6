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
from mouthpiece.cluster.control import (
    MAX_LINE,
    VARIABLE,
    Claimed,
    Drain,
    Granted,
    Message,
    Stop,
    Yield,
    Yielded,
    decode,
    encode,
)
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


async def _nobody(_: str) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Duties:
    """What the app does for its worker.

    ``measure``: load, sessions, and whether it would take another. ``drain``: refuse new sessions; those that run
    may go on for so many seconds. ``stop``: end every session in its protocol's words; the server ends after it.
    ``give_way``: end one session, whose token is used elsewhere; the seconds of it that were played.
    """

    measure: Callable[[], WorkerStatus]
    drain: Callable[[float], None] = lambda _: None
    stop: Callable[[], Awaitable[None]] = _nothing
    give_way: Callable[[str], Awaitable[float]] = _nobody


class Worker:
    """Runs a server as a worker of the gateway that started this process.

    Raises StartupError when no gateway did.
    """

    def __init__(self) -> None:
        self._control, self._beat_s = _inherited()
        self._look_s = min(_LOOK_S, self._beat_s / 4)
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._claims: dict[str, asyncio.Future[float | None]] = {}

    def changed(self) -> None:
        """A session began or ended, or the load jumped: report at once."""
        self._news.set()

    async def claim(self, session_id: str, token_id: str) -> float | None:
        """See ``cluster.base.Claim``. While we serve, not before."""
        granted: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self._claims[session_id] = granted
        try:
            self._say(Claimed(session_id, token_id))
            return await granted
        finally:
            del self._claims[session_id]

    def _say(self, message: Message) -> None:
        assert self._writer is not None, "it serves"
        self._writer.write(encode(message))

    async def serve(self, server: Server, duties: Duties) -> None:
        """Serve until the gateway says stop, or is gone. The gateway hears of us when the server listens."""
        _die_with_parent()
        reader, writer = await asyncio.open_unix_connection(sock=self._control, limit=MAX_LINE)
        self._writer = writer
        chores = (
            asyncio.create_task(self._report(server, duties)),
            asyncio.create_task(self._obey(server, duties, reader)),
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

    async def _report(self, server: Server, duties: Duties) -> None:
        while not server.started:  # noqa: ASYNC110 - it has no event for this
            await asyncio.sleep(0.01)
        _leave_signals_to_the_gateway()
        loop = asyncio.get_running_loop()
        told, told_at = None, 0.0
        while True:
            status = duties.measure()
            due = loop.time() - told_at >= self._beat_s - self._look_s / 2
            if (due or _worth_telling(told, status)) and self._read():
                self._say(status)
                told, told_at = status, loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):  # wait_for may swallow our cancellation in Python 3.11
                    await self._news.wait()
            self._news.clear()

    def _read(self) -> bool:
        """Whether the gateway reads what we say."""
        return self._writer is not None and self._writer.transport.get_write_buffer_size() < _UNREAD

    async def _obey(self, server: Server, duties: Duties, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                match decode(line):
                    case Drain(deadline_s):
                        duties.drain(deadline_s)
                        self.changed()
                    case Stop():
                        await duties.stop()
                        server.should_exit = True
                        await asyncio.Event().wait()  # ours ends with the server
                    case Granted(session_id, used_s):
                        self._granted(session_id, used_s)
                    case Yield(session_id):
                        self._say(Yielded(session_id, await duties.give_way(session_id)))
                    case _:
                        log.warning("the gateway sent a worker's message: not for us")
        log.error("the gateway is gone: this media worker ends")
        server.should_exit = server.force_exit = True
        asyncio.get_running_loop().call_later(_LINGER_S, os._exit, 1)

    def _granted(self, session_id: str, used_s: float | None) -> None:
        granted = self._claims.get(session_id)
        if granted is not None and not granted.done():
            granted.set_result(used_s)


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
