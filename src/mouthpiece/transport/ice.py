"""Which addresses and ports the media uses: ICE host candidates, bound and advertised our way.

The ICE library binds every address but loopback, on any port. Here the server's own host decides: bound to loopback
it offers loopback only, a machine with nothing but ``lo`` still works, a public address may stand in for the private
one, and ports can be kept in a range that a firewall opens.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import ifaddr
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol

from mouthpiece.errors import Unavailable
from mouthpiece.settings import TransportSettings

MAX_ADDRESSES: Final = 16
RECEIVE_BUFFER: Final = 256 * 1024
LOOPBACK: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Place:
    """An address to bind, and the one to advertise for it."""

    bind: str
    advertise: str


def is_loopback(host: str) -> bool:
    """Whether a server bound to ``host`` can be reached from its own machine only."""
    if host == "localhost":
        return True
    address = _ip(host)
    return address is not None and address.is_loopback


def is_wildcard(host: str) -> bool:
    """Whether ``host`` stands for every address of the machine; other names than localhost count as that."""
    address = _ip(host)
    return host != "localhost" and (address is None or address.is_unspecified)


def local_addresses() -> list[str]:
    """This machine's addresses: IPv4 and global IPv6, without loopback and link-local; loopback if that is all."""
    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = _ip(text)
            if address is not None and not address.is_loopback and not address.is_link_local:
                found.append(text)
    return found[:MAX_ADDRESSES] or list(LOOPBACK)


def places(host: str, public_ip: str | None) -> list[Place]:
    """Where to bind and what to advertise, for a server that listens on ``host``.

    ``public_ip`` (one address, or an IPv4 and an IPv6 one with a comma between) replaces all others. If it is not an
    address of this machine, every local address is bound, and the NAT in front is expected to keep the port.
    """
    if public_ip:
        wanted = [part.strip() for part in public_ip.split(",")]
        ours = {*local_addresses(), *LOOPBACK}
        return [Place(ip if ip in ours else _any(ip), ip) for ip in wanted]
    if is_loopback(host):
        return [Place(ip, ip) for ip in LOOPBACK]
    return [Place(ip, ip) for ip in (local_addresses() if is_wildcard(host) else [host])]


def arrange(connection: Connection, host: str, settings: TransportSettings) -> None:
    """Make an ICE connection gather exactly our candidates.

    Gathering raises Unavailable when no socket could be bound at all.
    """

    async def gather(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        sockets = [await _open(connection, place, settings.udp_ports) for place in places(host, settings.public_ip)]
        protocols = [protocol for protocol in sockets if protocol is not None]
        if not protocols:
            raise Unavailable(reason="no UDP port could be bound for media: check udp_ports and the host's addresses")
        connection._protocols += protocols
        return [protocol.local_candidate for protocol in protocols]

    connection.get_component_candidates = gather  # type: ignore[method-assign]


async def _open(connection: Connection, place: Place, ports: tuple[int, int] | None) -> StunProtocol | None:
    sock = _bind(place.bind, ports)
    if sock is None:
        return None
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(lambda: StunProtocol(connection), sock=sock)
    protocol.local_candidate = Candidate(
        foundation=candidate_foundation("host", "udp", place.advertise),
        component=1,
        transport="udp",
        priority=candidate_priority(1, "host"),
        host=place.advertise,
        port=sock.getsockname()[1],
        type="host",
    )
    return protocol


def _bind(address: str, ports: tuple[int, int] | None) -> socket.socket | None:
    """A UDP socket on a free port of the range; None when the address is not there or the range is used up."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        return None
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.setblocking(False)
    for port in _ports(ports):
        try:
            sock.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                break
        else:
            return sock
    sock.close()
    return None


def _ports(ports: tuple[int, int] | None) -> Iterator[int]:
    """Ports to try: any free one, or the whole range from a random start."""
    if ports is None:
        yield 0
        return
    first, last = ports
    start = random.randint(first, last)
    yield from range(start, last + 1)
    yield from range(first, start)


def _any(ip: str) -> str:
    return "::" if ":" in ip else "0.0.0.0"  # noqa: S104 - behind NAT, whose rules decide


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
