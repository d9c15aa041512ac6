"""Session tokens: authenticated, self-contained, no database.

Pure: the present time is an argument. A token is authenticated encryption over everything the session needs, so it
works on every replica that shares the secret, and nothing in it can be read or changed outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from mouthpiece.errors import InvalidSessionToken, SessionTokenExpired
from mouthpiece.seal import Sealer, Unsealed

START_WINDOW_S: Final = 3600
"""How long after its making a token may first be used; its session's whole length comes on top."""


@dataclass(frozen=True, slots=True)
class SessionClaims:
    """What a session token says: whose it is, what was asked for, where and how long it may be used.

    Times in unix seconds (``issued_at``, ``expires_at``) and seconds. ``origins``: pages that may use it, empty: any.
    ``face_id`` and ``emotion`` are already resolved to ours; ``key_name`` is the API key it was made with.
    """

    account: str
    token_id: str
    issued_at: int
    expires_at: int
    face_id: str
    key_name: str | None = None
    emotion: str = "natural"
    origins: tuple[str, ...] = ()
    width: int = 512
    height: int = 512
    start_frame: int = 0
    handle_silence: bool = True
    max_length_s: int = 3600
    max_idle_s: int = 300
    end_user: str | None = None
    position: tuple[float, float] = (0.5, 1.0)
    camera: tuple[float, ...] = ()
    background_id: str | None = None
    foreground_id: str | None = None
    transparent: bool = False


class SessionTokens:
    """Makes and opens session tokens. They may be used again until they expire: clients reconnect with them."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._sealer = Sealer(secrets, "session token")

    def make(self, claims: SessionClaims) -> str:
        """The token for these claims."""
        return self._sealer.seal(asdict(claims), claims.issued_at)

    def open(self, token: str, now: float) -> SessionClaims:
        """The claims of a token. Raises InvalidSessionToken, SessionTokenExpired."""
        try:
            claims = _claims(self._sealer.open(token))
        except (Unsealed, TypeError) as error:  # TypeError: sealed by another version
            raise InvalidSessionToken from error
        if now >= claims.expires_at:
            raise SessionTokenExpired
        return claims


def _claims(content: dict[str, object]) -> SessionClaims:
    lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
    return SessionClaims(**{**content, **lists})  # type: ignore[arg-type]  # we sealed these very fields


def expiry(issued_at: int, max_length_s: int) -> int:
    """When a session token ends: it may start late and run its whole length."""
    return issued_at + START_WINDOW_S + max_length_s


def origin_allowed(claims: SessionClaims, origin: str | None) -> bool:
    """Whether a page of this origin may use the token. Without a list any may; a list needs an exact match."""
    return not claims.origins or (origin or "").rstrip("/").lower() in {o.rstrip("/").lower() for o in claims.origins}
