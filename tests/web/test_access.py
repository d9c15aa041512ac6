"""One-time codes and page tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.errors import InvalidApiKey
from mouthpiece.web.access import PAGE_LIFE_S, PAGE_PREFIX, PAGE_TOKEN_S, PageAccess

NOW = 1_800_000_000
SECRETS = [b"a secret of this test"]
NONCE = b"12345678"


def test_a_code_is_good_once() -> None:
    access = PageAccess(SECRETS)
    code = access.make_code(NONCE, NOW + 60)
    assert code.replace("-", "a").replace("_", "a").isalnum()
    access.redeem(code, NOW)
    with pytest.raises(InvalidApiKey):
        access.redeem(code, NOW)


def test_a_code_ends() -> None:
    access = PageAccess(SECRETS)
    with pytest.raises(InvalidApiKey):
        access.redeem(access.make_code(NONCE, NOW), NOW)


def test_a_used_code_is_forgotten_only_when_it_has_ended() -> None:
    access = PageAccess(SECRETS)
    first, second = access.make_code(b"a" * 8, NOW + 60), access.make_code(b"b" * 8, NOW + 600)
    access.redeem(first, NOW)
    access.redeem(second, NOW + 120)
    for code in (first, second):
        with pytest.raises(InvalidApiKey):
            access.redeem(code, NOW + 120)


@given(st.text(max_size=60))
def test_what_we_did_not_sign_is_refused(code: str) -> None:
    with pytest.raises(InvalidApiKey):
        PageAccess(SECRETS).redeem(code, NOW)


def test_a_code_of_another_installation_is_refused() -> None:
    with pytest.raises(InvalidApiKey):
        PageAccess(SECRETS).redeem(PageAccess([b"other"]).make_code(NONCE, NOW + 60), NOW)


def test_a_page_token_names_its_account_for_an_hour() -> None:
    access = PageAccess(SECRETS)
    token = access.make_token("acme", NOW)
    assert token.startswith(PAGE_PREFIX)
    assert access.open_token(token, NOW + PAGE_TOKEN_S - 1).account == "acme"
    with pytest.raises(InvalidApiKey):
        access.open_token(token, NOW + PAGE_TOKEN_S)


def test_a_page_token_can_be_renewed_but_not_for_ever() -> None:
    access = PageAccess(SECRETS)
    now, token = NOW, access.make_token("acme", NOW)
    while now < NOW + PAGE_LIFE_S - PAGE_TOKEN_S:
        now += PAGE_TOKEN_S - 1
        token = access.renew(token, now)
    assert access.open_token(token, now).expires_at <= NOW + PAGE_LIFE_S
    with pytest.raises(InvalidApiKey):
        access.renew(token, NOW + PAGE_LIFE_S)


@given(st.text(max_size=60))
def test_anything_else_is_no_page_token(text: str) -> None:
    with pytest.raises(InvalidApiKey):
        PageAccess(SECRETS).open_token(PAGE_PREFIX + text, NOW)
