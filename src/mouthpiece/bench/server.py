"""A real server in its own process, and what it uses."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from mouthpiece.errors import Unavailable

KEY: Final = "bench-key"
QUIET: Final = {"MOUTHPIECE_SERVER_LOG_LEVEL": "warning", "MOUTHPIECE_AGENTS_WARM": "false"}
"""The main job alone is measured, whatever extras are installed."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Server:
    """A running ``mouthpiece serve``."""

    url: str
    process: subprocess.Popen[str]

    def cpu_s(self, helper: str = "") -> float:
        """CPU-seconds used so far by the server and its children (user and system); by those called so only."""
        return sum(_cpu_of(pid) for pid in self._processes(helper))

    def rss_mb(self, helper: str = "") -> float:
        """Resident memory of the server and its children, in MB; of those called so only."""
        return sum(_rss_of(pid) for pid in self._processes(helper))

    def _processes(self, helper: str) -> list[int]:
        return [pid for pid in _family(self.process.pid) if helper in _command_of(pid)]

    def metrics(self) -> dict[str, float]:
        """What ``/metrics`` says, by name and labels."""
        text = httpx.get(f"{self.url}/metrics", timeout=10).text
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


@contextmanager
def running(flags: Sequence[str] = (), environ: dict[str, str] | None = None) -> Iterator[Server]:
    """Start a server on a free loopback port with a fresh data folder; ends it. Raises Unavailable."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="mouthpiece-bench-") as data:
        command = [sys.executable, "-m", "mouthpiece", "serve", "--port", str(port), "--data", data, *flags]
        env = {"NUMBA_CACHE_DIR": str(_compiled()), **QUIET, **os.environ}
        env |= {"MOUTHPIECE_API_KEYS": KEY, **(environ or {})}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) as process:
            try:
                yield Server(_ready_url(process), process)
            finally:
                for _ in range(2):  # the second one means now
                    process.send_signal(signal.SIGTERM)


def _compiled() -> Path:
    """One cache of compiled code for all benches: compiling anew would be measured as a cold start each time."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "mouthpiece" / "numba"


def _ready_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None, "asked for above"
    for line in process.stdout:
        if found := re.search(r"(https?://[^\s/?]+)", line):
            return found[1]
    raise Unavailable(reason=f"the server ended with {process.wait()} before it was ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    out = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            out += _family(int(child))
    return out


def end_children() -> None:
    """Tell whatever this process has started, and what that has started, to end."""
    for pid in _family(os.getpid())[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def cpu_of(pid: int) -> float:
    """CPU-seconds used so far by a process and all that descend from it."""
    return sum(_cpu_of(one) for one in _family(pid))


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss_of(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6
    except OSError:
        return 0.0
