"""Requests to addresses that a caller named: only to where a stranger may send us.

The check is made on the very address that the socket connects to, so a name that answers differently the second time
(DNS rebinding) gains nothing, and no spelling of an address slips through. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

import httpcore
import httpx
from httpcore._backends.auto import AutoBackend

from mouthpiece.errors import BadInput

_DENIED: Final = tuple(ipaddress.ip_network(net) for net in ("192.0.0.0/24", "168.63.129.16/32", "64:ff9b::/96"))
"""Beside what is not globally routable: protocol assignments, a cloud's own services, and IPv4 in disguise (NAT64)."""

SCHEMES: Final = ("http", "https")


class NotAllowed(httpcore.ConnectError):
    """The address is not one that callers may name."""


class Rules:
    """Which hosts callers may name: every public one, and those that the operator allowed by name.

    ``allowed`` are host names or addresses, with or without a port, as in ``MOUTHPIECE_ALLOW_HOSTS``.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(name.strip().lower() for name in allowed)

    def names(self, host: str, port: int) -> bool:
        """Whether the operator allowed this host by name."""
        host = host.lower().strip("[]")
        return bool({host, f"{host}:{port}", f"[{host}]:{port}", f"[{host}]"} & self._allowed)

    async def check(self, url: str) -> None:
        """Raises BadInput, in words for the caller, when the URL cannot be used."""
        host, port = parts(url)
        if self.names(host, port):
            return
        try:
            await addresses(host, port)
        except NotAllowed as error:
            raise BadInput(reason=str(error)) from None
        except OSError as error:
            raise BadInput(reason=f"the host {host} cannot be found ({error.strerror or error})") from None


def parts(url: str) -> tuple[str, int]:
    """Host and port of an HTTP URL. Raises BadInput for anything else, and for a URL with a password in it."""
    try:
        httpx.URL(url)
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except (ValueError, httpx.InvalidURL):
        raise BadInput(reason="the URL cannot be read") from None
    if split.scheme not in SCHEMES or not host:
        raise BadInput(reason="the URL must begin with http:// or https://")
    if split.username or split.password:
        raise BadInput(reason="the URL must not hold a name or a password: give the key in its own field")
    return host, port or (443 if split.scheme == "https" else 80)


async def addresses(host: str, port: int) -> Sequence[str]:
    """The public addresses of a host. Raises NotAllowed when any of them is not, OSError when there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = list(dict.fromkeys(str(info[4][0]) for info in found))
    for number in numbers:
        if not public(number):
            raise NotAllowed(
                f"{host} is a private address, which callers may not name: the operator of this server can allow it "
                f"with MOUTHPIECE_ALLOW_HOSTS={host}"
            )
    return numbers


def public(number: str) -> bool:
    """Whether an address is one that the whole internet may reach."""
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return public(str(inner))
    denied = any(address.version == net.version and address in net for net in _DENIED)
    return address.is_global and not address.is_multicast and not denied


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._inner = AutoBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses, the very one that was checked."""
        if self._rules.names(host, port):
            return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            numbers = await asyncio.wait_for(addresses(host, port), timeout)
        except NotAllowed:
            raise
        except (OSError, TimeoutError) as error:
            raise httpcore.ConnectError(f"the host {host} cannot be found") from error
        return await self._inner.connect_tcp(numbers[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise NotAllowed("no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def client(rules: Rules | None, timeout_s: float) -> httpx.AsyncClient:
    """An HTTP client that keeps the rules (None: an operator's own address, trusted). Follows no redirect.

    ``timeout_s`` bounds each single wait: to connect, and for the next bytes.
    """
    transport = httpx.AsyncHTTPTransport(retries=0)
    if rules is not None:
        # httpx has no way to give its pool a backend; the pool is made anew, as its own constructor does.
        transport._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(), max_connections=4, network_backend=_Backend(rules)
        )
    return httpx.AsyncClient(transport=transport, timeout=timeout_s, trust_env=False, follow_redirects=False)
