"""What a bench says: rows for people, JSON for machines, and the machine that it ran on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Cell = str | int | float | None


@dataclass(slots=True)
class Report:
    """One bench's result. ``rows`` are alike; ``aims`` say what was hoped for and whether it held."""

    name: str
    rows: list[dict[str, Cell]] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Aim:
    """A number that the project is held to."""

    what: str
    aim: str
    measured: Cell
    met: bool


def at_most(what: str, limit: float, measured: float, unit: str = "") -> Aim:
    """An aim that is met at or below ``limit``."""
    return Aim(what, f"<= {limit:g}{unit}", round(measured, 4), measured <= limit)


def at_least(what: str, limit: float, measured: float, unit: str = "") -> Aim:
    """An aim that is met at or above ``limit``."""
    return Aim(what, f">= {limit:g}{unit}", round(measured, 4), measured >= limit)


def machine() -> dict[str, Cell]:
    """The machine, in the words that a reader needs to judge a number."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "mouthpiece": version("mouthpiece"),
        "aiortc": version("aiortc"),
        "av": version("av"),
    }


def to_json(reports: Sequence[Report]) -> str:
    """All reports, and the machine."""
    return json.dumps({"machine": machine(), "reports": [asdict(report) for report in reports]}, indent=2)


def show(reports: Sequence[Report], console: Console) -> None:
    """Tables for people."""
    facts = machine()
    console.print(f"{facts['cpu']}, {facts['cores']} cores, load {facts['load_1m']}, Python {facts['python']}\n")
    for report in reports:
        if report.rows:
            console.print(_table(report))
        for aim in report.aims:
            mark = "[green]met[/]" if aim.met else "[yellow]not met[/]"
            console.print(f"  {aim.what}: {aim.measured} (aim {aim.aim}) {mark}")
        for note in report.notes:
            console.print(f"  {note}", style="dim")
        console.print()


def _table(report: Report) -> Table:
    table = Table(title=report.name, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    for name in report.rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in report.rows:
        table.add_row(
            *("" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in row.values())
        )
    return table


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
