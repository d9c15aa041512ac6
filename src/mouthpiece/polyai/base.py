"""What the gateway needs of the house, as the composition root hands it over."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mouthpiece.agent.base import Troupe
from mouthpiece.cluster.base import SessionHost
from mouthpiece.errors import MouthpieceError
from mouthpiece.live.base import Stage
from mouthpiece.polyai import messages as m
from mouthpiece.providers.base import Choice
from mouthpiece.settings import LimitSettings, PolyaiSettings
from mouthpiece.store.conversations import Conversations

if TYPE_CHECKING:
    from mouthpiece.polyai.call import Call


@dataclass(frozen=True, slots=True)
class Guest:
    """Whose call it is, and with which keys of providers. ``transcribed``: what is said may be looked up."""

    account: str
    key_name: str | None
    transcribed: bool = False
    llm_key: str = field(default="", repr=False)
    tts_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """Who answers a call: a stored agent (``agent`` is its id) or the built-in one. Times in seconds."""

    agent: str | None
    instructions: str
    first_message: str | None
    language: str
    choice: Choice
    max_idle_s: float
    max_length_s: float


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of the house behind this front end.

    ``admit`` (token, origin of the page, our own origin) tells whose a token is; raises Denied. ``cast`` (guest,
    project) finds who answers; raises NotFound for a project that is no agent of the guest's. ``face`` is whose mouth
    moves unseen. ``limiter`` counts the account's calls; raises RateLimited. ``troupe`` and ``conversations`` are None
    without the ``agents`` extra. ``host`` places calls; None: this process is a worker, and every socket that reaches
    it was placed here. ``ice`` answers the ICE list for the host name by which the client reached us.

    ``calls`` run in this process. ``carried`` counts the sockets that are passed on to a worker, by call.
    """

    admit: Callable[[str, str | None, str], Awaitable[Guest]]
    cast: Callable[[Guest, str], Awaitable[Part]]
    face: Callable[[str], Awaitable[str]]
    limiter: Callable[[str], Awaitable[None]]
    troupe: Troupe | None
    conversations: Conversations | None
    stage: Stage | None
    host: SessionHost | None
    ice: Callable[[str], Sequence[Mapping[str, str | list[str]]]]
    limits: LimitSettings
    settings: PolyaiSettings
    fps: int
    calls: dict[str, Call] = field(default_factory=dict)
    carried: Counter[str] = field(default_factory=Counter)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Run something beside the sockets."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class Refused(Exception):
    """A call that cannot begin, in the protocol's words."""

    def __init__(self, problem: m.Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@contextlib.contextmanager
def in_words(code: str | None = None) -> Iterator[None]:
    """Faults become ``Refused``: with ``code``, or with the one that each has by itself."""
    try:
        yield
    except MouthpieceError as fault:
        problem = m.problem(fault)
        raise Refused(problem if code is None else replace(problem, code=code)) from fault
