"""``mouthpiece serve``, ``mouthpiece url``, and the hidden ``mouthpiece worker``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mouthpiece.cli.console import one_line_errors, single_threaded
from mouthpiece.settings import Settings, load_settings

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder that keeps everything.", show_default="mouthpiece-data")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file with settings.", show_default="mouthpiece.toml")
]


def serve(  # noqa: PLR0913, PLR0917 -- one parameter a flag; each is a setting that people set by hand
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port of HTTP and WebSockets.", show_default="8800")] = None,
    data: Data = None,
    workers: Annotated[
        int | None, typer.Option(help="Media processes; 0: sessions live in this one.", show_default="one per core")
    ] = None,
    public_ip: Annotated[
        str | None, typer.Option("--public-ip", help="Address that media candidates advertise.")
    ] = None,
    tls: Annotated[str | None, typer.Option(help='"self": make a certificate.')] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its private key, PEM.")] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option("--trusted-proxy", help="Address or network whose X-Forwarded-* headers are believed."),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Mouth engine from outside.", show_default="none")] = None,
    engine_file: Annotated[Path | None, typer.Option("--engine-file", help="Its network file.")] = None,
    max_sessions: Annotated[int | None, typer.Option("--max-sessions", help="Sessions at once.")] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")] = None,
    log_json: Annotated[bool | None, typer.Option("--log-json", help="Log lines as JSON.", show_default=False)] = None,
    config: Config = None,
) -> None:
    """Run the server. Everything else is a setting: see docs/settings.md."""
    flags: dict[str, object] = {
        "server.host": host,
        "server.port": port,
        "server.data": data,
        "server.workers": workers,
        "transport.public_ip": public_ip,
        "server.tls": tls,
        "server.tls_cert": tls_cert,
        "server.tls_key": tls_key,
        "server.trusted_proxy": tuple(trusted_proxy) if trusted_proxy else None,
        "engines.name": engine,
        "engines.file": engine_file,
        "limits.max_sessions": max_sessions,
        "server.log_level": log_level,
        "server.log_json": log_json,
    }
    with one_line_errors():
        settings = load_settings(config, os.environ, flags)
        prepare(settings)
        from mouthpiece.app import serve as app

        app.serve(settings)


def worker(worker_id: str, address: Path) -> None:
    """Serve sessions for the server that started this process."""
    with one_line_errors():
        from mouthpiece.app import serve as app

        app.work(worker_id, address)


def url(data: Data = None, config: Config = None) -> None:
    """Print a fresh address of the demo page, with a one-time code, for a server that runs on this data folder."""
    with one_line_errors():
        settings = load_settings(config, os.environ, {"server.data": data})
        prepare(settings)
        from mouthpiece.app.page import page_url

        typer.echo(page_url(settings))


def prepare(settings: Settings) -> None:
    """Before numpy loads: one thread a process for its libraries, and a kept cache for what is compiled."""
    single_threaded()
    cache = settings.server.data.expanduser().absolute() / "cache" / "numba"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))
