"""What was said, on its way into the transcript: several lines in a write, none lost while the database is away."""

from __future__ import annotations

import asyncio
import logging

from mouthpiece.agent.base import Line
from mouthpiece.errors import Unavailable
from mouthpiece.store.conversations import Conversations, SaidLine

log = logging.getLogger(__name__)


class Scribe:
    """Writes down one conversation. ``keep`` never waits; ``write`` runs beside the conversation, ``flush`` ends it."""

    def __init__(self, conversations: Conversations, conversation_id: str) -> None:
        self._conversations = conversations
        self._id = conversation_id
        self._unwritten: list[SaidLine] = []
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()

    def keep(self, line: Line) -> None:
        """One more line."""
        self._unwritten.append(SaidLine(line.role, line.content, line.timestamp, line.interrupted))
        self._news.set()

    async def write(self) -> None:
        """Write what is kept, as it comes, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what is kept now. What cannot be written is kept; a write that has begun is never broken off."""
        await asyncio.shield(self._say())

    async def _say(self) -> None:
        async with self._turn:
            lines, self._unwritten = self._unwritten, []
            try:
                await self._conversations.say(self._id, lines)
            except Unavailable as fault:
                log.warning("the transcript is written later: %s", fault)
                self._unwritten = lines + self._unwritten
