"""Asks a TURN server for a relay address and gives it back, to see that it is there and takes our credentials."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from dataclasses import dataclass
from typing import Final

from aioice.stun import TransactionError
from aioice.turn import create_turn_endpoint

from mouthpiece.errors import Unavailable
from mouthpiece.settings import TransportSettings
from mouthpiece.transport.stun import turn_credentials

_URI: Final = re.compile(
    r"(?P<scheme>turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[^:?/\s]+)(:(?P<port>\d{1,5}))?(\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True, slots=True)
class TurnAddress:
    """A TURN URI (RFC 7065), read."""

    host: str
    port: int
    tcp: bool
    tls: bool


def turn_address(uri: str) -> TurnAddress:
    """Read ``turn:HOST[:PORT][?transport=udp|tcp]`` or ``turns:...``. Raises ValueError."""
    found = _URI.fullmatch(uri.strip())
    if found is None:
        raise ValueError(f"{uri!r} is not a TURN address like turn:turn.example.org:3478")
    tls = found["scheme"] == "turns"
    return TurnAddress(
        found["host"].strip("[]"),
        int(found["port"] or (5349 if tls else 3478)),
        tls or found["transport"] == "tcp",
        tls,
    )


class _Receiver(asyncio.DatagramProtocol):
    """Nothing is relayed; only the end matters."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


async def try_turn(uri: str, settings: TransportSettings, now: float, patience_s: float = 5.0) -> str:
    """A relay address that the server at ``uri`` gave us, with the credentials that viewers would get at ``now``.

    Raises Unavailable with the reason.
    """
    address = turn_address(uri)
    given = turn_credentials(settings.turn_secret, now + settings.turn_ttl_s) if settings.turn_secret else {}
    try:
        async with asyncio.timeout(patience_s):
            relay, receiver = await create_turn_endpoint(
                _Receiver,
                server_addr=await _reached(address),
                username=str(given.get("username", "")),
                password=str(given.get("credential", "")),
                ssl=address.tls,
                transport="tcp" if address.tcp else "udp",
            )
    except TimeoutError:
        raise Unavailable(reason=f"no answer within {patience_s:g} s") from None
    except (OSError, TransactionError) as error:
        raise Unavailable(reason=str(error)) from error
    host, port = relay.get_extra_info("sockname")[:2]
    relay.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await receiver.over.wait()
    return f"{host}:{port}"


async def _reached(address: TurnAddress) -> tuple[str, int]:
    """Where to send: over UDP an address of the name, over TCP the name itself, which TLS checks."""
    if address.tcp:
        return address.host, address.port
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    return str(found[0][4][0]), address.port
