"""Where sessions live: one interface, several hosts (in process, child processes, and later Ray actors).

The gateway places a session and gets a lease. Signaling handling, engine, face, encoder and peer connection of a
session share the worker's process; the gateway only pipes the socket there when the worker is not itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

SESSION_HEADER = "x-mouthpiece-session"
"""Request header that carries the session id from the gateway to its worker. A client's own is never passed on."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A place for one session. ``address`` is the worker's Unix socket; None: this very process.

    ``lost`` is set when the host learns that the worker is gone, which can be before its socket closes.
    """

    session_id: str
    worker_id: str
    address: Path | None
    lost: asyncio.Event = field(default_factory=asyncio.Event, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker says about itself.

    ``load`` is the fraction of its frame budget in use, 0..1 and above; ``sessions`` the ids of the sessions on its
    stage; ``accepting`` is False while it would refuse a new one.
    """

    load: float
    sessions: frozenset[str] = frozenset()
    accepting: bool = True


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker as the host sees it; ``load`` is the fraction of its frame budget in use, 0..1 and above.

    ``sessions`` counts the places given there and not yet released. ``ready``: it may be given another. ``pid`` is
    None while no process runs. ``address`` is its Unix socket; None: this very process, or none runs.
    """

    worker_id: str
    sessions: int
    load: float
    ready: bool
    pid: int | None = None
    address: Path | None = None


Claim = Callable[[str, str], Awaitable[float | None]]
"""In a worker: (session id, token id) of a session that was placed before its token was known.

Answers the seconds of the token's running session that were played elsewhere, which is over then; 0 where none ran;
None: there is no room for one more session.
"""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker died, with these sessions."""

    worker_id: str
    session_ids: tuple[str, ...]


class SessionHost(Protocol):
    """Places sessions on workers."""

    async def start(self) -> None:
        """Bring the workers up; returns when all are ready. Raises StartupError."""

    async def place(
        self, session_id: str, *, token_id: str | None, waiting: bool = False, timeout: float = 2.0
    ) -> Lease:
        """Reserve a place. A token whose session is running is placed on the same worker (it takes over there).

        ``token_id`` None: it is not known yet; tell it by ``bind``. ``waiting``: the session begins when that is
        told, and takes no slot before. ``timeout`` is how long to wait, in seconds, for a worker that is being
        restarted. Asking again for the same session answers the same lease.

        Raises NoCapacity, Draining.
        """
        ...

    def bind(self, session_id: str, token_id: str) -> str | None:
        """The token of a placed session came late. Returns the id of the session that it supersedes, if one runs.

        Raises NoCapacity for a waiting session when every slot is taken.
        """
        ...

    def find(self, session_id: str) -> Lease | None:
        """Where a session lives: for requests that name it and bring no socket. None: it is over, or was never."""
        ...

    def runs(self, session_id: str) -> bool:
        """Whether its worker has told that the session is on stage. Then its place comes free by itself."""
        ...

    async def release(self, session_id: str) -> None:
        """The session is over. Idempotent."""

    def workers(self) -> Sequence[WorkerInfo]:
        """Every worker, as last measured."""
        ...

    def events(self) -> AsyncIterator[WorkerLost]:
        """Losses from this call on, as they happen; ends when the host is closed."""
        ...

    async def drain(self, worker_id: str | None, deadline_s: float) -> int:
        """Place nothing new there (None: anywhere), wait for running sessions; returns how many are left."""
        ...

    async def close(self) -> None:
        """End the workers. Idempotent."""
