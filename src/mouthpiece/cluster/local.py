"""The host for many cores: child processes, each serving the whole app on a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mouthpiece.cluster.base import Lease, WorkerInfo, WorkerLost, WorkerStatus
from mouthpiece.cluster.book import Book, Placement
from mouthpiece.cluster.child import Child
from mouthpiece.cluster.control import Claimed, Drain, Granted, Message, Stop, Yield, Yielded
from mouthpiece.cluster.events import Announcer, Subscription
from mouthpiece.errors import NoCapacity, StartupError

log = logging.getLogger(__name__)

_REAP_S = 1.0  # how long the process of a closed control channel may take to end by itself

Command = Callable[[str, Path], Sequence[str]]
"""(worker id, path of the socket to serve on) -> program and arguments."""


@dataclass(frozen=True, slots=True)
class Supervision:
    """When a worker counts as lost, and when its successor comes. Seconds.

    A worker reports every ``beat_s``, and a change at once; one that has missed ``misses`` reports is hung and
    killed. The first restart waits ``backoff_s``, each further one twice as long up to ``max_backoff_s``; one that
    lived ``healthy_s`` begins anew. ``stop_s`` is how long a worker may take to say goodbye to its sessions when the
    host closes.
    """

    beat_s: float = 1.0
    misses: int = 3
    start_timeout_s: float = 60.0
    backoff_s: float = 0.1
    max_backoff_s: float = 10.0
    healthy_s: float = 30.0
    stop_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Heir:
    """A session that begins when another one, on the worker of ``worker_id``, has made way."""

    session_id: str
    child: Child
    worker_id: str = ""


class LocalHost:
    """``count`` workers, started with ``command``, and ``env`` added to our environment.

    Worker ids are ``w0`` and up and stay with the place in the row; a successor serves on a new socket, so nothing
    that was meant for the dead reaches it.
    """

    def __init__(
        self,
        command: Command,
        *,
        count: int,
        rules: Placement | None = None,
        supervision: Supervision | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command
        self._ids = tuple(f"w{number}" for number in range(count))
        self._rules = rules or Placement()
        self._care = supervision or Supervision()
        self._env = env or {}
        self._book = Book(self._rules)
        self._announcer = Announcer()
        self._children: dict[str, Child] = {}
        self._heirs: dict[str, _Heir] = {}  # by the session that makes way
        self._keepers: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._leaving = asyncio.Event()  # no successors any more
        self._folder: Path | None = None

    # --- life of the workers ---------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Start the workers; returns when all are ready. Raises StartupError when one is not."""
        self._folder = Path(tempfile.mkdtemp(prefix="mouthpiece-"))  # short: a socket's path has 107 bytes at most
        loop = asyncio.get_running_loop()
        ready = [loop.create_future() for _ in self._ids]
        self._keepers = [
            asyncio.create_task(self._keep(worker_id, first), name=f"keep {worker_id}")
            for worker_id, first in zip(self._ids, ready, strict=True)
        ]
        try:
            for trouble in await asyncio.gather(*ready):
                if trouble:
                    raise StartupError(reason=f"a media worker did not start: {trouble}", remedy="see its log above")
        except BaseException:
            await self.close()
            raise

    async def _keep(self, worker_id: str, first: asyncio.Future[str]) -> None:
        """Keep one place in the row filled. ``first`` is told how the first start went: "" is well."""
        loop = asyncio.get_running_loop()
        failures = 0
        for generation in itertools.count():
            began = loop.time()
            why = await self._live(worker_id, generation, first)
            if not first.done():
                first.set_result(why)
            if self._leaving.is_set():
                return
            failures = 1 if loop.time() - began >= self._care.healthy_s else failures + 1
            pause = min(self._care.max_backoff_s, self._care.backoff_s * 2 ** min(failures - 1, 16))
            log.warning("media worker %s %s; another one starts in %.1f s", worker_id, why, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._leaving.wait()

    async def _live(self, worker_id: str, generation: int, first: asyncio.Future[str]) -> str:
        """One worker's life. Returns how it ended."""
        assert self._folder is not None
        address = self._folder / f"{worker_id}.{generation}.sock"
        try:
            child = await Child.spawn(self._command(worker_id, address), self._env, self._care.beat_s)
        except OSError as error:
            return f"cannot be started ({error})"
        self._book.up(worker_id, address, child.pid)
        self._children[worker_id] = child
        try:
            why = await self._attend(worker_id, child, first)
        finally:
            self._bury(worker_id)
        status = await child.ended(_REAP_S)
        address.unlink(missing_ok=True)
        return f"{why} (exit status {status})"

    async def _attend(self, worker_id: str, child: Child, first: asyncio.Future[str]) -> str:
        """Listen to a worker until it is gone. Returns why it is."""
        reports = child.reports()
        try:
            async with asyncio.timeout(self._care.start_timeout_s):
                self._hear(worker_id, child, await anext(reports))
        except StopAsyncIteration:
            return "ended before it was ready"
        except ValueError as error:
            child.kill()
            return f"does not speak our language: {error}"
        except TimeoutError:
            child.kill()
            return f"was not ready within {self._care.start_timeout_s:g} s"
        if not first.done():
            first.set_result("")
        reading = asyncio.create_task(self._listen(worker_id, child, reports))
        dying = asyncio.create_task(child.dying())
        silence = asyncio.create_task(child.silence(self._care.misses))
        watches = (reading, dying, silence)
        try:
            await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() or dying.done():
                return "died"
            child.kill()
            return f"missed {self._care.misses} reports"
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _listen(self, worker_id: str, child: Child, reports: AsyncIterator[Message]) -> None:
        async for message in reports:
            self._hear(worker_id, child, message)

    def _hear(self, worker_id: str, child: Child, message: Message) -> None:
        match message:
            case WorkerStatus():
                self._book.report(worker_id, message)
                self._changed.set()
            case Claimed(session_id, token_id):
                self._claim(_Heir(session_id, child), token_id)
            case Yielded(session_id, used_s):
                self._grant(session_id, used_s)
            case _:
                raise ValueError(f"only a gateway says {message}")

    def _claim(self, heir: _Heir, token_id: str) -> None:
        """A session that waited shows its token; the one that runs with it elsewhere has to end first."""
        try:
            older = self._book.bind(heir.session_id, token_id)
        except NoCapacity:
            heir.child.send(Granted(heir.session_id, None))
            return
        lease = self._book.find(older) if older is not None else None
        if lease is None:  # none runs, or on the same worker, which sees to it
            heir.child.send(Granted(heir.session_id, 0.0))
            return
        self._book.release(lease.session_id)  # one slot is counted
        self._heirs[lease.session_id] = replace(heir, worker_id=lease.worker_id)
        self._children[lease.worker_id].send(Yield(lease.session_id))

    def _grant(self, older: str, used_s: float) -> None:
        """A session has made way."""
        if heir := self._heirs.pop(older, None):
            heir.child.send(Granted(heir.session_id, used_s))

    def _bury(self, worker_id: str) -> None:
        del self._children[worker_id]
        lost = self._book.lose(worker_id)
        for older in [older for older, heir in self._heirs.items() if heir.worker_id == worker_id]:
            self._grant(older, 0.0)
        self._changed.set()
        if not self._leaving.is_set() or lost:
            self._announcer.tell(WorkerLost(worker_id, lost))

    async def drain(self, worker_id: str | None, deadline_s: float) -> int:
        """Place nothing new on this worker (None: on any) and tell it; wait for its sessions; how many are left."""
        self._book.drain(worker_id)
        if worker_id is None:
            self._leaving.set()
        for one, child in self._children.items():
            if worker_id in (None, one):
                child.send(Drain(deadline_s))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self._book.left(worker_id):
                    await self._change()
        return self._book.left(worker_id)

    async def close(self) -> None:
        """Let the workers say goodbye to their sessions, and end them. Idempotent."""
        self._book.drain(None)
        self._leaving.set()
        for child in self._children.values():
            child.send(Stop())
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=self._care.stop_s)
            for child in self._children.values():
                child.kill()
            await asyncio.gather(*late)
        self._announcer.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    # --- sessions --------------------------------------------------------------------------------------------------
    async def place(
        self, session_id: str, *, token_id: str | None, waiting: bool = False, timeout: float = 2.0
    ) -> Lease:
        """Reserve a place; waits up to ``timeout`` only while every worker is being restarted.

        Raises NoCapacity, Draining.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        return self._book.place(session_id, token_id, loop.time(), waiting=waiting)
                    except NoCapacity:
                        if not self._book.restarting():
                            raise
                    await self._change()
        except TimeoutError:
            raise NoCapacity(retry_s=self._rules.retry_s) from None

    def bind(self, session_id: str, token_id: str) -> str | None:
        """The token of a placed session came late. Raises NoCapacity."""
        return self._book.bind(session_id, token_id)

    def find(self, session_id: str) -> Lease | None:
        """Where a session lives."""
        return self._book.find(session_id)

    def runs(self, session_id: str) -> bool:
        """Whether the session is on stage."""
        return self._book.runs(session_id)

    async def release(self, session_id: str) -> None:
        """The session is over. Idempotent."""
        self._book.release(session_id)
        self._changed.set()

    def workers(self) -> Sequence[WorkerInfo]:
        """Every worker, as last reported."""
        return self._book.infos(asyncio.get_running_loop().time())

    def events(self) -> Subscription:
        """Losses from this call on, as they happen."""
        return self._announcer.subscribe()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
