"""Where media binds, and what is advertised for it."""

from __future__ import annotations

import ipaddress

import pytest

from mouthpiece.transport.ice import Place, is_loopback, is_wildcard, local_addresses, places


@pytest.mark.parametrize(
    ("host", "loopback", "wildcard"),
    [
        ("127.0.0.1", True, False),
        ("127.9.9.9", True, False),
        ("::1", True, False),
        ("localhost", True, False),
        ("0.0.0.0", False, True),
        ("::", False, True),
        ("", False, True),
        ("avatar.example.org", False, True),
        ("192.0.2.1", False, False),
    ],
)
def test_hosts(host: str, loopback: bool, wildcard: bool) -> None:
    assert (is_loopback(host), is_wildcard(host)) == (loopback, wildcard)


def test_local_addresses_are_real_and_leave_loopback_to_those_who_have_nothing_else() -> None:
    found = local_addresses()
    kinds = {ipaddress.ip_address(text).is_loopback for text in found}
    assert len(kinds) == 1
    assert not any(ipaddress.ip_address(text).is_link_local for text in found)


def test_a_server_on_loopback_offers_loopback() -> None:
    assert places("127.0.0.1", None) == [Place("127.0.0.1", "127.0.0.1"), Place("::1", "::1")]


def test_a_server_on_one_address_offers_that_one() -> None:
    assert places("192.0.2.1", None) == [Place("192.0.2.1", "192.0.2.1")]


def test_a_server_on_all_addresses_offers_all() -> None:
    assert [place.advertise for place in places("0.0.0.0", None)] == local_addresses()


def test_a_public_address_that_is_ours_is_bound_and_one_of_the_nats_is_not() -> None:
    assert places("0.0.0.0", "127.0.0.1") == [Place("127.0.0.1", "127.0.0.1")]
    assert places("0.0.0.0", "203.0.113.5, 2001:db8::7") == [
        Place("0.0.0.0", "203.0.113.5"),
        Place("::", "2001:db8::7"),
    ]
