"""Small secrets-keepers: text that only this installation can make or read.

Pure. Fernet (AES-128-CBC with HMAC-SHA256) under keys derived from the installation's secret, one key for each
purpose. Several secrets may be given: the first seals, all of them open, so they can be rotated without ending what
is already out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAC_BYTES: Final = 12
"""Length of a short signature: 96 bits, for codes that people may have to copy."""


class Unsealed(Exception):
    """The text is not one that we sealed for this purpose."""


class Sealer:
    """Turns small mappings into URL-safe text that only we can read or make, for one purpose."""

    def __init__(self, secrets: Sequence[bytes], purpose: str) -> None:
        self._box = MultiFernet([Fernet(base64.urlsafe_b64encode(derive(s, purpose))) for s in secrets])

    def seal(self, content: Mapping[str, object], now: int) -> str:
        """Encrypt and sign; no padding, so that it needs no quoting in a URL."""
        text = json.dumps(content, separators=(",", ":")).encode()
        return self._box.encrypt_at_time(text, now).decode().rstrip("=")

    def open(self, token: str) -> dict[str, object]:
        """The content. Raises Unsealed for whatever we did not seal."""
        try:
            padded = token.rstrip("=").encode("ascii")
            content = json.loads(self._box.decrypt(padded + b"=" * (-len(padded) % 4)))
        except (InvalidToken, UnicodeEncodeError, ValueError) as error:
            raise Unsealed from error
        if not isinstance(content, dict):
            raise Unsealed
        return content


def derive(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF-SHA256, RFC 5869): keys of different purposes say nothing of each other."""
    return HKDF(SHA256(), 32, salt=None, info=f"mouthpiece {purpose}".encode()).derive(secret)


class Signer:
    """Short signatures over a few bytes, for one purpose."""

    def __init__(self, secrets: Sequence[bytes], purpose: str) -> None:
        self._keys = [derive(secret, purpose) for secret in secrets]

    def sign(self, body: bytes) -> bytes:
        """The body and its signature."""
        return body + _mac(self._keys[0], body)

    def open(self, signed: bytes) -> bytes:
        """The body. Raises Unsealed when we did not sign it."""
        body, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, body)) for key in self._keys):
            raise Unsealed
        return body


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()[:MAC_BYTES]
