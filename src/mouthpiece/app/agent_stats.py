"""What voice conversations are counted by, whichever front end holds them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from mouthpiece.agent.base import ConversationEvent, Fault, Said, Talk, Tell, Turn
from mouthpiece.live.stats import Histogram
from mouthpiece.media import Pcm

STAGES: Final = ("transcript", "decided", "first_token", "first_audio", "heard", "mouth")
"""Of a turn, as ``agent.base.Turn`` names them."""


@dataclass(slots=True)
class AgentStats:
    """One process's conversations since it started."""

    running: int = 0
    started: int = 0
    said: Counter[str] = field(default_factory=Counter)
    """Lines by who said them; ``interrupted`` are the avatar's that were not heard to their end."""
    faults: Counter[str] = field(default_factory=Counter)
    turns: dict[str, Histogram] = field(default_factory=lambda: {stage: Histogram() for stage in STAGES})

    def counting(self, tell: Tell) -> Tell:
        """Count what is told on its way."""

        def counted(event: ConversationEvent) -> None:
            self._count(event)
            tell(event)

        return counted

    def _count(self, event: ConversationEvent) -> None:
        match event:
            case Said(line):
                self.said["interrupted" if line.interrupted else line.role] += 1
            case Fault():
                self.faults[event.stage] += 1
            case Turn():
                for stage in STAGES:
                    if (seconds := getattr(event, stage)) is not None:
                        self.turns[stage].add(seconds)
            case _:
                pass

    def follow(self, talk: Talk) -> Talk:
        """A conversation that is counted until it is closed."""
        self.started += 1
        self.running += 1
        return _Counted(talk, self)


class _Counted:
    """See ``agent.base.Talk``."""

    def __init__(self, talk: Talk, stats: AgentStats) -> None:
        self._talk = talk
        self._stats = stats
        self._open = True

    async def start(self) -> None:
        """See ``Talk``."""
        await self._talk.start()

    def hear(self, pcm: Pcm) -> None:
        """See ``Talk``."""
        self._talk.hear(pcm)

    def played(self, openness: float = 0.0) -> None:
        """See ``Talk``."""
        self._talk.played(openness)

    def interrupt(self) -> None:
        """See ``Talk``."""
        self._talk.interrupt()

    async def close(self) -> None:
        """See ``Talk``."""
        self._stats.running -= self._open
        self._open = False
        await self._talk.close()
