"""``mouthpiece keys``: make, list and revoke API keys."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mouthpiece.cli.console import one_line_errors
from mouthpiece.errors import StartupError
from mouthpiece.settings import Settings, load_settings

if TYPE_CHECKING:  # the database's library takes longer to load than most verbs take to run
    from mouthpiece.store.keys import KeyInfo
    from mouthpiece.store.store import Store

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="The server's data folder.", show_default="mouthpiece-data")]


@app.command()
def add(
    name: Annotated[str, typer.Option(help="Whose key it is, or what for; shown in lists and in the history.")] = "key",
    account: Annotated[str | None, typer.Option(help="Give an account one more key.", show_default="a new one")] = None,
    data: Data = None,
) -> None:
    """Make a key. It is printed once, and only its digest is kept."""
    with one_line_errors():
        asyncio.run(_add(_settings(data), name, account))


@app.command("list")
def list_keys(data: Data = None) -> None:
    """List the keys, without the keys themselves."""
    with one_line_errors():
        asyncio.run(_list(_settings(data, exists=True)))


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id, as listed.")], data: Data = None) -> None:
    """End a key. Running servers refuse it within a second or two."""
    with one_line_errors():
        asyncio.run(_revoke(_settings(data, exists=True), key))


async def _add(settings: Settings, name: str, account: str | None) -> None:
    async with _store(settings) as store:
        new = await store.keys.add(name, account)
    typer.echo(f"{new.id} of {new.account}; the key is not shown again:", err=True)
    typer.echo(new.plaintext)


async def _list(settings: Settings) -> None:
    async with _store(settings) as store:
        keys = await store.keys.list()
    if not keys:
        typer.echo("no keys yet: make one with `mouthpiece keys add`", err=True)
        return
    rows = [("ID", "ACCOUNT", "NAME", "MADE", "LAST USED", "STATE"), *(_row(key) for key in keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


async def _revoke(settings: Settings, key: str) -> None:
    from mouthpiece.store.keys import CACHE_S

    async with _store(settings) as store:
        await store.keys.revoke(key)
    typer.echo(f"{key} is revoked; running servers refuse it within {CACHE_S:g} s", err=True)


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    if settings.server.api_keys:
        typer.echo("note: MOUTHPIECE_API_KEYS is set; servers that see it accept those keys only", err=True)
    from mouthpiece.store.store import Store

    store = await Store.open(settings)
    try:
        yield store
    finally:
        await store.close()


def _settings(data: Path | None, *, exists: bool = False) -> Settings:
    from mouthpiece.store.store import DATABASE_FILE

    settings = load_settings(None, os.environ, {"server.data": data})
    folder = settings.server.data
    if exists and settings.store.database is None and not (folder / DATABASE_FILE).exists():
        raise StartupError(reason=f"no server has kept anything in {folder} yet", remedy="name its folder with --data")
    return settings


def _row(key: KeyInfo) -> tuple[str, ...]:
    state = "active" if key.revoked is None else f"revoked {_time(key.revoked)}"
    return (key.id, key.account, key.name, _time(key.created), _time(key.last_used), state)


def _time(seconds: float | None) -> str:
    return "never" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
