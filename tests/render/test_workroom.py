"""Folders of work: one each, and none stays behind a server that was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mouthpiece.render.workroom import workroom


def test_each_has_its_own_and_it_goes_with_them(tmp_path: Path) -> None:
    with workroom(tmp_path) as first, workroom(tmp_path) as second:
        assert first != second
        assert first.is_dir()
        assert oct(first.stat().st_mode)[-3:] == "700"
    assert list(tmp_path.iterdir()) == []


def test_what_the_killed_left_is_cleared_away(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from mouthpiece.render.workroom import workroom\n"
        "with workroom(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'big').write_text('x'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    assert (left / "big").exists()
    with workroom(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]
