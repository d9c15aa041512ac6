"""A LiveKit server for the benches: one that runs somewhere, or a program that runs as long as the bench does."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from mouthpiece.errors import NotConfigured, Unavailable

PROGRAM: Final = "livekit-server"
KEY, SECRET = "bench", "a-secret-for-measurements-on-loopback"
START_S: Final = 30.0

CONFIG: Final = """
port: {http}
bind_addresses: ["127.0.0.1"]
rtc:
  tcp_port: {tcp}
  udp_port: {udp}
  node_ip: 127.0.0.1
  use_external_ip: false
  enable_loopback_candidate: true
keys:
  {key}: {secret}
room:
  empty_timeout: 5
  departure_timeout: 2
logging:
  level: warn
"""


@dataclass(frozen=True, slots=True)
class LiveKit:
    """How to reach a LiveKit server; ``url`` may be empty, then ``program`` is run."""

    url: str = ""
    key: str = KEY
    secret: str = SECRET
    program: str = PROGRAM


@dataclass(frozen=True, slots=True)
class Rooms:
    """A LiveKit server that answers. ``process``: its own, where it was started here."""

    url: str
    key: str
    secret: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """Settings of ours that name it."""
        names = {"URL": self.url, "KEY": self.key, "SECRET": self.secret}
        return {f"MOUTHPIECE_LIVEKIT_{name}": value for name, value in names.items()}


@contextmanager
def rooms(livekit: LiveKit) -> Iterator[Rooms]:
    """The server that is named, or one on loopback. Raises NotConfigured without a program, Unavailable."""
    if livekit.url:
        yield Rooms(livekit.url, livekit.key, livekit.secret)
        return
    program = shutil.which(livekit.program)
    if program is None:
        raise NotConfigured(
            what=f"a LiveKit server ({livekit.program} is no program here)",
            remedy="give its address, or the path of the program, with --livekit",
        )
    with tempfile.TemporaryDirectory(prefix="mouthpiece-livekit-") as folder:
        yield from _run(program, livekit, Path(folder))


def _run(program: str, livekit: LiveKit, folder: Path) -> Iterator[Rooms]:
    http, tcp, udp = _free_ports()
    config = folder / "livekit.yaml"
    config.write_text(CONFIG.format(http=http, tcp=tcp, udp=udp, key=livekit.key, secret=livekit.secret))
    with (folder / "livekit.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--config", str(config), "--node-ip", "127.0.0.1"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(f"http://127.0.0.1:{http}/", process)
        yield Rooms(f"ws://127.0.0.1:{http}", livekit.key, livekit.secret, process)
    finally:
        process.kill()  # it would wait for its rooms to empty
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(reason=f"the LiveKit server ended with {process.returncode} before it answered")
        try:
            with urlopen(url, timeout=1):  # noqa: S310 -- an address that was made above
                return
        except (URLError, ConnectionError):
            time.sleep(0.05)
    raise Unavailable(reason=f"the LiveKit server did not answer within {START_S:g} s")


def _free_ports() -> tuple[int, int, int]:
    kinds = (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
    probes = [socket.socket(type=kind) for kind in kinds]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    first, second, third = (int(probe.getsockname()[1]) for probe in probes)
    for probe in probes:
        probe.close()
    return first, second, third
