from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the echo workers of a test write down how their clients left."""
    return tmp_path / "echo.log"
