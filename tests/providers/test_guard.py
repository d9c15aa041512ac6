"""Where a stranger may send us, and where not."""

from __future__ import annotations

import asyncio
import socket

import httpcore
import httpx
import pytest
from tests.support.tiny_http import tiny_http

from mouthpiece.errors import BadInput
from mouthpiece.providers.guard import Rules, client, public

PRIVATE = [
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "100.64.0.1",
    "168.63.129.16",
    "[fd00::1]",
    "[fe80::1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "224.0.0.1",
]


@pytest.mark.parametrize("host", PRIVATE)
async def test_private_addresses_are_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(BadInput, match=r"MOUTHPIECE_ALLOW_HOSTS|cannot be (found|read)"):
        await Rules().check(f"http://{host}:9/v1")
    async with client(Rules(), 2.0) as http:
        with pytest.raises((httpx.ConnectError, httpx.InvalidURL)):
            await http.get(f"http://{host}:9/")


@pytest.mark.parametrize(
    "url", ["ftp://example.org", "http://", "javascript:1", "http://me:secret@example.org", "http://a:99999"]
)
async def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        await Rules().check(url)


@pytest.mark.parametrize(
    ("number", "may"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("192.0.0.8", False),
        ("198.18.0.1", False),
        ("::", False),
        ("fe80::1%eth0", False),
    ],
)
def test_public_is_what_the_whole_internet_may_reach(number: str, *, may: bool) -> None:
    assert public(number) is may


async def test_the_operator_allows_by_name_with_or_without_port() -> None:
    async with tiny_http() as server:
        server.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
        for allowed in ("127.0.0.1", f"127.0.0.1:{server.port}"):
            rules = Rules([allowed])
            await rules.check(server.url)
            async with client(rules, 2.0) as http:
                assert (await http.get(server.url)).text == "hi"
        async with client(Rules(["127.0.0.1:1"]), 2.0) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(server.url)


Answer = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, object]]]


class Rebinding(asyncio.SelectorEventLoop):
    """A loop whose names answer with a public address first, and with our own afterwards."""

    lookups = 0

    async def getaddrinfo(self, host: object, port: object, **_: object) -> Answer:  # type: ignore[override]
        self.lookups += 1
        number = "203.0.114.9" if self.lookups == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]


def test_a_name_that_changes_its_mind_is_asked_again_and_refused() -> None:
    async def run() -> None:
        rules = Rules()
        await rules.check("http://rebind.example/")  # looks public
        async with client(rules, 2.0) as http:
            with pytest.raises(httpx.ConnectError, match="private address"):
                await http.get("http://rebind.example/")

    with asyncio.Runner(loop_factory=Rebinding) as runner:
        runner.run(run())


async def test_sockets_of_this_machine_are_out_of_reach() -> None:
    from mouthpiece.providers.guard import _Backend

    with pytest.raises(httpcore.ConnectError):
        await _Backend(Rules()).connect_unix_socket("/tmp/x")
