"""The words between a gateway and a worker: one JSON object a line, on a socket pair that the child inherits.

Its end is a message too: the kernel closes it when either side dies, so both learn of the other's death at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from mouthpiece.cluster.base import WorkerStatus

VARIABLE = "MOUTHPIECE_CONTROL"
"""Environment variable of the child: the number of its end of the pair, a colon, and the seconds between reports."""

MAX_LINE = 1 << 20
"""Bytes of the longest line: about 25,000 session ids."""


@dataclass(frozen=True, slots=True)
class Drain:
    """To the worker: take nothing new; sessions may go on for ``deadline_s`` seconds."""

    deadline_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """To the worker: end every session in its protocol's words, then exit."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """To the gateway: a session that waits there has shown its token."""

    session_id: str
    token_id: str


@dataclass(frozen=True, slots=True)
class Granted:
    """To the worker: the session may begin.

    ``used_s``: seconds that the token's session elsewhere had played; None: there is no room for one more.
    """

    session_id: str
    used_s: float | None


@dataclass(frozen=True, slots=True)
class Yield:
    """To the worker: the token of this session is used elsewhere now: end it."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Yielded:
    """To the gateway: it is over, after so many seconds."""

    session_id: str
    used_s: float


Message = WorkerStatus | Drain | Stop | Claimed | Granted | Yield | Yielded


def encode(message: Message) -> bytes:
    """One line, with its newline."""
    match message:
        case WorkerStatus():
            fields: dict[str, object] = {
                "say": "status",
                "load": round(message.load, 4),
                "sessions": sorted(message.sessions),
                "accepting": message.accepting,
            }
        case Drain():
            fields = {"say": "drain", "deadline_s": message.deadline_s}
        case Stop():
            fields = {"say": "stop"}
        case _:
            fields = {"say": type(message).__name__.lower(), **asdict(message)}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line. Raises ValueError when it is none."""
    try:
        fields = json.loads(line)
        match fields["say"]:
            case "status":
                sessions = frozenset(str(one) for one in fields["sessions"])
                return WorkerStatus(float(fields["load"]), sessions, bool(fields["accepting"]))
            case "drain":
                return Drain(float(fields["deadline_s"]))
            case "stop":
                return Stop()
            case str(word) if word in _OF_ONE_SESSION:
                return _of_one_session(word, str(fields["session_id"]), fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a control message: {line[:80]!r}") from error
    raise ValueError(f"unknown control message: {line[:80]!r}")


_OF_ONE_SESSION: Final = ("claimed", "granted", "yield", "yielded")


def _of_one_session(word: str, session_id: str, fields: Mapping[str, Any]) -> Message:
    match word:
        case "claimed":
            return Claimed(session_id, str(fields["token_id"]))
        case "granted":
            used_s = fields["used_s"]
            return Granted(session_id, None if used_s is None else float(used_s))
        case "yielded":
            return Yielded(session_id, float(fields["used_s"]))
        case _:
            return Yield(session_id)
