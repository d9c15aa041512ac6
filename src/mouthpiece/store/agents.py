"""Voice agents of an account: how each looks, speaks and thinks. Never a key."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, select, update

from mouthpiece.errors import NotFound
from mouthpiece.store.db import Database
from mouthpiece.store.tables import agents


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """An agent. ``profile`` is what the API said, in its own names. Times in unix seconds."""

    id: str
    account: str
    profile: Mapping[str, Any]
    created: float
    updated: float


class Agents:
    """The agents of one database; each belongs to its account, and is not there for others."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def add(self, account: str, profile: Mapping[str, Any]) -> AgentRecord:
        """A new agent."""
        now = self._clock()
        record = AgentRecord(str(uuid.uuid4()), account, dict(profile), now, now)
        row = {"id": record.id, "account": account, "profile": json.dumps(profile), "created": now, "updated": now}
        async with self._database.write() as connection:
            await connection.execute(agents.insert(), row)
        return record

    async def all(self, account: str) -> list[AgentRecord]:
        """The account's agents, newest first."""
        query = select(agents).where(agents.c.account == account).order_by(agents.c.created.desc(), agents.c.id)
        async with self._database.read() as connection:
            return [_record(row) for row in (await connection.execute(query)).all()]

    async def find(self, account: str, agent_id: str) -> AgentRecord:
        """Raises NotFound."""
        query = select(agents).where(agents.c.id == agent_id, agents.c.account == account)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(what="agent")
        return _record(row)

    async def change(self, account: str, agent_id: str, changes: Mapping[str, Any]) -> AgentRecord:
        """Overwrite some of its profile. Raises NotFound."""
        async with self._database.write() as connection:
            query = select(agents).where(agents.c.id == agent_id, agents.c.account == account).with_for_update()
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise NotFound(what="agent")
            old = _record(row)
            new = AgentRecord(old.id, account, {**old.profile, **changes}, old.created, self._clock())
            values = {"profile": json.dumps(new.profile), "updated": new.updated}
            await connection.execute(update(agents).where(agents.c.id == agent_id).values(values))
        return new

    async def remove(self, account: str, agent_id: str) -> None:
        """Raises NotFound."""
        statement = delete(agents).where(agents.c.id == agent_id, agents.c.account == account)
        async with self._database.write() as connection:
            if not (await connection.execute(statement)).rowcount:
                raise NotFound(what="agent")


def _record(row: Row[Any]) -> AgentRecord:
    return AgentRecord(row.id, row.account, json.loads(row.profile), row.created, row.updated)
