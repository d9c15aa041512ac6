"""Tokens of voice agents: who may start one, and who may join. Provider keys live in them and nowhere else.

Pure: the present time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, TypeVar

from mouthpiece.errors import InvalidSessionToken, OriginNotAllowed, SessionTokenExpired
from mouthpiece.providers.base import Choice, MindChoice, VoiceChoice
from mouthpiece.seal import Sealer, Unsealed

FOREVER: Final = -1
"""``expiryStamp`` of a token that does not expire by itself."""

JOIN_WITHIN_S: Final = 3600
"""How long after its start a room may first be entered; its whole length comes on top."""


@dataclass(frozen=True, slots=True)
class StartClaims:
    """Who may start a conversation, until when (unix seconds; -1: any time), from which pages, with which keys."""

    account: str
    key_name: str | None
    expires_at: int
    origins: tuple[str, ...]
    transcribed: bool
    llm_key: str = field(default="", repr=False)
    tts_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RoomClaims:
    """Who may join one conversation, and who takes part in it.

    ``role`` is viewer, or audio for whoever sends the avatar's speech.
    """

    conversation: str
    account: str
    key_name: str | None
    expires_at: int
    origins: tuple[str, ...]
    role: str
    choice: Choice = field(repr=False)


Claims = TypeVar("Claims", StartClaims, RoomClaims)


class AutoTokens:
    """Makes and opens both kinds. They may be used again until they expire."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._start = Sealer(secrets, "auto token")
        self._room = Sealer(secrets, "room token")

    def make_start(self, claims: StartClaims, now: int) -> str:
        """The token of ``/auto/token``."""
        return self._start.seal(asdict(claims), now)

    def open_start(self, token: str, now: float) -> StartClaims:
        """Raises InvalidSessionToken, SessionTokenExpired."""
        return _open(self._start, token, StartClaims, now)

    def make_room(self, claims: RoomClaims, now: int) -> str:
        """The token in a room's address."""
        return self._room.seal(asdict(claims), now)

    def open_room(self, token: str, now: float) -> RoomClaims:
        """Raises InvalidSessionToken, SessionTokenExpired."""
        return _open(self._room, token, RoomClaims, now)


def _open(sealer: Sealer, token: str, kind: type[Claims], now: float) -> Claims:
    try:
        content = sealer.open(token.strip())
        claims = kind(**{each.name: _value(each.name, content[each.name]) for each in fields(kind)})
    except (Unsealed, TypeError, KeyError) as error:  # sealed by another version
        raise InvalidSessionToken from error
    if claims.expires_at != FOREVER and now >= claims.expires_at:
        raise SessionTokenExpired
    return claims


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 -- we sealed these very fields
    if name == "origins":
        return tuple(value)
    return _choice(value) if name == "choice" else value


def _choice(content: Mapping[str, Any]) -> Choice:
    return Choice(MindChoice(**content["mind"]), VoiceChoice(**content["voice"]), content["ears"])


def check_origin(origins: Sequence[str], origin: str | None, own: str) -> None:
    """A page of ``origin`` shows the token. Our own room page may; without a list any may. Raises OriginNotAllowed."""
    named = (origin or "").rstrip("/").lower()
    if origins and named not in {own.rstrip("/").lower(), *(each.rstrip("/").lower() for each in origins)}:
        raise OriginNotAllowed(origin=(origin or "none")[:100])
