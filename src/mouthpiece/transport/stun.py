"""A STUN server that answers Binding requests (RFC 8489), and the ICE servers that clients are told about.

Clients wait for their ICE servers: with none some never start, with an unreachable one they start five seconds late.
So the server has one of its own, always.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import hmac
import ipaddress
import socket
import struct
from typing import Final, cast

from mouthpiece.errors import StartupError
from mouthpiece.settings import TransportSettings
from mouthpiece.transport.ice import LOOPBACK, is_loopback, is_wildcard, places

MAGIC: Final = 0x2112A442
BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111
MAPPED_ADDRESS: Final = 0x0001
ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
XOR_MAPPED_ADDRESS: Final = 0x0020
HEADER: Final = struct.Struct("!HHI12s")
MAX_REQUEST: Final = 548
"""Bytes; RFC 8489 section 6.1 keeps requests over IPv4 below this when the path's MTU is unknown."""
_KNOWN: Final = frozenset({0x0006, 0x0008, 0x001C, 0x001E, 0x0014, 0x0015, 0x0024, 0x0025, 0x0003})
"""Comprehension-required attributes that a client may send and a server without accounts may pass over: USERNAME,
MESSAGE-INTEGRITY (both), USERHASH, REALM, NONCE, and ICE's PRIORITY, USE-CANDIDATE and CHANGE-REQUEST."""


def respond(data: bytes, address: tuple[str, int]) -> bytes | None:
    """The answer to one datagram from ``address``, None for everything that is not a Binding request."""
    if not HEADER.size <= len(data) <= MAX_REQUEST:
        return None
    kind, length, magic, transaction = HEADER.unpack_from(data)
    if kind != BINDING_REQUEST or magic != MAGIC or length % 4 or length != len(data) - HEADER.size:
        return None
    unknown = _unknown_attributes(data[HEADER.size :])
    if unknown is None:
        return None
    if unknown:
        body = _attribute(ERROR_CODE, struct.pack("!HBB", 0, 4, 20) + b"Unknown Attribute")
        body += _attribute(UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown))
        return HEADER.pack(BINDING_ERROR, len(body), MAGIC, transaction) + body
    body = _attribute(XOR_MAPPED_ADDRESS, _xor_address(address, transaction))
    return HEADER.pack(BINDING_SUCCESS, len(body), MAGIC, transaction) + body


def _unknown_attributes(body: bytes) -> list[int] | None:
    """The comprehension-required attributes that we do not know; None when the attributes do not parse."""
    unknown, at = [], 0
    while at < len(body):
        if at + 4 > len(body):
            return None
        kind, length = struct.unpack_from("!HH", body, at)
        at += 4 + length + -length % 4
        if at > len(body):
            return None
        if kind < 0x8000 and kind not in _KNOWN:
            unknown.append(kind)
    return unknown


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _xor_address(address: tuple[str, int], transaction: bytes) -> bytes:
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    key = struct.pack("!I", MAGIC) + transaction
    mixed = bytes(a ^ b for a, b in zip(ip.packed, key, strict=False))
    return struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, address[1] ^ MAGIC >> 16) + mixed


class _Responder(asyncio.DatagramProtocol):
    """Stateless: one datagram in, at most one out, never larger than about the request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is one in all but its class

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = respond(data, addr)
        if reply is not None:
            self._transport.sendto(reply, addr)


class StunServer:
    """The built-in responder: ``await StunServer.open(host, port)``, then ``port``, then ``close()``.

    ``host`` as for the web server. Bound to everything, each answer leaves from the address that was asked.
    """

    def __init__(self, transports: list[asyncio.DatagramTransport], port: int) -> None:
        self._transports = transports
        self.port = port
        """The UDP port that was bound."""

    @classmethod
    async def open(cls, host: str, port: int) -> StunServer:
        """Bind ``port``, or a free one when it is taken. Raises StartupError when there is no UDP at all."""
        for wanted in (port, 0):
            sockets = _bind_all(_addresses(host), wanted)
            if sockets:
                break
        else:
            raise StartupError(reason=f"no UDP port could be bound on {host}", remedy="allow UDP, or check --host")
        loop = asyncio.get_running_loop()
        transports = [(await loop.create_datagram_endpoint(_Responder, sock=sock))[0] for sock in sockets]
        return cls(transports, sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop answering. Idempotent."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()


def _addresses(host: str) -> list[str]:
    """Every address to answer on. One socket each, not one for all: replies must come from the address asked."""
    bound = [place.bind for place in places(host, None)]
    return bound if is_loopback(host) or not is_wildcard(host) else [*dict.fromkeys([*bound, *LOOPBACK])]


def _bind_all(addresses: list[str], port: int) -> list[socket.socket]:
    """Sockets on one port of every address that is there; none when the port is taken on any of them."""
    sockets: list[socket.socket] = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM)
        except OSError:
            continue
        sock.setblocking(False)
        try:
            sock.bind((address, port))
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                continue
            for other in sockets:
                other.close()
            return []
        sockets.append(sock)
        port = sock.getsockname()[1]
    return sockets


# --- what clients are told -----------------------------------------------------------------------------------------
IceServer = dict[str, str | list[str]]


def ice_servers(settings: TransportSettings, host: str, *, stun_port: int | None = None, now: float) -> list[IceServer]:
    """The ICE servers for a client that reached us as ``host`` (a name or an address, no port). Never empty.

    Our own STUN at the address that the client can reach, and TURN with credentials that expire ``turn_ttl_s`` after
    ``now`` (seconds since 1970). Only the keys ``urls``, ``username`` and ``credential`` are used: clients choke on
    others.
    """
    reached = (settings.public_ip or host).partition(",")[0].strip()
    servers: list[IceServer] = [{"urls": f"stun:{_url_host(reached)}:{stun_port or settings.stun_port}"}]
    if settings.turn_url:
        urls = [url.strip() for url in settings.turn_url.split(",")]
        turn: IceServer = {"urls": urls if len(urls) > 1 else urls[0]}
        if settings.turn_secret:
            turn |= turn_credentials(settings.turn_secret, now + settings.turn_ttl_s)
        servers.append(turn)
    return servers


def turn_credentials(secret: str, expires: float) -> IceServer:
    """Time-limited credentials as coturn's ``use-auth-secret`` checks them (draft-uberti-behave-turn-rest-00)."""
    username = f"{int(expires)}:mouthpiece"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return {"username": username, "credential": base64.b64encode(digest).decode()}


def _url_host(host: str) -> str:
    """A host as it stands in a URL. IPv6 loopback becomes a name: aiortc's clients cannot read bracketed addresses."""
    bare = host.strip("[]")
    if bare == "::1":
        return "localhost"
    return f"[{bare}]" if ":" in bare else bare
