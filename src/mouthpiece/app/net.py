"""Where the server listens: sockets bound before anything else starts, and the certificate."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mouthpiece.errors import StartupError
from mouthpiece.settings import ServerSettings

BACKLOG: Final = 1024
UNREAD_MS: Final = 30_000
"""A client that acknowledges nothing for this long is cut off, also while its window is closed (Linux)."""
SELF_SIGNED_DAYS: Final = 397
"""The longest that browsers accept of a certificate."""
_RENEW_DAYS: Final = 30


def bind(host: str, port: int) -> list[socket.socket]:
    """Bind every address of ``host``; nobody can connect yet. Port 0: any free one. Raises StartupError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartupError(reason=f"{host} is not an address ({error})", remedy="name another with --host") from None
    sockets: list[socket.socket] = []
    failures: list[OSError] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(_bind(family, str(address[0]), port or _port_of(sockets)))
        except OSError as error:
            failures.append(error)
    taken = next((error for error in failures if error.errno == errno.EADDRINUSE), None)
    if not sockets or taken:
        for sock in sockets:
            sock.close()
        raise _cannot_listen(host, port, taken or failures[0])
    return sockets


def listen(sockets: Sequence[socket.socket]) -> None:
    """Let clients in. Raises StartupError: two servers may bind at the same moment, but only one of them listens."""
    for sock in sockets:
        try:
            sock.listen(BACKLOG)
        except OSError as error:
            host, port, *_ = sock.getsockname()
            raise _cannot_listen(host, port, error) from None


def _bind(family: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        sock.bind((address, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _port_of(sockets: Sequence[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1]) if sockets else 0


def _cannot_listen(host: str, port: int, error: OSError) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        return StartupError(
            reason=f"port {port} on {host} is taken", remedy="end what uses it, or name another: --port"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return StartupError(reason=f"port {port} on {host} is not allowed", remedy="name one from 1024 up with --port")
    return StartupError(reason=f"cannot listen on {host} port {port} ({error.strerror})", remedy="name another: --host")


def listen_unix(path: Path) -> socket.socket:
    """A Unix socket that only this user reaches."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def shown_url(settings: ServerSettings, port: int) -> str:
    """The address to print: one that works on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 -- read, not bound
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if settings.tls or settings.tls_cert else 'http'}://{host}:{port}"


# --- TLS -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM."""

    cert: Path
    key: Path


def certificate(settings: ServerSettings, data: Path) -> Certificate | None:
    """What to serve with: the given files, our own certificate for ``--tls self``, or none. Raises StartupError."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        for path in (settings.tls_cert, settings.tls_key):
            if not os.access(path, os.R_OK):
                raise StartupError(reason=f"cannot read {path}", remedy="mend --tls-cert and --tls-key")
        return Certificate(settings.tls_cert, settings.tls_key)
    return _self_signed(settings.host, data) if settings.tls == "self" else None


def _self_signed(host: str, data: Path) -> Certificate:
    """Made once and kept, so that an exception granted in a browser lasts; made anew when it is about to end."""
    files = Certificate(data / "tls-cert.pem", data / "tls-key.pem")
    if files.cert.exists() and files.key.exists() and _still_good(files.cert, host):
        return files
    key = ec.generate_private_key(ec.SECP256R1())
    pem, raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    _write_private(files.key, key.private_bytes(pem, raw, serialization.NoEncryption()))
    files.cert.write_bytes(_sign(host, key).public_bytes(pem))
    return files


def _sign(host: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mouthpiece")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _names(host: str) -> list[x509.GeneralName]:
    """What the certificate is for: this machine's names, and the host that we listen on."""
    names: dict[str, x509.GeneralName] = {}
    for text in ("localhost", "127.0.0.1", "::1", host, socket.gethostname()):
        try:
            names[text] = x509.IPAddress(ipaddress.ip_address(text))
        except ValueError:
            names[text] = x509.DNSName(text)
    return list(names.values())


def _still_good(path: Path, host: str) -> bool:
    try:
        cert = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        return False
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    fresh = cert.not_valid_after_utc > datetime.now(UTC) + timedelta(days=_RENEW_DAYS)
    return fresh and all(name in names for name in _names(host))


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
