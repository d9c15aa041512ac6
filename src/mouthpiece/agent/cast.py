"""Who takes part in a conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from mouthpiece.agent.script import Sentence
from mouthpiece.lipsync.script import Script
from mouthpiece.media import Pcm
from mouthpiece.providers.kinds import Ears, Mind, Voice


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence as the embedded voice reads it: its sound, and exactly what is said in it."""

    sentence: Sentence
    pcm: Pcm
    exact: Script


Read = Callable[[str], Awaitable[Reading]]
"""The embedded voice. A sentence that it cannot read keeps its words, without sound."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part. ``voice`` None: the caller sends the avatar's speech, and nothing is answered.

    ``read`` is the embedded voice: it reads every sentence for the lips, and speaks when ``voice`` fails.
    ``executor`` runs the voice activity detector, ``judging`` the turn detector. ``close`` ends what was opened for
    this conversation only. ``patience_s``: how long a turn that does not sound finished is waited for. ``answer_s``:
    how long ears or a mind may say nothing where something is due.
    """

    ears: Ears | None
    mind: Mind | None
    voice: Voice | None
    read: Read
    executor: Executor
    judging: Executor
    close: Callable[[], Awaitable[None]]
    patience_s: float = 0.6
    answer_s: float = 10.0
