"""``mouthpiece doctor``: whether the server can run here, line by line, and what to do where it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from mouthpiece.cli import check_machine, check_network, check_parts
from mouthpiece.cli.findings import Finding, Level, failure, show, summary, to_json
from mouthpiece.errors import StartupError
from mouthpiece.settings import Settings, load_settings

Check = Callable[[Settings], Finding | list[Finding]]

CHECKS: Final[Sequence[Check]] = (
    check_machine.python,
    check_machine.cores,
    check_machine.memory,
    check_machine.data_folder,
    check_machine.open_files,
    check_machine.clock,
    check_network.port,
    check_network.udp,
    check_network.addresses,
    check_network.stun,
    check_network.turn,
    check_network.tls,
    check_parts.kernels,
    check_parts.encoders,
    check_parts.voice,
    check_parts.faces,
    check_parts.engine,
    check_parts.own_speech,
    check_parts.database,
    check_parts.extras,
    check_machine.ffmpeg,
)


def doctor(
    data: Annotated[
        Path | None, typer.Option("--data", help="The server's data folder.", show_default="mouthpiece-data")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address that it will listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port that it will listen on.", show_default="8800")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file with settings.", show_default="mouthpiece.toml")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that the server can run here; exit status 1 if it cannot. Changes nothing."""
    findings = []
    for finding in examine(config, {"server.data": data, "server.host": host, "server.port": port}):
        findings.append(finding)
        if not as_json:
            show(finding)
    typer.echo(to_json(findings, version("mouthpiece")) if as_json else summary(findings))
    if any(finding.level is Level.FAILURE for finding in findings):
        raise typer.Exit(1)


def examine(config: Path | None, flags: dict[str, object]) -> Iterator[Finding]:
    """Every finding, as it is made. When the settings themselves are wrong, only that."""
    try:
        settings = load_settings(config, os.environ, flags)
    except StartupError as error:
        yield failure("settings", str(error.facts["reason"]), str(error.facts["remedy"]))
        return
    with check_parts.compiled_code(settings):
        for check in CHECKS:
            found = _run(check, settings)
            yield from found if isinstance(found, list) else (found,)


def _run(check: Check, settings: Settings) -> Finding | list[Finding]:
    try:
        return check(settings)
    except Exception as error:
        name = check.__name__.replace("_", " ")
        return failure(name, f"could not be checked ({type(error).__name__}: {error})", "report this with the output")
