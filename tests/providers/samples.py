"""The sample servers of the customers' documentation, taken out of it word for word, and run."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.support.server import free_port

_NOT_THE_NEXT = "(?:(?!^Copy$).)*?"
_SOURCE = rf"^Copy\n((?:import|from){_NOT_THE_NEXT}StreamingResponse{_NOT_THE_NEXT}port=11000\))"


def sample(number: int) -> str:
    """The source of the n-th sample server; skips the test where the documents are not at hand."""
    folder = os.environ.get("MOUTHPIECE_TEST_DATA")
    if folder is None:
        pytest.skip("set MOUTHPIECE_TEST_DATA to a folder with the seeds")
    (document,) = (Path(folder) / "seeds").glob("003_*.txt")
    text = document.read_text()
    found = re.findall(_SOURCE, text, re.M | re.S)
    return str(found[number])


@contextlib.contextmanager
def running(source: str, folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a sample on a free port; its base URL."""
    port = free_port()
    (folder / "sample.py").write_text(source)
    command = [sys.executable, "-m", "uvicorn", "sample:app", "--port", str(port), "--no-access-log"]
    (folder / "dotenv.py").write_text("def load_dotenv(override=False): ...\n")  # there is no file to load
    environ = {**os.environ, **(environ or {})}
    process = subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if "Uvicorn running" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()
