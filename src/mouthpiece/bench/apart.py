"""The other side of a bench in a process of its own, so that what it costs is counted apart."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mouthpiece.errors import Unavailable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@contextmanager
def apart(module: str, plan: DataclassInstance) -> Iterator[subprocess.Popen[str]]:
    """Run a module with ``plan`` as JSON on its standard input. However the block ends, the process ends with it."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None, "asked for above"
            process.stdin.write(json.dumps(asdict(plan)))
            process.stdin.close()
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], word: str) -> str:
    """The rest of the next line that begins with ``word``. Raises Unavailable when the process fails first."""
    assert process.stdout is not None, "asked for in apart"
    for line in process.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise Unavailable(reason=f"the other side of the bench ended with {process.wait()}")


def outcome_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it says in the end, when it has left everything in order."""
    said: dict[str, Any] = json.loads(wait_for(process, "outcome"))
    process.wait()
    return said
