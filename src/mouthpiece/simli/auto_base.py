"""What the voice agents' routes need of the house."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from mouthpiece.agent.base import Line, Troupe
from mouthpiece.cluster.base import Lease
from mouthpiece.errors import NotConfigured
from mouthpiece.live.base import LiveSession
from mouthpiece.simli.auto_tokens import AutoTokens
from mouthpiece.simli.base import House
from mouthpiece.store.agents import Agents
from mouthpiece.store.conversations import Conversations

REMEMBERED: Final = 256
"""Conversations without a stored transcript whose words are kept for a viewer that comes back."""


@dataclass(slots=True)
class Running:
    """A conversation that somebody has joined in this process. ``left`` is set when its last word is written."""

    session: LiveSession
    left: asyncio.Event = field(default_factory=asyncio.Event)
    audio: set[asyncio.Queue[str | None]] = field(default_factory=set)  # who sends the avatar's speech; None: over


class Memory:
    """What was said in conversations whose transcript is not to be stored, for as long as this process lives."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, list[Line]] = OrderedDict()

    def add(self, conversation: str, line: Line) -> None:
        """One more line; conversations of long ago are forgotten."""
        self._said.setdefault(conversation, []).append(line)
        self._said.move_to_end(conversation)
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)

    def get(self, conversation: str) -> list[Line]:
        """All of it."""
        return list(self._said.get(conversation, ()))

    def forget(self, conversation: str) -> None:
        """It is over."""
        self._said.pop(conversation, None)


@dataclass(frozen=True, slots=True)
class Salon:
    """Where conversations are kept, and who makes them. ``troupe`` None: the extra is not installed.

    ``running`` are the conversations of this process; ``leases`` say in which worker the others are. ``news`` is
    notified when one of them changes.
    """

    agents: Agents
    conversations: Conversations
    tokens: AutoTokens
    troupe: Troupe | None
    memory: Memory = field(default_factory=Memory)
    running: dict[str, Running] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)


def salon_of(house: House) -> Salon:
    """The salon. Raises NotConfigured without the extra."""
    if house.salon is None or house.salon.troupe is None:
        raise NotConfigured(what="voice agents", remedy="pip install 'mouthpiece[agents]', then start it again")
    return house.salon


def troupe_of(salon: Salon) -> Troupe:
    """Who makes conversations."""
    assert salon.troupe is not None, "salon_of has looked"
    return salon.troupe
