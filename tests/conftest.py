"""For every test: code is compiled once, and kept for the processes that tests start and for the next run."""

import os
from pathlib import Path

# Before anything imports numba, which reads it once.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "numba"))
