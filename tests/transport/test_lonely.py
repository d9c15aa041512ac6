"""A machine with nothing but ``lo`` still serves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache

import pytest

INSIDE = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@cache
def namespaces() -> bool:
    """Whether this user may make a network namespace."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run([*INSIDE, "true"], capture_output=True, check=False).returncode == 0


def test_with_nothing_but_loopback_media_flows() -> None:
    if not namespaces():
        pytest.skip("network namespaces are not permitted here (needs unshare and ip)")
    command = [*INSIDE, sys.executable, "-m", "tests.transport.lonely"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["hosts"] == ["127.0.0.1", "::1"]
    assert report["stun"] == 3478
    assert report["pictures"] >= 3
    assert report["sounds"] >= 3
