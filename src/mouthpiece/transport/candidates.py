"""Which of a stranger's ICE candidates are worth a packet (RFC 8839 section 5.1)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final

MAX_CANDIDATES: Final = 32
"""Remote candidates taken from one peer: each costs pairs, and packets to addresses that a stranger chose."""
LOWEST_PORT: Final = 1024
_FOUNDATION: Final = re.compile(r"[A-Za-z0-9+/]{1,64}")
_LINE: Final = re.compile(
    r"(\S+) 1 (?i:udp) (\d{1,10}) (\S{1,64}) (\d{1,5}) typ (host|srflx|prflx|relay)( .*)?", re.ASCII
)


def usable_candidates(lines: Iterable[str], *, loopback: bool) -> Iterator[str]:
    """The candidates that may be sent packets to, without duplicates, each as ``foundation 1 udp … typ …``.

    UDP component 1 only. Dropped are: ports below 1024 and multicast, broadcast, unspecified and link-local
    addresses, because a stranger chose them; names (mDNS), because our own candidates are reachable, so the peer's
    checks tell its address sooner than a lookup; loopback, unless we are on loopback ourselves (``loopback``).
    """
    seen: set[tuple[str, str]] = set()
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        foundation, priority, host, port, kind = match.groups()[:5]
        allowed = LOWEST_PORT <= int(port) <= 65535 and _reachable(host, loopback=loopback)
        if not allowed or (host, port) in seen or not _FOUNDATION.fullmatch(foundation):
            continue
        seen.add((host, port))
        known = "srflx" if kind == "prflx" else kind  # as good as one, and the ICE library knows no signalled prflx
        yield f"{foundation} 1 udp {priority} {host} {port} typ {known}"


def _reachable(host: str, *, loopback: bool) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if getattr(address, "ipv4_mapped", None) or host == "255.255.255.255":
        return False
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    return loopback or not address.is_loopback
