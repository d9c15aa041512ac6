"""Lets the page of this server in without ever giving it the API key.

A one-time code, in the address that is printed at start, is changed for a page token; that token is taken wherever an
API key is, for a short time, and can be changed for a fresh one until it ends. Pure: time and chance are arguments.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from mouthpiece.errors import InvalidApiKey
from mouthpiece.seal import Sealer, Signer, Unsealed

PAGE_TOKEN_S: Final = 3600
"""Life of a page token; the page asks for the next one before it ends."""

PAGE_LIFE_S: Final = 7 * 86_400
"""How long the tokens of one code can be renewed."""

PAGE_PREFIX: Final = "page_"
"""How a page token is told from an API key."""

CODE_NONCE_BYTES: Final = 8
_CODE: Final = struct.Struct(f">I{CODE_NONCE_BYTES}s")


@dataclass(frozen=True, slots=True)
class PageClaims:
    """What a page token says: whose it is, until when, and until when it can be renewed (unix seconds)."""

    account: str
    expires_at: int
    renewable_until: int


class PageAccess:
    """Lets the page of this server in without ever giving it the API key.

    A one-time code (in the address that is printed at start) is changed for a page token; that token is taken wherever
    an API key is, for a short time, and can be changed for a fresh one until it ends.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._sealer = Sealer(secrets, "page token")
        self._signer = Signer(secrets, "page code")
        self._used: dict[bytes, int] = {}

    def make_code(self, nonce: bytes, expires_at: int) -> str:
        """A code that is good once, until ``expires_at``. ``nonce``: 8 random bytes."""
        return base64.urlsafe_b64encode(self._signer.sign(_CODE.pack(expires_at, nonce))).decode()

    def redeem(self, code: str, now: float) -> None:
        """Use a code up. Raises InvalidApiKey when it is not ours, too old, or was used before."""
        name = self._open_code(code)
        expires_at, _ = _CODE.unpack(name)
        self._used = {used: end for used, end in self._used.items() if end > now}
        if now >= expires_at or name in self._used:
            raise InvalidApiKey
        self._used[name] = expires_at

    def _open_code(self, code: str) -> bytes:
        try:
            body = self._signer.open(base64.b64decode(code, b"-_", validate=True))
        except (binascii.Error, ValueError, Unsealed) as error:
            raise InvalidApiKey from error
        return body

    def make_token(self, account: str, now: int) -> str:
        """The first page token of a code."""
        return self._make(account, now, now + PAGE_LIFE_S)

    def renew(self, token: str, now: int) -> str:
        """A fresh token for one that is still good. Raises InvalidApiKey."""
        claims = self.open_token(token, now)
        return self._make(claims.account, now, claims.renewable_until)

    def _make(self, account: str, now: int, renewable_until: int) -> str:
        claims = PageClaims(account, min(now + PAGE_TOKEN_S, renewable_until), renewable_until)
        return PAGE_PREFIX + self._sealer.seal(asdict(claims), now)

    def open_token(self, token: str, now: float) -> PageClaims:
        """Whose page token it is. Raises InvalidApiKey, also when it is too old."""
        try:
            claims = PageClaims(**self._sealer.open(token.removeprefix(PAGE_PREFIX)))  # type: ignore[arg-type]
        except (Unsealed, TypeError) as error:  # TypeError: sealed by another version
            raise InvalidApiKey from error
        if now >= claims.expires_at:
            raise InvalidApiKey
        return claims
