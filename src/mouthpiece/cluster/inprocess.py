"""The host for tests and small machines: the worker is this very process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence

from mouthpiece.cluster.base import Lease, WorkerInfo, WorkerStatus
from mouthpiece.cluster.book import Book, Placement
from mouthpiece.cluster.events import Announcer, Subscription

WORKER_ID = "here"
_LOOK_S = 0.25  # how often a drain looks for sessions that ended without being released


class InProcessHost:
    """Places every session here. ``measure`` says how loaded the stage is and who is on it."""

    def __init__(self, measure: Callable[[], WorkerStatus], rules: Placement | None = None) -> None:
        self._measure = measure
        self._book = Book(rules or Placement())
        self._announcer = Announcer()
        self._released = asyncio.Event()

    async def start(self) -> None:
        """Open the house."""
        self._book.up(WORKER_ID, None, os.getpid())
        self._look()

    async def place(
        self, session_id: str, *, token_id: str | None, waiting: bool = False, timeout: float = 2.0
    ) -> Lease:
        """Reserve a place. Raises NoCapacity, Draining. There is nothing to wait for, so ``timeout`` is not used."""
        return self._book.place(session_id, token_id, self._look(), waiting=waiting)

    def bind(self, session_id: str, token_id: str) -> str | None:
        """The token of a placed session came late. Raises NoCapacity."""
        return self._book.bind(session_id, token_id)

    def find(self, session_id: str) -> Lease | None:
        """Where a session lives."""
        return self._book.find(session_id)

    def runs(self, session_id: str) -> bool:
        """Whether the session is on stage."""
        self._look()
        return self._book.runs(session_id)

    async def release(self, session_id: str) -> None:
        """The session is over. Idempotent."""
        self._book.release(session_id)
        self._released.set()

    def workers(self) -> Sequence[WorkerInfo]:
        """This process, as measured now."""
        return self._book.infos(self._look())

    def events(self) -> Subscription:
        """Never any: a worker that is this process takes its gateway along."""
        return self._announcer.subscribe()

    async def drain(self, worker_id: str | None, deadline_s: float) -> int:
        """Place nothing new; wait for running sessions. Returns how many are left."""
        self._book.drain(worker_id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self._left(worker_id):
                    self._released.clear()
                    await self._nap()
        return self._left(worker_id)

    async def close(self) -> None:
        """End the events; the sessions are the stage's own."""
        self._book.drain(None)
        self._announcer.close()

    async def _nap(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await self._released.wait()

    def _look(self) -> float:
        self._book.report(WORKER_ID, self._measure())
        return asyncio.get_running_loop().time()

    def _left(self, worker_id: str | None) -> int:
        self._look()
        return self._book.left(worker_id)
