"""The words of Simli's v1 sockets where they differ from v2's. Pure.

v1 knows ``ACK``, ``START``, ``STOP``, ``pong``, ``SPEAK``, ``SILENT`` and the answer; its clients ignore the rest, or
take any text with "error" in lower case for one.
"""

from __future__ import annotations

from typing import Final

from mouthpiece import errors
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages as v2

ACK: Final = "ACK"
"""First reply to the offer, and first reply to the token."""

MISSING_TOKEN: Final = "MISSING_SESSION_TOKEN"  # noqa: S105 -- the documented word
"""There is no token yet, or it cannot be read: clients send it again, or ask for another one."""


def error(fault: errors.MouthpieceError) -> str:
    """One error line: v2's, and the word that v1 clients look for."""
    return f"{v2.error(fault)} error: {fault}"


def failure(fault: errors.MouthpieceError) -> v2.Goodbye:
    """The reason, ``STOP``, then a close; before a session and in one."""
    goodbye = v2.failure(fault)
    return v2.Goodbye((error(fault), v2.STOP), goodbye.code, goodbye.reason)


def ending(reason: EndReason) -> v2.Goodbye:
    """The end of a session: ``STOP`` and nothing else when it is an ordinary one."""
    if reason is EndReason.CLOSED:
        return v2.Goodbye((), v2.NORMAL)
    if reason is EndReason.PEER_LOST:
        return failure(errors.PeerConnectionLost(reason="no media connection"))
    if reason is EndReason.FAILED:
        return failure(errors.MouthpieceError())
    return v2.Goodbye((v2.STOP,), v2.GOING_AWAY if reason is EndReason.SHUTDOWN else v2.NORMAL)
