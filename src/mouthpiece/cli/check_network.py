"""The network: the port, UDP, addresses, STUN, TURN, certificates."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Final

from mouthpiece.cli.findings import Finding, failure, note, ok, warning
from mouthpiece.errors import StartupError, Unavailable
from mouthpiece.settings import Settings

_ECHO_S: Final = 1.0
_EXPIRY_DAYS: Final = 14


def port(settings: Settings) -> Finding:
    """The TCP port is free, or ours."""
    from mouthpiece.app.net import bind

    server = settings.server
    where = f"TCP {server.port} on {server.host}"
    try:
        for sock in bind(server.host, server.port):
            sock.close()
    except StartupError as error:
        if _is_ours(settings):
            return ok("port", f"{where}: a mouthpiece server runs there")
        return failure("port", str(error.facts["reason"]), str(error.facts["remedy"]))
    return ok("port", f"{where} is free")


def _is_ours(settings: Settings) -> bool:
    import httpx  # slow to load, and every verb passes through this file

    from mouthpiece.app.net import shown_url

    url = shown_url(settings.server, settings.server.port)
    try:
        openapi = httpx.get(f"{url}/openapi.json", verify=False, timeout=2.0, trust_env=False)  # noqa: S501 - ourselves
        return openapi.status_code == 200 and openapi.json()["info"]["title"] == "mouthpiece"
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def udp(settings: Settings) -> Finding:
    """A datagram arrives on every address that media will use."""
    from mouthpiece.transport.ice import places

    ports = settings.transport.udp_ports
    binds = [place.bind for place in places(settings.server.host, settings.transport.public_ip)]
    reached = [address for address in binds if _echo(address, ports)]
    silent = [address for address in binds if address not in reached]
    which = f"ports {ports[0]}-{ports[1]}" if ports else "any port"
    if not reached:
        remedy = "allow UDP for this process (container, sandbox, firewall), or widen transport.udp_ports"
        return failure("udp", f"no datagram arrived on {', '.join(silent)} ({which})", remedy)
    if silent and any(":" not in address for address in silent):
        remedy = "viewers are offered the others only; check the firewall of this machine"
        return warning("udp", f"no datagram arrived on {', '.join(silent)}", remedy)
    return ok("udp", f"datagrams arrive on {', '.join(reached)} ({which})")


def _echo(address: str, ports: tuple[int, int] | None) -> bool:
    """Whether a datagram that is sent to a socket on this address comes out of it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for number in range(ports[0], ports[1] + 1) if ports else (0,):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as taker, socket.socket(family, socket.SOCK_DGRAM) as giver:
                taker.bind((address, number))
                taker.settimeout(_ECHO_S)
                giver.sendto(b"mouthpiece", _target(taker, address))
                return taker.recv(64) == b"mouthpiece"
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return False
    return False


def _target(taker: socket.socket, address: str) -> tuple[str, int]:
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - read, not bound
    return here, int(taker.getsockname()[1])


def addresses(settings: Settings) -> Finding:
    """Who can reach the server, and what viewers are told."""
    from mouthpiece.transport.ice import is_loopback, local_addresses, places

    host, public = settings.server.host, settings.transport.public_ip
    if is_loopback(host) and not public:
        return note("addresses", f"{host}: only this machine reaches the server", "for others: --host 0.0.0.0")
    if all(is_loopback(address) for address in local_addresses()):
        return warning("addresses", "this machine has no address but loopback", "connect it, or serve on 127.0.0.1")
    told = ", ".join(place.advertise for place in places(host, public))
    if public:
        return ok("addresses", f"viewers are told {told}")
    return note("addresses", f"viewers are told {told}", "for viewers beyond this network: --public-ip")


def stun(settings: Settings) -> Finding:
    """The built-in responder's port."""
    wanted = settings.transport.stun_port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("", wanted))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and _is_ours(settings):
                return ok("stun", f"UDP {wanted} is in use, and the server runs")
            remedy = "a free port will be used instead; name one that your firewall opens: transport.stun_port"
            return warning("stun", f"UDP {wanted} cannot be bound ({error.strerror})", remedy)
    return ok("stun", f"UDP {wanted} is free for the built-in responder")


def turn(settings: Settings) -> list[Finding]:
    """Every TURN server gives a relay address for the credentials that viewers get."""
    from mouthpiece.transport.turn import try_turn

    if settings.transport.turn_url is None:
        return [note("turn", "none set; only viewers behind strict firewalls need one", "transport.turn_url")]
    if settings.transport.turn_secret is None:
        remedy = "set transport.turn_secret to the server's static-auth-secret"
        return [warning("turn", "a TURN server without a secret: viewers get no credentials", remedy)]
    findings = []
    for uri in settings.transport.turn_url.split(","):
        try:
            relay = asyncio.run(try_turn(uri, settings.transport, time.time()))
            findings.append(ok("turn", f"{uri.strip()} relays at {relay}"))
        except (Unavailable, ValueError) as error:
            reason = error.facts["reason"] if isinstance(error, Unavailable) else error
            remedy = "check transport.turn_url, turn_secret, and that the server runs"
            findings.append(failure("turn", f"{uri.strip()}: {reason}", remedy))
    return findings


def tls(settings: Settings) -> Finding:
    """The certificate and its key can be used, and go on being valid."""
    from mouthpiece.transport.ice import is_loopback

    server = settings.server
    if server.tls_cert is not None and server.tls_key is not None:
        return _given_certificate(str(server.tls_cert), str(server.tls_key))
    if server.tls == "self":
        return ok("tls", "a certificate is made at start; browsers ask to accept it once")
    if is_loopback(server.host):
        return ok("tls", "off; browsers trust pages of this machine without it")
    remedy = "browsers give a microphone to secure pages only: --tls self, --tls-cert, or a proxy with TLS in front"
    return warning("tls", "off, and the server listens on more than this machine", remedy)


def _given_certificate(cert: str, key: str) -> Finding:
    from cryptography import x509

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key)
        with open(cert, "rb") as file:
            ends = x509.load_pem_x509_certificate(file.read()).not_valid_after_utc
    except (OSError, ssl.SSLError, ValueError) as error:
        return failure("tls", f"{cert} and {key} cannot be used ({error})", "give a chain and its key, both in PEM")
    days = (ends - datetime.now(UTC)).days
    text = f"{cert} is valid until {ends:%Y-%m-%d}"
    if days < 0:
        return failure("tls", f"{cert} ended on {ends:%Y-%m-%d}", "renew it")
    return warning("tls", text, "renew it soon") if days < _EXPIRY_DAYS else ok("tls", text)
