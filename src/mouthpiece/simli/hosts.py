"""Which hosts a caller may have this server connect to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from mouthpiece.errors import BadInput, HostNotAllowed
from mouthpiece.settings import LiveKitSettings

_PORTS: Final = {"ws": 80, "http": 80, "wss": 443, "https": 443}


def check_livekit_url(url: str, own: LiveKitSettings, allow_hosts: Iterable[str]) -> None:
    """A LiveKit server that a caller names must be our own, or on a host that the operator allows.

    LiveKit's library looks the name up by itself, so the name must be trusted, not only the address. An entry of
    ``allow_hosts`` is a name or an address, with ``*.`` before it for everything below.

    Raises BadInput, HostNotAllowed.
    """
    address = _address(url)
    if address is None:
        raise BadInput(reason="livekit_url must be a ws:// or wss:// address")
    ours = {_address(text) for text in (own.url, own.public_url) if text}
    if address not in ours and not any(_matches(address[0], entry.lower()) for entry in allow_hosts):
        raise HostNotAllowed(what="livekit_url", host=address[0])


def _address(url: str) -> tuple[str, int] | None:
    """Host and port, None when it is no address that LiveKit's library understands."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname and "@" not in parts.netloc else None


def _matches(host: str, entry: str) -> bool:
    return host.endswith(entry[1:]) if entry.startswith("*.") else host == entry.strip("[]")
