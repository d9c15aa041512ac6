"""Sessions that run and sessions that were.

A running session is a leased row: its worker renews all its leases in one write, so the sessions of a worker that
crashed stop counting by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, update

from mouthpiece.store.db import Database
from mouthpiece.store.tables import accounts, sessions

WORKER_LOST = "worker_lost"  # the end reason of a session whose lease ran out


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as history keeps it. Times in unix seconds; ``ended`` None: it is running.

    ``token_id`` is the session token's ``jti``; ``end_user`` the caller's own name for whom the session is for;
    ``call`` what the caller told of the call that it belongs to, as JSON.
    """

    id: str
    account: str
    token_id: str
    face_id: str
    kind: str
    end_user: str | None = None
    api_key_name: str | None = None
    started: float = 0.0
    ended: float | None = None
    end_reason: str | None = None
    frames: int = 0
    call: str | None = None


_COLUMNS = [sessions.c[each.name] for each in fields(SessionRecord)]
_GIVEN = ("id", "account", "token_id", "face_id", "kind", "end_user", "api_key_name", "call")


class History:
    """The sessions of one database. ``clock`` gives unix seconds; ``lease_s`` is how long a lease lasts."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time, lease_s: float = 15.0) -> None:
        self._database = database
        self._clock = clock
        self.lease_s = lease_s

    async def begin(self, session: SessionRecord, worker: str, *, limit: int | None = None) -> bool:
        """Record that a session starts now on ``worker`` (a name that no other process, past or present, has).

        False: the account has ``limit`` running sessions on other tokens (one with the same token is about to be
        taken over), and nothing was recorded. Exact even when many processes ask at once.
        """
        now = self._clock()
        row = {name: getattr(session, name) for name in _GIVEN}
        row |= {"started": now, "frames": 0, "worker": worker, "lease_until": now + self.lease_s}
        mine = and_(self._running(now), sessions.c.account == session.account, sessions.c.token_id != session.token_id)
        async with self._database.write() as connection:
            if limit is not None:
                await connection.execute(
                    select(accounts.c.id).where(accounts.c.id == session.account).with_for_update()
                )
                if (await connection.execute(_count(mine))).scalar_one() >= limit:
                    return False
            await connection.execute(sessions.insert(), row)
        return True

    async def renew(self, worker: str, frames: Mapping[str, int]) -> None:
        """Renew the leases of the worker's sessions: session id -> number of its last picture. One write for all.

        A session that was given up while its worker could not write (a stopped process, a database away) runs on.
        """
        if not frames:
            return
        until = self._clock() + self.lease_s
        rows = [{"session": each, "count": count, "until": until, "by": worker} for each, count in frames.items()]
        async with self._database.write() as connection:
            await connection.execute(_RENEW, rows)

    async def end(self, session_id: str, reason: str, frames: int) -> None:
        """The session is over. Only the first call counts."""
        await self.end_many({session_id: (reason, frames)})

    async def end_many(self, endings: Mapping[str, tuple[str, int]]) -> None:
        """Several sessions are over: session id -> reason, number of the last picture. One write for all."""
        if not endings:
            return
        now = self._clock()
        rows = [{"session": each, "at": now, "why": why, "count": count} for each, (why, count) in endings.items()]
        async with self._database.write() as connection:
            await connection.execute(_END, rows)

    async def between(
        self, account: str, start: float, end: float, *, offset: int = 0, limit: int = 1000
    ) -> list[SessionRecord]:
        """The account's sessions that started in ``start`` <= t < ``end``, newest first."""
        table = sessions.c
        query = select(*_COLUMNS).where(table.account == account, table.started >= start, table.started < end)
        query = query.order_by(table.started.desc(), table.id).offset(offset).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [SessionRecord(*row) for row in rows]

    async def active(self, account: str | None = None) -> int:
        """Sessions that run now, of one account or in all, on every worker of this database."""
        running = self._running(self._clock())
        condition = running if account is None else and_(running, sessions.c.account == account)
        async with self._database.read() as connection:
            return (await connection.execute(_count(condition))).scalar_one()

    async def worker_lost(self, worker: str) -> int:
        """A worker died: end its sessions now. Returns how many there were."""
        return await self._give_up(sessions.c.worker == worker, self._clock())

    async def expire(self) -> int:
        """End the sessions whose lease ran out, at the time it did. Returns how many there were."""
        return await self._give_up(sessions.c.lease_until <= self._clock(), sessions.c.lease_until)

    async def _give_up(self, condition: ColumnElement[bool], at: float | ColumnElement[float]) -> int:
        statement = update(sessions).where(sessions.c.ended.is_(None), condition)
        async with self._database.write() as connection:
            return (await connection.execute(statement.values(ended=at, end_reason=WORKER_LOST))).rowcount

    def _running(self, now: float) -> ColumnElement[bool]:
        return and_(sessions.c.ended.is_(None), sessions.c.lease_until > now)


_OPEN = and_(
    sessions.c.id == bindparam("session"), or_(sessions.c.ended.is_(None), sessions.c.end_reason == WORKER_LOST)
)
_RENEW = (
    update(sessions)
    .where(_OPEN, sessions.c.worker == bindparam("by"))
    .values(lease_until=bindparam("until"), frames=bindparam("count"), ended=None, end_reason=None)
)
_END = (
    update(sessions).where(_OPEN).values(ended=bindparam("at"), end_reason=bindparam("why"), frames=bindparam("count"))
)


def _count(condition: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).select_from(sessions).where(condition)
