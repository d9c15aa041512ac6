"""What a check found, and how findings are shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

import typer


class Level(StrEnum):
    """How good or bad it is. ``note`` is neither."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what is so, and what to do about it ("" when nothing)."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, Level.OK, text)


def note(name: str, text: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding(name, Level.NOTE, text, remedy)


def warning(name: str, text: str, remedy: str) -> Finding:
    """The server runs, but something will be missing or slow."""
    return Finding(name, Level.WARNING, text, remedy)


def failure(name: str, text: str, remedy: str) -> Finding:
    """The server will not start, or cannot do its main job."""
    return Finding(name, Level.FAILURE, text, remedy)


_COLOURS: Final = {
    Level.OK: typer.colors.GREEN,
    Level.NOTE: typer.colors.BLUE,
    Level.WARNING: typer.colors.YELLOW,
    Level.FAILURE: typer.colors.RED,
}


def show(finding: Finding) -> None:
    """One line on standard output, and the remedy under it."""
    level = typer.style(f"{finding.level:8}", fg=_COLOURS[finding.level])
    typer.echo(f"{level} {finding.name:14} {finding.text}")
    if finding.remedy:
        typer.echo(f"{'':8} {'':14} -> {finding.remedy}")


def summary(findings: Sequence[Finding]) -> str:
    """The last line."""
    failures, warnings = _count(findings, Level.FAILURE), _count(findings, Level.WARNING)
    verdict = "the server will not work here yet" if failures else "the server can run here"
    return f"{verdict}: {_plural(failures, 'failure')}, {_plural(warnings, 'warning')}"


def to_json(findings: Sequence[Finding], version: str) -> str:
    """Everything, for scripts."""
    healthy = _count(findings, Level.FAILURE) == 0
    return json.dumps({"ok": healthy, "version": version, "findings": [asdict(one) for one in findings]}, indent=2)


def _count(findings: Iterable[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in findings)


def _plural(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"
