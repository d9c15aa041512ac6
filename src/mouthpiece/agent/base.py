"""What a conversation takes and tells: plain values, and the seam to whoever shows it.

Nothing here needs the ``agents`` extra, so that front ends can name these things without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from mouthpiece.lipsync.script import Script
from mouthpiece.media import Pcm
from mouthpiece.providers.base import Choice

Role = Literal["user", "assistant"]


class Mouth(Protocol):
    """Where the avatar's speech goes: a running session, with pictures or without. Every call returns at once."""

    @property
    def queued(self) -> int:
        """Samples at 16 kHz that were pushed and are not played yet."""
        ...

    def push_audio(self, data: bytes, script: Script | None = None) -> None:
        """Queue PCM16LE at 16 kHz; ``script``: what it says, for the lips."""

    def skip(self) -> None:
        """Fall silent within one tick and forget what is queued."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was really said, and when (unix seconds). ``interrupted``: the rest of it was not heard."""

    role: Role
    content: str
    timestamp: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a conversation is to be.

    ``language`` is BCP 47. ``notices`` are spoken before the first message: what the user must know (a language that
    the ears or the voice lack). ``history`` is what was said before, when a dropped conversation goes on: then nothing
    is said first. ``max_idle_s``: nobody spoke for so long.
    """

    session_id: str
    instructions: str
    first_message: str | None = None
    language: str = "en"
    notices: tuple[str, ...] = ()
    history: tuple[Line, ...] = ()
    max_idle_s: float = 300.0


# --- what a conversation tells -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Caption:
    """Words as they are said, for live captions; ``final``: they will not change any more."""

    role: Role
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the transcript: what was really heard, once it is known."""

    line: Line


@dataclass(frozen=True, slots=True)
class StateChanged:
    """``who`` began to do ``what``: the user listens or speaks, the avatar listens, thinks or speaks."""

    who: Role
    what: Literal["listening", "thinking", "speaking"]


@dataclass(frozen=True, slots=True)
class Turn:
    """How long one answer took, in seconds from the end of the user's speech; None where it is not known.

    ``transcript``: the words were known. ``decided``: the turn was taken. ``first_token`` and ``first_audio`` come from
    the providers and count from their own requests. ``heard``: the first sample was played. ``mouth``: the mouth was
    first seen open.
    """

    transcript: float | None = None
    decided: float | None = None
    first_token: float | None = None
    first_audio: float | None = None
    heard: float | None = None
    mouth: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A provider failed; the user was told in the embedded voice, and the conversation goes on."""

    stage: Literal["ears", "mind", "voice"]
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The conversation is over by itself."""

    reason: Literal["idle", "failed"]


ConversationEvent = Caption | Said | StateChanged | Turn | Fault | Finished
Tell = Callable[[ConversationEvent], None]


class Talk(Protocol):
    """One conversation. Belongs to the event loop that made it."""

    async def start(self) -> None:
        """Begin to listen, and say what is to be said first."""

    def hear(self, pcm: Pcm) -> None:
        """The user's voice as it arrives, 16 kHz mono. Never blocks; more than 5 s unheard drops the oldest."""

    def played(self, openness: float = 0.0) -> None:
        """The mouth has played one more tick; ``openness`` 0..1 of the lips that were shown with it."""

    def interrupt(self) -> None:
        """Stop speaking, as if the user had spoken."""

    async def close(self) -> None:
        """End. What was being said is told as interrupted. Idempotent."""


# --- who takes part ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Advice:
    """What will not be quite as asked for: ``warnings`` for whoever starts it, ``notices`` to be spoken to the user."""

    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


class Troupe(Protocol):
    """Makes conversations; what it shares (helper processes, models, sockets) lives as long as it."""

    async def advise(self, choice: Choice, language: str) -> Advice:
        """What will not be quite as asked for.

        Raises BadInput for a choice that cannot work: an address that callers may not name, a missing part.
        """
        ...

    async def open(self, plan: Plan, choice: Choice, mouth: Mouth, tell: Tell) -> Talk:
        """A conversation that has not started yet."""
        ...
