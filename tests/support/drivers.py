"""Third-party clients in processes of their own: a plan goes in, what happened comes out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from tests.support.lips import Fit, fit


def driven(python: Path, driver: Path, plan: dict[str, Any], timeout_s: float = 120) -> dict[str, Any]:
    """Run one plan; what the client saw, heard and was told."""
    command = [str(python), str(driver), json.dumps(plan)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def lips(result: dict[str, Any]) -> Fit:
    """Whether the mouth that it saw moved with what it heard."""
    seen_at = np.array([at for at, _ in result["seen"]])
    mouths = np.array([mouth for _, mouth in result["seen"]])
    heard_at = np.array([at for at, _ in result["heard"]])
    rms = np.array([level for _, level in result["heard"]])
    return fit(seen_at, mouths, heard_at, rms)
