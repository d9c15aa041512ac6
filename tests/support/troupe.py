"""A troupe whose conversations say what a test tells them to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mouthpiece.agent.base import Advice, ConversationEvent, Mouth, Plan, Tell
from mouthpiece.errors import MouthpieceError
from mouthpiece.media import Pcm
from mouthpiece.providers.base import Choice


@dataclass
class TwinTalk:
    """One conversation. ``told``: every call but the microphone's."""

    plan: Plan
    choice: Choice
    mouth: Mouth
    tell: Tell
    told: list[str] = field(default_factory=list)
    heard: int = 0
    last_words: ConversationEvent | None = None
    closed: bool = False
    fails: Exception | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        if self.fails is not None:
            raise self.fails
        self._note("start")

    def hear(self, pcm: Pcm) -> None:
        self.heard += len(pcm)

    def played(self, openness: float = 0.0) -> None:
        return

    def interrupt(self) -> None:
        self._note("interrupt")

    async def close(self) -> None:
        if not self.closed and self.last_words is not None:
            self.tell(self.last_words)
        self.closed = True

    async def until(self, call: str) -> None:
        """Wait for a call."""
        async with asyncio.timeout(10):
            while call not in self.told:
                self.changed.clear()
                await self.changed.wait()

    def _note(self, call: str) -> None:
        self.told.append(call)
        self.changed.set()


class TwinTroupe:
    """Keeps every conversation that it opened."""

    def __init__(self) -> None:
        self.opened: list[TwinTalk] = []
        self.advised: list[Choice] = []
        self.warnings: tuple[str, ...] = ()
        self.refuse: MouthpieceError | None = None
        self.fails: Exception | None = None
        self._news = asyncio.Event()

    def reset(self) -> None:
        self.opened.clear()
        self.warnings, self.refuse, self.fails = (), None, None

    async def advise(self, choice: Choice, language: str) -> Advice:
        self.advised.append(choice)
        if self.refuse is not None:
            raise self.refuse
        return Advice(self.warnings, ())

    async def open(self, plan: Plan, choice: Choice, mouth: Mouth, tell: Tell) -> TwinTalk:
        talk = TwinTalk(plan, choice, mouth, tell, fails=self.fails)
        self.opened.append(talk)
        self._news.set()
        return talk

    async def until_open(self, count: int = 1) -> TwinTalk:
        """The newest conversation, once so many were opened and it has started."""
        async with asyncio.timeout(10):
            while len(self.opened) < count:
                self._news.clear()
                await self._news.wait()
        await self.opened[-1].until("start")
        return self.opened[-1]
