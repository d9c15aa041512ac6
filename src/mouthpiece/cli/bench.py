"""``mouthpiece bench``: the measurements behind the README's numbers."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer
from rich.console import Console

from mouthpiece.bench.report import Report, show, to_json
from mouthpiece.cli.console import one_line_errors

if TYPE_CHECKING:
    from mouthpiece.bench.rooms import LiveKit

bench = typer.Typer(help="Measure this machine: cost, latency, sync, rendering, faces, memory.", no_args_is_help=True)
_progress = Console(stderr=True, highlight=False)
PIPED_WIDTH: Final = 200
"""Columns of a table that goes into a file: none is cut."""


class Way(StrEnum):
    """How media reaches the viewers of a bench."""

    P2P = "p2p"
    LIVEKIT = "livekit"


Transport = Annotated[Way, typer.Option(help="how media travels")]
Where = Annotated[
    str, typer.Option("--livekit", help="LiveKit server: its address (ws://…), or the program to run on loopback")
]
Key = Annotated[str, typer.Option(help="API key of a server with an address", envvar="MOUTHPIECE_LIVEKIT_KEY")]
Secret = Annotated[str, typer.Option(help="its secret", envvar="MOUTHPIECE_LIVEKIT_SECRET")]
PROGRAM: Final = "livekit-server"
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of tables")]


@bench.command()
def sessions(  # noqa: PLR0913, PLR0917 - a parameter is a flag
    talking: Annotated[str, typer.Option(help="how many talking sessions, one load each")] = "1,4,8",
    idle: Annotated[str, typer.Option(help="how many idle sessions, one load each")] = "1,8",
    seconds: Annotated[float, typer.Option(help="measured seconds a load")] = 10.0,
    workers: Annotated[int, typer.Option(help="worker processes; 0: in the server's own")] = 0,
    transport: Annotated[Way, typer.Option(help="livekit: every load in rooms as well")] = Way.P2P,
    subscribers: Annotated[str, typer.Option(help="how many look on in a room, one load each")] = "1,5",
    rendering: Annotated[bool, typer.Option("--rendering", help="each load again while a video is rendered")] = False,
    livekit: Where = PROGRAM,
    livekit_key: Key = "",
    livekit_secret: Secret = "",
    as_json: Json = False,
) -> None:
    """CPU-seconds per session-second, stage by stage, and as a ratio to the bare encoders."""
    from mouthpiece.bench.sessions import Load, run

    in_rooms = transport is Way.LIVEKIT
    ways = [None, *(_numbers(subscribers) if in_rooms else [])]
    kinds = [(n, True) for n in _numbers(talking)] + [(n, False) for n in _numbers(idle)]
    beside = (False, True) if rendering else (False,)
    loads = [Load(n, talks, seconds, workers, way, video) for n, talks in kinds for way in ways for video in beside]
    house = _livekit(livekit, livekit_key, livekit_secret) if in_rooms else None
    _report(lambda: run(loads, house, _progress.print), as_json)


@bench.command()
def latency(rounds: Annotated[int, typer.Option(help="repetitions")] = 10, as_json: Json = False) -> None:
    """First picture, first sound, first open mouth, silence after SKIP."""
    from mouthpiece.bench.latency import run

    _report(lambda: run(rounds, _progress.print), as_json)


@bench.command()
def sync(
    seconds: Annotated[int, typer.Option(help="how long")] = 120,
    transport: Transport = Way.P2P,
    livekit: Where = PROGRAM,
    livekit_key: Key = "",
    livekit_secret: Secret = "",
    as_json: Json = False,
) -> None:
    """Offset and drift between a marked sound and its picture, at the receiver."""
    from mouthpiece.bench.sync import run

    house = _livekit(livekit, livekit_key, livekit_secret) if transport is Way.LIVEKIT else None
    _report(lambda: run(seconds, house, _progress.print), as_json)


@bench.command()
def avatar(
    rounds: Annotated[int, typer.Option(help="sessions each way")] = 5,
    livekit: Where = PROGRAM,
    livekit_key: Key = "",
    livekit_secret: Secret = "",
    as_json: Json = False,
) -> None:
    """The face of a LiveKit agent, by the framework's own metrics: until it joins, until it plays."""
    with one_line_errors():
        from mouthpiece.bench.avatar import run
    _report(lambda: run(rounds, _livekit(livekit, livekit_key, livekit_secret), _progress.print), as_json)


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
    rounds: Annotated[int, typer.Option(help="how often each is said; 0: only pauses and loads")] = 2,
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
        tuple(_numbers(callers)),
        seconds,
    )
    _report(lambda: run(wanted, _progress.print), as_json)


@bench.command()
def face(
    portraits: Annotated[
        Path | None, typer.Option(help="a folder of portraits to make faces of", exists=True, file_okay=False)
    ] = None,
    sheets: Annotated[Path | None, typer.Option(help="a folder for contact sheets", file_okay=False)] = None,
    pictures: Annotated[int, typer.Option(min=25, help="length of the talking clip, 25 a second")] = 150,
    landmarker: Annotated[bool, typer.Option(help="see the lips from outside too")] = True,
    faces: Annotated[str, typer.Option(help="which shipped faces, by alias", show_default="all")] = "",
    as_json: Json = False,
) -> None:
    """How true faces are to their portraits and their speech, and what a picture and a new face cost."""
    from mouthpiece.bench.face import Wanted, run

    wanted = Wanted(portraits, sheets, pictures, landmarker)
    if faces:
        wanted = replace(wanted, faces=tuple(faces.split(",")))
    _reports(lambda: run(wanted, _progress.print), as_json)


def _numbers(listed: str) -> list[int]:
    numbers = [n.strip() for n in listed.split(",") if n.strip()]
    if not all(n.isdecimal() and int(n) for n in numbers):
        raise typer.BadParameter(f"{listed}: give whole numbers from 1, separated by commas")
    return [int(n) for n in numbers]


def _livekit(where: str, key: str, secret: str) -> LiveKit:
    from mouthpiece.bench.rooms import LiveKit

    return LiveKit(where, key, secret) if "://" in where else LiveKit(program=where)


def _report(measure: Callable[[], Report], as_json: bool) -> None:
    _reports(lambda: [measure()], as_json)


def _reports(measure: Callable[[], Sequence[Report]], as_json: bool) -> None:
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with one_line_errors():
            reports = measure()
    except SystemExit:
        from mouthpiece.bench.server import end_children

        end_children()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if as_json:
        typer.echo(to_json(reports))
    else:
        show(reports, Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH))


def _stop(signum: int, _: FrameType | None) -> NoReturn:
    """End by an exception, so that the servers and peers that a bench started end with it.

    One that is being started at that very moment has no owner yet: see ``end_children``.
    """
    raise SystemExit(128 + signum)
