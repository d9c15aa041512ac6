from __future__ import annotations

from pathlib import Path

import pytest
from tests.simli.conftest import front, shared, start

__all__ = ["front", "log", "shared", "start"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the echo workers of a test write down how their clients left."""
    return tmp_path / "echo.log"
