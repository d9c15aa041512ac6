"""Who sits where: the bookkeeping that every host shares. Plain data; time is an argument."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from mouthpiece.cluster.base import Lease, WorkerInfo, WorkerStatus
from mouthpiece.errors import Draining, NoCapacity


@dataclass(frozen=True, slots=True)
class Placement:
    """How places are given.

    ``session_load``: frame budget of one core that a talking session uses; a difference between two workers that is
    smaller than this is noise. ``settle_s``: a new session shows fully in its worker's measured load after this many
    seconds; until then a shrinking share of ``session_load`` is added for it, so that a burst spreads. ``full_at``:
    no place is given on a worker whose load is above. ``max_sessions`` bounds all workers together.
    """

    session_load: float = 0.1
    settle_s: float = 3.0
    full_at: float = 1.0
    max_sessions: int | None = None
    retry_s: int = 5


@dataclass(slots=True)
class _Place:
    lease: Lease
    token_id: str | None
    since: float
    waiting: bool = False  # takes no slot until its token is known
    seen: bool = False  # the worker has reported it, so its absence later means that it is over


@dataclass(slots=True)
class _Worker:
    worker_id: str
    address: Path | None
    pid: int | None
    status: WorkerStatus | None = None
    draining: bool = False
    places: dict[str, _Place] = field(default_factory=dict)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def open(self) -> bool:
        return self.status is not None and self.status.accepting and not self.draining


class Book:
    """Workers, their places, and the choice among them."""

    def __init__(self, rules: Placement) -> None:
        self._rules = rules
        self._workers: dict[str, _Worker] = {}
        self._where: dict[str, _Worker] = {}
        self._tokens: dict[str, str] = {}
        self._draining = False

    # --- workers ---------------------------------------------------------------------------------------------------
    def up(self, worker_id: str, address: Path | None, pid: int | None) -> None:
        """A worker process begins; it gets no session before its first report."""
        self._workers[worker_id] = _Worker(worker_id, address, pid)

    def report(self, worker_id: str, status: WorkerStatus) -> None:
        """What a worker says of itself. A session that it reported before and no longer does is over."""
        worker = self._workers[worker_id]
        worker.status = status
        for session_id, place in list(worker.places.items()):
            if session_id in status.sessions:
                place.seen = True
            elif place.seen:
                self.release(session_id)

    def lose(self, worker_id: str) -> tuple[str, ...]:
        """The worker is gone, and with it these sessions."""
        worker = self._workers[worker_id]
        worker.lost.set()
        lost = tuple(worker.places)
        for session_id in lost:
            self.release(session_id)
        self._workers[worker_id] = _Worker(worker_id, None, None)
        return lost

    def drain(self, worker_id: str | None) -> None:
        """Give no more places on this worker (None: on any)."""
        if worker_id is None:
            self._draining = True
        else:
            self._workers[worker_id].draining = True

    def left(self, worker_id: str | None) -> int:
        """Sessions placed or reported on this worker (None: on all)."""
        chosen = self._workers.values() if worker_id is None else (self._workers[worker_id],)
        return sum(len(w.places.keys() | (w.status.sessions if w.status else frozenset())) for w in chosen)

    def restarting(self) -> bool:
        """No worker has reported yet: waiting may help, where a full house needs somebody to leave."""
        return not any(worker.status for worker in self._workers.values())

    def infos(self, now: float) -> tuple[WorkerInfo, ...]:
        """Every worker, as last measured."""
        return tuple(
            WorkerInfo(
                worker_id=w.worker_id,
                sessions=len(w.places),
                load=w.status.load if w.status else 0.0,
                ready=self._takes(w, now),
                pid=w.pid,
                address=w.address,
            )
            for w in self._workers.values()
        )

    # --- sessions --------------------------------------------------------------------------------------------------
    def place(self, session_id: str, token_id: str | None, now: float, *, waiting: bool = False) -> Lease:
        """Reserve a place for a session at time ``now`` (seconds, any origin). ``waiting``: it takes no slot before its
        token is known.

        A token whose session runs goes to that worker and takes its place, also when the worker is full; only a
        draining worker is not given it back. Raises NoCapacity, Draining.
        """
        if known := self.find(session_id):
            return known
        if self._draining:
            raise Draining(retry_s=self._rules.retry_s)
        waiting = waiting and token_id is None
        worker = self._takeover(token_id) or self._choose(now, waiting=waiting)
        lease = Lease(session_id, worker.worker_id, worker.address, worker.lost)
        worker.places[session_id] = _Place(lease, None, now, waiting)
        self._where[session_id] = worker
        if token_id is not None:
            self.bind(session_id, token_id)
        return lease

    def bind(self, session_id: str, token_id: str) -> str | None:
        """Note the token of a placed session. Returns the id of the session whose place it takes, if there is one.

        Raises NoCapacity for one that waited, when every slot is taken.
        """
        worker = self._where.get(session_id)
        if worker is None:
            return None
        older = self._tokens.get(token_id)
        if older == session_id:
            return None
        if worker.places[session_id].waiting and older is None and not self._room():
            raise NoCapacity(retry_s=self._rules.retry_s)
        self._forget_token(session_id, worker)
        if older is not None and self._where[older] is worker:
            self.release(older)  # one slot is counted: the worker ends the older one itself
        worker.places[session_id].token_id = token_id
        worker.places[session_id].waiting = False
        self._tokens[token_id] = session_id
        return older

    def find(self, session_id: str) -> Lease | None:
        """The lease of a session, None when it has none."""
        worker = self._where.get(session_id)
        return worker.places[session_id].lease if worker else None

    def runs(self, session_id: str) -> bool:
        """Whether the session has a place, and its worker has reported it."""
        worker = self._where.get(session_id)
        return worker is not None and worker.places[session_id].seen

    def release(self, session_id: str) -> None:
        """Give the place back. Idempotent."""
        worker = self._where.pop(session_id, None)
        if worker is None:
            return
        self._forget_token(session_id, worker)
        del worker.places[session_id]

    def _forget_token(self, session_id: str, worker: _Worker) -> None:
        token_id = worker.places[session_id].token_id
        if token_id is not None and self._tokens.get(token_id) == session_id:
            del self._tokens[token_id]

    def _takeover(self, token_id: str | None) -> _Worker | None:
        older = self._tokens.get(token_id) if token_id is not None else None
        worker = self._where[older] if older is not None else None
        return worker if worker and not worker.draining else None

    def _choose(self, now: float, *, waiting: bool) -> _Worker:
        candidates = [worker for worker in self._workers.values() if self._takes(worker, now, waiting=waiting)]
        if not candidates:
            raise NoCapacity(retry_s=self._rules.retry_s)
        return min(candidates, key=lambda worker: self._rank(worker, now))

    def _takes(self, worker: _Worker, now: float, *, waiting: bool = False) -> bool:
        room = waiting or self._room()
        return room and not self._draining and worker.open and self._expected(worker, now) < self._rules.full_at

    def _room(self) -> bool:
        """Whether a slot is free. Places that wait for their token have none."""
        limit = self._rules.max_sessions
        return limit is None or limit > sum(
            not place.waiting for worker in self._workers.values() for place in worker.places.values()
        )

    def _expected(self, worker: _Worker, now: float) -> float:
        """Measured load, and what the newest sessions will add to it."""
        assert worker.status is not None
        fresh = sum(max(0.0, 1.0 - (now - place.since) / self._rules.settle_s) for place in worker.places.values())
        return worker.status.load + fresh * self._rules.session_load

    def _rank(self, worker: _Worker, now: float) -> tuple[int, int, float]:
        expected = self._expected(worker, now)
        return int(expected / self._rules.session_load), len(worker.places), expected
