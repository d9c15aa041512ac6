"""The command as a whole."""

from __future__ import annotations

import subprocess
import sys


def test_nothing_heavy_loads_before_a_verb_has_prepared_for_it() -> None:
    """Thread counts and the cache of compiled code are read by numpy and numba when they are imported."""
    heavy = "numpy", "numba", "av", "fastapi", "sqlalchemy", "aiortc"
    code = f"import sys, mouthpiece.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_server_needs_nothing_that_only_developers_install() -> None:
    code = "import sys; sys.modules['skia'] = None; import mouthpiece.app.run, mouthpiece.face.portrait"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
