"""The page of compatibility has the rows that are tested, and every row has its test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.matrix import BEGIN, END, ROWS, Row, table, verdict, written

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "compatibility.md"


def test_the_committed_table_has_exactly_the_rows_that_are_tested() -> None:
    shown = PAGE.read_text().split(BEGIN)[1].split(END)[0].strip().splitlines()
    assert [line.rsplit("|", 2)[0] for line in shown] == [line.rsplit("|", 2)[0] for line in table({}).splitlines()]


def test_every_row_has_a_test_that_is_collected() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/clients"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [row for row in ROWS if not any(row.covers(nodeid) for nodeid in found)] == []


def test_results_are_written_into_the_table_and_nothing_else_changes() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    renewed = written(page, {ROWS[0]: "passed"})
    assert renewed.startswith("before\n")
    assert renewed.endswith("\nafter\n")
    assert renewed.count("passed") == 1
    assert renewed.count("not run") == len(ROWS) - 1
    again = written(renewed, {ROWS[1]: "failed"})
    assert (again.count("passed"), again.count("failed")) == (1, 1), "a row that did not run keeps its last result"


@pytest.mark.parametrize(
    ("parameter", "nodeid", "covered"),
    [
        ("", "tests/clients/test_a.py::test_it", True),
        ("1.1", "tests/clients/test_a.py::test_it[True-1.1]", True),
        ("1.1", "tests/clients/test_a.py::test_it[1.1.6]", False),
        ("data-channel", "tests/clients/test_a.py::test_it[data-channel]", True),
        ("", "tests/clients/test_a.py::test_it_too", False),
    ],
)
def test_a_row_knows_its_tests(parameter: str, nodeid: str, covered: bool) -> None:
    assert Row("client", "1.1", "v1", ("test_a.py", "test_it", parameter)).covers(nodeid) is covered


def test_a_verdict_is_the_worst_outcome() -> None:
    assert verdict(["passed", "failed", "skipped"]) == "failed"
    assert verdict(["passed", "skipped"]) == "passed"
    assert verdict(["skipped"]) == "skipped"
