"""Conversations of voice agents: what each is to be, and what was really said. Never a key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from mouthpiece.errors import NotFound
from mouthpiece.store.db import Database
from mouthpiece.store.tables import conversations, transcript_lines


@dataclass(frozen=True, slots=True)
class SaidLine:
    """Something that was said, at ``said`` (unix seconds). ``interrupted``: the rest was not heard."""

    role: str
    content: str
    said: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A conversation. ``transcribed``: its transcript may be asked for. Times in unix seconds, None: not yet."""

    id: str
    account: str
    agent: str | None
    plan: Mapping[str, Any]
    transcribed: bool
    created: float = 0.0
    started: float | None = None
    ended: float | None = None


class Conversations:
    """The conversations of one database."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def add(self, record: ConversationRecord) -> None:
        """One that may be joined from now on."""
        row = {
            "id": record.id,
            "account": record.account,
            "agent": record.agent,
            "plan": json.dumps(record.plan),
            "transcribed": record.transcribed,
            "created": self._clock(),
        }
        async with self._database.write() as connection:
            await connection.execute(conversations.insert(), row)

    async def find(self, conversation_id: str) -> ConversationRecord:
        """Raises NotFound."""
        query = select(conversations).where(conversations.c.id == conversation_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound(what="conversation")
        return ConversationRecord(**{**row, "plan": json.loads(row["plan"])})

    async def start(self, conversation_id: str) -> float:
        """Somebody joined: when the first one did, in unix seconds."""
        mine = conversations.c.id == conversation_id
        async with self._database.write() as connection:
            fresh = update(conversations).where(mine, conversations.c.started.is_(None))
            await connection.execute(fresh.values(started=self._clock()))
            return float((await connection.execute(select(conversations.c.started).where(mine))).scalar_one())

    async def end(self, conversation_id: str) -> None:
        """It is over for good. Only the first call counts."""
        statement = update(conversations).where(conversations.c.id == conversation_id, conversations.c.ended.is_(None))
        async with self._database.write() as connection:
            await connection.execute(statement.values(ended=self._clock()))

    async def say(self, conversation_id: str, lines: Sequence[SaidLine]) -> None:
        """More was said. One write for all of it."""
        if not lines:
            return
        last = select(func.max(transcript_lines.c.n)).where(transcript_lines.c.conversation == conversation_id)
        async with self._database.write() as connection:
            first = ((await connection.execute(last)).scalar_one() or 0) + 1
            rows = [
                {
                    "conversation": conversation_id,
                    "n": n,
                    "role": line.role,
                    "content": line.content,
                    "said": line.said,
                    "interrupted": line.interrupted,
                }
                for n, line in enumerate(lines, first)
            ]
            await connection.execute(transcript_lines.insert(), rows)

    async def transcript(self, conversation_id: str) -> list[SaidLine]:
        """What was said so far, in order."""
        table = transcript_lines.c
        query = select(table.role, table.content, table.said, table.interrupted)
        query = query.where(table.conversation == conversation_id).order_by(table.n)
        async with self._database.read() as connection:
            return [SaidLine(*row) for row in (await connection.execute(query)).all()]
