"""The words between a gateway and a worker: one JSON object a line, on a socket pair that the child inherits.

Its end is a message too: the kernel closes it when either side dies, so both learn of the other's death at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

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


Message = WorkerStatus | Drain | Stop


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
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a control message: {line[:80]!r}") from error
    raise ValueError(f"unknown control message: {line[:80]!r}")
