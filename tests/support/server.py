"""A real ``mouthpiece serve`` for tests: its own process, its own data folder, a free port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

KEY = "test-key-of-the-first-account"
OTHER_KEY = "test-key-of-the-second-account"

COMPILED = {"NUMBA_CACHE_DIR": str(Path(__file__).parents[2] / ".numba")}
"""One cache of compiled code for all servers of the tests; compiling takes ten seconds and more."""


@dataclass(frozen=True)
class Server:
    """Where it listens, and the process."""

    url: str
    ready_url: str
    data: Path
    process: subprocess.Popen[str]

    @property
    def ws(self) -> str:
        return self.url.replace("http", "ws", 1)

    def token(self, key: str = KEY, **body: object) -> str:
        """A session token."""
        answer = httpx.post(
            f"{self.url}/compose/token", json={"faceId": "tmp9i8bbq7c", **body}, headers={"x-simli-api-key": key}
        )
        answer.raise_for_status()
        return str(answer.json()["session_token"])


@contextmanager
def serving(
    data: Path, flags: Sequence[str] = ("--workers", "0"), environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a server until the block ends; fails with its output if it never gets ready."""
    port = free_port()
    command = [sys.executable, "-m", "mouthpiece", "serve", "--port", str(port), "--data", str(data), *flags]
    env = {
        **os.environ,
        **COMPILED,
        "MOUTHPIECE_AGENTS_WARM": "false",
        "MOUTHPIECE_API_KEYS": f"{KEY},{OTHER_KEY}",
        **(environ or {}),
    }
    log = data.parent / f"{data.name}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=env, text=True)
    try:
        ready_url = _ready_url(process, log)
        yield Server(re.sub(r"/?(\?.*)?$", "", ready_url), ready_url, data, process)
    finally:
        try:
            _end(process)
        finally:
            assert process.stdout is not None
            process.stdout.close()


def _end(process: subprocess.Popen[str]) -> None:
    """The second signal means now; on a busy machine two that come close together may count as one."""
    for _ in range(40):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    raise AssertionError("the server does not end")


def _ready_url(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"https?://\S+", line):
            return found[0]
    raise AssertionError(f"the server ended with {process.wait()}:\n{log.read_text()[-4000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
