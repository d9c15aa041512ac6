"""A folder for the work in hand of one server, and an end to those of servers that were killed."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"


@contextlib.contextmanager
def workroom(parent: Path) -> Iterator[Path]:
    """A folder of one's own below ``parent``, gone after the block. Those that nobody holds any more go at once."""
    folder = parent / uuid.uuid4().hex
    folder.mkdir(mode=0o700, parents=True)
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for other in parent.iterdir():
            if other != folder and _left(other):
                shutil.rmtree(other, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _left(folder: Path) -> bool:
    """Whether its server is gone. A folder that is only just being made has no lock yet: it is left alone."""
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
