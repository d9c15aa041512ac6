"""One server for all clients, and speech with pauses for them to send.

``MOUTHPIECE_TEST_COMPATIBILITY=docs/compatibility.md`` writes the outcome of the run into that page's table.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.clients.matrix import ROWS, Row, verdict, written
from tests.support.alone import alone
from tests.support.livekit import LiveKitServer, livekit_server
from tests.support.microphone import quiet, said
from tests.support.server import Server, serving

LINES = ("My mama bought a big blue boat.", "We follow five very fine foxes.", "How do you move a moon?")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data") as it:
        yield it


@pytest.fixture(scope="session")
def livekit() -> Iterator[LiveKitServer]:
    with livekit_server() as it:
        yield it


@pytest.fixture(scope="session")
def livekit_house(livekit: LiveKitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a LiveKit server beside it."""
    with serving(tmp_path_factory.mktemp("house") / "data", environ=livekit.environ) as it:
        yield it


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 8 s of speech in three bursts, raw PCM16LE at 16 kHz."""
    parts = [part for line in LINES for part in (said(line, None), quiet(0.9))]
    path = tmp_path_factory.mktemp("speech") / "speech.pcm"
    path.write_bytes(np.concatenate(parts).tobytes())
    return path


# --- the page of compatibility -------------------------------------------------------------------------------------
PAGE_VARIABLE = "MOUTHPIECE_TEST_COMPATIBILITY"
_outcomes: dict[Row, list[str]] = defaultdict(list)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how the tests of the table went: their call, or whatever kept them from it."""
    if report.when == "call" or report.outcome != "passed":
        for row in ROWS:
            if row.covers(report.nodeid):
                _outcomes[row].append(report.outcome)


def pytest_sessionfinish() -> None:
    """Write the table, if a page was named. Rows that did not run keep their last one."""
    if page := os.environ.get(PAGE_VARIABLE):
        path = Path(page)
        with alone(path.with_suffix(".lock")):
            path.write_text(written(path.read_text(), {row: verdict(all_) for row, all_ in _outcomes.items()}))
