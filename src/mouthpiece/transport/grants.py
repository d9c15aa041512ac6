"""LiveKit's access tokens: who may do what in which room. Pure: the present time is an argument.

They are JSON web tokens, signed with HMAC-SHA256 (RFC 7515, RFC 7519; docs.livekit.io "Tokens and grants").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from mouthpiece.errors import BadInput

ON_BEHALF = "lk.publish_on_behalf"
"""Attribute that names the agent for whom an avatar publishes."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An API key of a LiveKit server, and its secret."""

    key: str
    secret: str

    def viewer(self, room: str, identity: str, now: float, seconds: float) -> str:
        """A token to look and listen with, and to do nothing else, good for so many seconds."""
        grants = {"canPublish": False, "canPublishData": False, "canSubscribe": True}
        return self._sign(room, identity, grants, now, seconds)

    def avatar(self, room: str, identity: str, now: float, seconds: float, on_behalf: str | None = None) -> str:
        """A token to be seen and heard with; ``on_behalf``: the agent whose voice it is."""
        grants = {"canPublish": True, "canPublishData": True, "canSubscribe": False}
        more = {"kind": "agent", "attributes": {ON_BEHALF: on_behalf}} if on_behalf else {}
        return self._sign(room, identity, grants, now, seconds, more)

    def _sign(
        self,
        room: str,
        identity: str,
        grants: Mapping[str, bool],
        now: float,
        seconds: float,
        more: Mapping[str, object] | None = None,
    ) -> str:
        video = {"roomJoin": True, "room": room, **grants}
        times = {"nbf": int(now) - 10, "exp": int(now + seconds)}  # clocks of two machines may differ a little
        claims = {"iss": self.key, "sub": identity, "name": identity, **times, "video": video, **(more or {})}
        text = f"{_packed({'alg': 'HS256', 'typ': 'JWT'})}.{_packed(claims)}"
        return f"{text}.{_base64(hmac.digest(self.secret.encode(), text.encode(), hashlib.sha256))}"


def speaker_of(token: str) -> str:
    """Identity of the agent on whose behalf the holder of this token publishes. The signature is the server's affair.

    Raises BadInput when the text is no token or names no agent.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        speaker = claims["attributes"][ON_BEHALF]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError, binascii.Error) as error:
        raise BadInput(reason=f"livekit_token has no attribute {ON_BEHALF} with the agent's identity") from error
    if not isinstance(speaker, str) or not speaker:
        raise BadInput(reason=f"attribute {ON_BEHALF} of livekit_token is empty")
    return speaker


def _packed(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
