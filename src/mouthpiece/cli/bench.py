"""``mouthpiece bench``: the measurements behind the README's numbers."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from mouthpiece.bench.report import Report, show, to_json

bench = typer.Typer(help="Measure this machine: cost, latency, sync, rendering, memory.", no_args_is_help=True)
_progress = Console(stderr=True, highlight=False)
PIPED_WIDTH: Final = 200
"""Columns of a table that goes into a file: none is cut."""

Json = Annotated[bool, typer.Option("--json", help="print JSON instead of tables")]


@bench.command()
def sessions(
    talking: Annotated[str, typer.Option(help="how many talking sessions, one load each")] = "1,4,8",
    idle: Annotated[str, typer.Option(help="how many idle sessions, one load each")] = "1,8",
    seconds: Annotated[float, typer.Option(help="measured seconds a load")] = 10.0,
    workers: Annotated[int, typer.Option(help="worker processes; 0: in the server's own")] = 0,
    as_json: Json = False,
) -> None:
    """CPU-seconds per session-second, stage by stage, and as a ratio to the bare encoders."""
    from mouthpiece.bench.sessions import Load, run

    loads = [Load(int(n), True, seconds, workers) for n in talking.split(",") if n]
    loads += [Load(int(n), False, seconds, workers) for n in idle.split(",") if n]
    _report(lambda: run(loads, _progress.print), as_json)


@bench.command()
def latency(rounds: Annotated[int, typer.Option(help="repetitions")] = 10, as_json: Json = False) -> None:
    """First picture, first sound, first open mouth, silence after SKIP."""
    from mouthpiece.bench.latency import run

    _report(lambda: run(rounds, _progress.print), as_json)


@bench.command()
def sync(seconds: Annotated[int, typer.Option(help="how long")] = 120, as_json: Json = False) -> None:
    """Offset and drift between a marked sound and its picture, at the receiver."""
    from mouthpiece.bench.sync import run

    _report(lambda: run(seconds, _progress.print), as_json)


@bench.command()
def render(
    rounds: Annotated[int, typer.Option(help="repetitions; the cheapest counts")] = 3, as_json: Json = False
) -> None:
    """Seconds of video a CPU-second, stage by stage, and as a ratio to the encoders alone."""
    from mouthpiece.bench.render import run

    _report(lambda: run(rounds, _progress.print), as_json)


@bench.command()
def engines(
    file: Annotated[str, typer.Argument(help="the engine's network file, one of your own")],
    engine: Annotated[str, typer.Option(help="its name")] = "wav2lip",
    pictures: Annotated[int, typer.Option(help="measured pictures a round")] = 50,
    as_json: Json = False,
) -> None:
    """A mouth engine from outside beside the mesh engine: milliseconds of CPU a picture."""
    from mouthpiece.bench.engines import run

    _report(lambda: run(engine, file, pictures, _progress.print), as_json)


@bench.command()
def memory(cycles: Annotated[int, typer.Option(help="sessions that come and go")] = 200, as_json: Json = False) -> None:
    """Memory of the first session, of further ones, and what stays behind."""
    from mouthpiece.bench.memory import run

    _report(lambda: run(cycles, _progress.print), as_json)


@bench.command()
def voice(
    speech: Annotated[
        Path | None, typer.Option(help="WAV files to ask with, one whole turn each; else the embedded voice")
    ] = None,
    rounds: Annotated[int, typer.Option(help="how often each is said")] = 2,
    pauses: Annotated[str, typer.Option(help="seconds of silence put into turns, one test each")] = "0.4,0.7,1.0",
    callers: Annotated[str, typer.Option(help="how many conversations at once, one load each")] = "1,6",
    seconds: Annotated[float, typer.Option(help="measured seconds a load")] = 40.0,
    as_json: Json = False,
) -> None:
    """A conversation through a fake microphone: first sound, first open mouth, silence, cut-ins, cost."""
    from mouthpiece.bench.voice import Wanted, run

    wanted = Wanted(
        speech,
        rounds,
        tuple(float(one) for one in pauses.split(",") if one),
        tuple(int(one) for one in callers.split(",") if one),
        seconds,
    )
    _report(lambda: run(wanted, _progress.print), as_json)


def _report(measure: Callable[[], Report], as_json: bool) -> None:
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        report = measure()
    finally:
        signal.signal(signal.SIGTERM, before)
    if as_json:
        typer.echo(to_json([report]))
    else:
        show([report], Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH))


def _stop(signum: int, _: FrameType | None) -> NoReturn:
    """End by an exception, so that the servers and peers that a bench started end with it."""
    raise SystemExit(128 + signum)
