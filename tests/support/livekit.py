"""A real LiveKit server on loopback. CI installs it (see .ci/run); elsewhere tests without one skip, and say why."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mouthpiece.bench.rooms import LiveKit, rooms
from mouthpiece.bench.rooms import Rooms as LiveKitServer

__all__ = ["KEY", "SECRET", "LiveKitServer", "livekit_server", "program"]

INSTALLED = Path(__file__).resolve().parents[2] / ".clients" / "bin" / "livekit-server"
KEY, SECRET = "devkey", "a-secret-for-tests-that-is-long-enough"


def program() -> str:
    """Path of a LiveKit server; skips the test without one."""
    found = str(INSTALLED) if INSTALLED.exists() else shutil.which("livekit-server")
    if found is None:
        pytest.skip("no livekit-server on this machine (.ci/run installs it where there is Go)")
    return found


@contextmanager
def livekit_server() -> Iterator[LiveKitServer]:
    """Run one until the block ends."""
    with rooms(LiveKit(key=KEY, secret=SECRET, program=program())) as it:
        yield it
