"""Session tokens say what was sealed, to us only, until they expire."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.errors import InvalidSessionToken, SessionTokenExpired
from mouthpiece.simli.tokens import SessionClaims, SessionTokens, expiry, origin_allowed

NOW = 1_800_000_000
TOKENS = SessionTokens([b"a secret of this test"])


def claims(**more: object) -> SessionClaims:
    fields: dict[str, object] = {
        "account": "acme",
        "token_id": "t1",
        "issued_at": NOW,
        "expires_at": NOW + 60,
        "face_id": "mia",
        "end_user": "someone@example.org",
    }
    return SessionClaims(**{**fields, **more})  # type: ignore[arg-type]


texts = st.text(max_size=30)
any_claims = st.builds(
    SessionClaims,
    account=texts,
    token_id=texts,
    issued_at=st.just(NOW),
    expires_at=st.integers(NOW + 1, NOW + 10**6),
    face_id=texts,
    emotion=texts,
    origins=st.lists(texts, max_size=3).map(tuple),
    width=st.integers(512, 1920),
    start_frame=st.integers(0, 10**6),
    handle_silence=st.booleans(),
    end_user=st.none() | texts,
    position=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    camera=st.lists(st.floats(-180, 180), max_size=9).map(tuple),
    background_id=st.none() | texts,
)


@given(any_claims)
def test_what_is_sealed_comes_back(given_claims: SessionClaims) -> None:
    assert TOKENS.open(TOKENS.make(given_claims), NOW) == given_claims


def test_a_token_needs_no_quoting_and_hides_its_content() -> None:
    token = TOKENS.make(claims())
    assert token.replace("-", "a").replace("_", "a").isalnum()
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"acme" not in raw
    assert b"example.org" not in raw


def test_a_token_is_good_again_until_it_expires() -> None:
    token = TOKENS.make(claims())
    assert TOKENS.open(token, NOW + 59.9) == TOKENS.open(token, NOW)
    with pytest.raises(SessionTokenExpired):
        TOKENS.open(token, NOW + 60)


def test_padding_that_a_client_adds_or_loses_does_not_matter() -> None:
    assert TOKENS.open(TOKENS.make(claims()) + "==", NOW) == claims()


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    token = TOKENS.make(claims())
    at = data.draw(st.integers(0, len(token) - 2))  # the last letter has bits that mean nothing
    letter = data.draw(st.sampled_from("ABCDEFGHabcdefgh0123456789-_").filter(lambda c: c != token[at]))
    with pytest.raises(InvalidSessionToken):
        TOKENS.open(token[:at] + letter + token[at + 1 :], NOW)


@given(st.text(max_size=200))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidSessionToken):
        TOKENS.open(text, NOW)


def test_secrets_can_be_rotated_without_ending_sessions() -> None:
    old, new = SessionTokens([b"old"]), SessionTokens([b"new", b"old"])
    assert new.open(old.make(claims()), NOW) == claims()
    with pytest.raises(InvalidSessionToken):
        old.open(new.make(claims()), NOW)


def test_a_token_of_another_purpose_is_refused() -> None:
    from mouthpiece.seal import Sealer

    other = Sealer([b"a secret of this test"], "something else").seal({"account": "acme"}, NOW)
    with pytest.raises(InvalidSessionToken):
        TOKENS.open(other, NOW)


def test_a_token_of_another_version_is_refused() -> None:
    from mouthpiece.seal import Sealer

    older = Sealer([b"a secret of this test"], "session token").seal({"no such field": 1}, NOW)
    with pytest.raises(InvalidSessionToken):
        TOKENS.open(older, NOW)


def test_expiry_leaves_time_to_start_late_and_run_whole() -> None:
    assert expiry(NOW, 600) == NOW + 3600 + 600


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((), None, True),
        ((), "https://evil.example", True),
        (("https://good.example",), "https://good.example", True),
        (("https://Good.example/",), "https://good.example", True),
        (("https://good.example",), "https://good.example.evil.example", False),
        (("https://good.example",), "http://good.example", False),
        (("https://good.example",), None, False),
    ],
)
def test_origins(origins: tuple[str, ...], origin: str | None, allowed: bool) -> None:
    assert origin_allowed(claims(origins=origins), origin) is allowed
