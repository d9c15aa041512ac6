"""Tokens for LiveKit rooms: LiveKit's own verifier reads them; what callers send is read with care."""

from __future__ import annotations

import base64
import json
import time

import pytest
from livekit.api import TokenVerifier

from mouthpiece.errors import BadInput
from mouthpiece.transport.grants import Signer, speaker_of

SIGNER = Signer("key", "a secret that is long enough for HMAC")


def test_a_viewers_token_may_look_and_nothing_else() -> None:
    token = SIGNER.viewer("room", "viewer-1", time.time(), 60)
    claims = TokenVerifier("key", SIGNER.secret).verify(token)
    assert (claims.identity, claims.video and claims.video.room) == ("viewer-1", "room")
    assert claims.video is not None
    assert (claims.video.room_join, claims.video.can_subscribe) == (True, True)
    assert (claims.video.can_publish, claims.video.can_publish_data) == (False, False)


def test_an_avatars_token_may_publish_for_its_agent() -> None:
    token = SIGNER.avatar("room", "avatar", time.time(), 60, on_behalf="agent-7")
    claims = TokenVerifier("key", SIGNER.secret).verify(token)
    assert (claims.kind, claims.attributes) == ("agent", {"lk.publish_on_behalf": "agent-7"})
    assert speaker_of(token) == "agent-7"


def test_a_token_ends_when_it_should() -> None:
    with pytest.raises(Exception, match="expired"):
        TokenVerifier("key", SIGNER.secret).verify(SIGNER.viewer("room", "v", time.time() - 600, 60))


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "", "a", "a.b.c", "a.!!!.c", f"a.{packed([])}.c", f"a.{packed({})}.c", f"a.{packed({'attributes': 5})}.c",
        f"a.{packed({'attributes': {'lk.publish_on_behalf': ''}})}.c",
        f"a.{packed({'attributes': {'lk.publish_on_behalf': 7}})}.c",
        "a." + base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".c", "a.\udcff.c", "a.é.c",
    ],
)  # fmt: skip
def test_what_is_no_avatars_token_is_refused(token: str) -> None:
    with pytest.raises(BadInput, match=r"lk\.publish_on_behalf"):
        speaker_of(token)
