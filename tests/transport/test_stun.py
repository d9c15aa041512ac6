"""The built-in STUN server against aioice's client, hostile datagrams, and the list that clients get."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from aioice import Connection, stun
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from aiortc.rtcicetransport import connection_kwargs
from hypothesis import given
from hypothesis import strategies as st
from tests.support.peer import TIMEOUT

from mouthpiece.settings import TransportSettings
from mouthpiece.transport.ice import is_loopback, local_addresses
from mouthpiece.transport.stun import StunServer, ice_servers, respond

HERE = ("192.0.2.1", 5000)


@pytest.fixture
async def server() -> AsyncIterator[StunServer]:
    opened = await StunServer.open("127.0.0.1", 0)
    yield opened
    opened.close()
    opened.close()


class Asker(asyncio.DatagramProtocol):
    """Sends datagrams, keeps what comes back and from where."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.put_nowait((data, addr))


async def ask(host: str, port: int, *requests: bytes) -> tuple[bytes, tuple[str, int], tuple[str, int]]:
    """Send the requests; the first answer, its source, and our own address."""
    loop = asyncio.get_running_loop()
    transport, asker = await loop.create_datagram_endpoint(Asker, remote_addr=(host, port))
    for request in requests:
        transport.sendto(request)
    data, source = await asyncio.wait_for(asker.answers.get(), TIMEOUT)
    own = transport.get_extra_info("sockname")
    transport.close()
    return data, source[:2], own[:2]


def has_address(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def binding() -> stun.Message:
    return stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)


async def test_aioices_client_learns_its_address(server: StunServer) -> None:
    connection = Connection(ice_controlling=True, stun_server=("127.0.0.1", server.port), use_ipv6=False)
    found = await connection.get_component_candidates(1, ["127.0.0.1"])
    assert [c.type for c in found] == ["host", "srflx"]
    assert (found[1].host, found[1].port) == (found[0].host, found[0].port)
    for protocol in connection._protocols:
        await protocol.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_families_are_answered_from_the_address_that_was_asked(host: str) -> None:
    if not has_address(host):
        pytest.skip(f"this machine has no {host}")
    server = await StunServer.open("0.0.0.0", 0)
    request = binding()
    data, source, own = await ask(host, server.port, bytes(request))
    server.close()
    message = stun.parse_message(data)
    assert message.transaction_id == request.transaction_id
    assert message.attributes["XOR-MAPPED-ADDRESS"] == own
    assert source == (host, server.port)


async def test_junk_is_passed_over_in_silence(server: StunServer) -> None:
    request = binding()
    junk = [b"", b"\0", b"hello" * 10, bytes(request)[:19], bytes(3000)]
    data, _, _ = await ask("127.0.0.1", server.port, *junk, bytes(request))
    assert stun.parse_message(data).transaction_id == request.transaction_id


async def test_a_taken_port_falls_back_to_a_free_one() -> None:
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    server = await StunServer.open("127.0.0.1", port)
    assert server.port not in (0, port)
    await ask("127.0.0.1", server.port, bytes(binding()))
    server.close()
    taken.close()


def test_only_binding_requests_are_answered() -> None:
    good = bytes(binding())
    assert respond(good, HERE) is not None
    for kind in (0x0011, 0x0101, 0x0111, 0x0003, 0x0004):
        assert respond(struct.pack("!H", kind) + good[2:], HERE) is None
    assert respond(good[:4] + bytes(4) + good[8:], HERE) is None, "RFC 3489 clients have no magic cookie"


def test_attributes_that_must_be_understood_and_are_not_are_named() -> None:
    body = struct.pack("!HHI", 0x7F01, 4, 0) + struct.pack("!HHI", 0x8022, 4, 0)
    request = struct.pack("!HHI12s", 1, len(body), 0x2112A442, b"t" * 12) + body
    answer = respond(request, HERE)
    assert answer is not None
    assert answer[:2] == b"\x01\x11"
    assert b"\0\x09" in answer
    assert answer.endswith(b"\0\x0a\0\x02\x7f\x01\0\0")


def test_a_clients_credentials_are_passed_over() -> None:
    request = binding()
    request.attributes["USERNAME"] = "someone"
    request.add_message_integrity(b"secret")
    answer = respond(bytes(request), HERE)
    assert answer is not None
    assert stun.parse_message(answer).attributes["XOR-MAPPED-ADDRESS"] == HERE


@given(st.binary(max_size=600), st.booleans())
def test_no_datagram_is_answered_with_more_than_a_few_bytes(tail: bytes, well_formed: bool) -> None:
    data = struct.pack("!HHI12s", 1, len(tail), 0x2112A442, b"t" * 12) + tail if well_formed else tail
    answer = respond(data, HERE)
    assert answer is None or len(answer) <= max(80, 2 * len(data))


def test_the_list_is_never_empty_and_has_known_keys_only() -> None:
    assert ice_servers(TransportSettings(), "192.0.2.9", now=0) == [{"urls": "stun:192.0.2.9:3478"}]


@pytest.mark.parametrize(
    ("host", "settings", "url"),
    [
        ("avatar.example.org", TransportSettings(), "stun:avatar.example.org:40000"),
        ("127.0.0.1", TransportSettings(), "stun:127.0.0.1:40000"),
        ("::1", TransportSettings(), "stun:localhost:40000"),
        ("[::1]", TransportSettings(), "stun:localhost:40000"),
        ("2001:db8::7", TransportSettings(), "stun:[2001:db8::7]:40000"),
        ("avatar.example.org", TransportSettings(public_ip="203.0.113.5"), "stun:203.0.113.5:40000"),
        ("h", TransportSettings(public_ip="203.0.113.5,2001:db8::7"), "stun:203.0.113.5:40000"),
    ],
)
def test_stun_is_named_where_the_client_can_reach_it(host: str, settings: TransportSettings, url: str) -> None:
    assert ice_servers(settings, host, stun_port=40_000, now=0) == [{"urls": url}]


def test_turn_credentials_are_coturns() -> None:
    settings = TransportSettings(turn_url="turn:turn.example.org:3478", turn_secret="north", turn_ttl_s=600)
    _, turn = ice_servers(settings, "h", now=1_000_000.7)
    expected = hmac.new(b"north", b"1000600:mouthpiece", hashlib.sha1).digest()
    assert turn == {
        "urls": "turn:turn.example.org:3478",
        "username": "1000600:mouthpiece",
        "credential": base64.b64encode(expected).decode(),
    }


def test_several_turn_addresses_share_credentials() -> None:
    urls = "turn:t.example.org, turns:t.example.org:5349?transport=tcp"
    _, turn = ice_servers(TransportSettings(turn_url=urls, turn_secret="s"), "h", now=0)
    assert turn["urls"] == ["turn:t.example.org", "turns:t.example.org:5349?transport=tcp"]
    servers = [RTCIceServer(**server) for server in ice_servers(TransportSettings(turn_url=urls), "h", now=0)]  # type: ignore[arg-type]
    assert connection_kwargs(servers)["turn_server"] == ("t.example.org", 3478)


async def test_an_unmodified_client_takes_the_list(server: StunServer) -> None:
    servers = ice_servers(TransportSettings(), "::1", stun_port=server.port, now=0)
    client = RTCPeerConnection(RTCConfiguration(iceServers=[RTCIceServer(**s) for s in servers]))  # type: ignore[arg-type]
    client.addTransceiver("audio", direction="recvonly")
    await client.setLocalDescription(await client.createOffer())
    found = [line for line in client.localDescription.sdp.splitlines() if "typ srflx" in line]
    await client.close()
    if is_loopback(local_addresses()[0]):
        pytest.skip("this machine has no address but loopback, which clients leave out")
    assert found
