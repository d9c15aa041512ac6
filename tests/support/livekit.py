"""A real LiveKit server on loopback. CI installs it (see .ci/run); elsewhere tests without one skip, and say why."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALLED = Path(__file__).resolve().parents[2] / ".clients" / "bin" / "livekit-server"
KEY, SECRET = "devkey", "a-secret-for-tests-that-is-long-enough"

CONFIG = """
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
"""


@dataclass(frozen=True)
class LiveKitServer:
    """Where it is, and its process."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def environ(self) -> Mapping[str, str]:
        """Settings of ours that name it, and allow callers to name it."""
        return {
            "MOUTHPIECE_LIVEKIT_URL": self.url,
            "MOUTHPIECE_LIVEKIT_KEY": KEY,
            "MOUTHPIECE_LIVEKIT_SECRET": SECRET,
        }


def program() -> str:
    """Path of a LiveKit server; skips the test without one."""
    found = str(INSTALLED) if INSTALLED.exists() else shutil.which("livekit-server")
    if found is None:
        pytest.skip("no livekit-server on this machine (.ci/run installs it where there is Go)")
    return found


@contextmanager
def livekit_server(folder: Path) -> Iterator[LiveKitServer]:
    """Run one until the block ends."""
    http, tcp, udp = _free_ports()
    config = folder / "livekit.yaml"
    config.write_text(CONFIG.format(http=http, tcp=tcp, udp=udp, key=KEY, secret=SECRET))
    with (folder / "livekit.log").open("wb") as log:
        process = subprocess.Popen(
            [program(), "--config", str(config), "--node-ip", "127.0.0.1"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(f"http://127.0.0.1:{http}/", process)
        yield LiveKitServer(f"ws://127.0.0.1:{http}", process)
    finally:
        process.kill()  # it would wait for its rooms to empty
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        assert process.poll() is None, "livekit-server ended"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError("livekit-server did not answer")


def _free_ports() -> tuple[int, int, int]:
    kinds = (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
    probes = [socket.socket(type=kind) for kind in kinds]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    first, second, third = (int(probe.getsockname()[1]) for probe in probes)
    for probe in probes:
        probe.close()
    return first, second, third
