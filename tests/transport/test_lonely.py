"""A machine with nothing but ``lo`` still serves."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.support.namespaces import INSIDE, namespaces


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
