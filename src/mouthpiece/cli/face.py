"""``mouthpiece face``: make faces of pictures, list and remove them; ``mouthpiece setup faces``."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mouthpiece.cli.console import one_line_errors
from mouthpiece.errors import NotFound, StartupError
from mouthpiece.settings import Settings, load_settings

if TYPE_CHECKING:  # what makes faces loads in seconds: only the verbs that need it wait for it
    from mouthpiece.providers.portraits import Made, Upload
    from mouthpiece.store.store import Store

app = typer.Typer(help="Make faces of pictures, list and remove them.", no_args_is_help=True)
setup = typer.Typer(help="Fetch what optional parts need, once.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="The server's data folder.", show_default="mouthpiece-data")]
Account = Annotated[str | None, typer.Option(help="Whose face it is.", show_default="the first account")]


@app.command()
def add(
    picture: Annotated[Path, typer.Argument(help="A picture with one face.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="What it is called; a token may name it so.")] = "",
    landmarks: Annotated[
        Path | None, typer.Option(help="JSON of 478 points, instead of the landmarker.", exists=True, dir_okay=False)
    ] = None,
    face_index: Annotated[int | None, typer.Option(min=0, help="Which face, from the left, counted from 0.")] = None,
    account: Account = None,
    data: Data = None,
) -> None:
    """Make a face of a picture. Prints its id; a running server knows it at once."""
    from mouthpiece.app.workshop import require_extra
    from mouthpiece.providers.portraits import Upload

    with one_line_errors():
        require_extra()
        points = None if landmarks is None else landmarks.read_text(encoding="utf-8", errors="replace")
        upload = Upload(picture.read_bytes(), points, face_index)
        asyncio.run(_add(_settings(data), upload, name or picture.stem, account))


@app.command("list")
def list_faces(account: Account = None, data: Data = None) -> None:
    """List the faces of an account."""
    with one_line_errors():
        asyncio.run(_list(_settings(data), account))


@app.command()
def remove(
    face: Annotated[str, typer.Argument(help="Its id or its name.")], account: Account = None, data: Data = None
) -> None:
    """Delete a face, its portrait and everything made of it."""
    with one_line_errors():
        asyncio.run(_remove(_settings(data), face, account))


@setup.command("faces")
def setup_faces(data: Data = None) -> None:
    """Make the landmarker's own environment, so that faces can be made without a network from then on."""
    from mouthpiece.app.workshop import require_extra
    from mouthpiece.providers.landmarks import Landmarker

    with one_line_errors():
        looker = Landmarker(_settings(data).faces.landmarker, lambda what: typer.echo(what, err=True))
        try:
            looker.prepare()
        finally:
            looker.close()
        require_extra()
        typer.echo("faces can be made on this machine, without a network too", err=True)


async def _add(settings: Settings, upload: Upload, name: str, account: str | None) -> None:
    from mouthpiece.store.faces import FaceRecord

    async with _store(settings) as store:
        owner = await _account(store, account)
        face_id = str(uuid.uuid4())
        made = await _made(settings, upload, (face_id, name))
        face = FaceRecord(face_id, owner, name, version=made.version, warnings=made.warnings)
        await store.faces.put(face, made.source, made.pack)
    for warning in made.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(face_id)


async def _made(settings: Settings, upload: Upload, face: tuple[str, str]) -> Made:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from mouthpiece.providers.portraits import FaceMaker

    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting", total=1.0)
        return await FaceMaker(settings.faces).make(
            upload, face, lambda done, stage: progress.update(bar, completed=done, description=stage)
        )


async def _list(settings: Settings, account: str | None) -> None:
    async with _store(settings) as store:
        faces = await store.faces.all(await _account(store, account))
    if not faces:
        typer.echo("no faces yet: make one with `mouthpiece face add portrait.jpg`", err=True)
    for face in faces:
        state = face.error or face.state.value
        typer.echo(f"{face.id}  {face.name}  {state}")


async def _remove(settings: Settings, wanted: str, account: str | None) -> None:
    async with _store(settings) as store:
        owner = await _account(store, account)
        named = [face for face in await store.faces.all(owner) if wanted in (face.id, face.name)]
        if not named:
            raise NotFound(what=f"face {wanted}: `mouthpiece face list` shows yours")
        if len(named) > 1:
            raise NotFound(what=f"single face {wanted}: {len(named)} have that name, give the id")
        await store.faces.delete(named[0].id, owner)
    typer.echo(f"{named[0].name} ({named[0].id}) is deleted", err=True)


async def _account(store: Store, account: str | None) -> str:
    if account is not None:
        return account
    from mouthpiece.store.secrets import KEY_FILE

    if await store.first_key() is not None:
        typer.echo(f"an API key was made; it is in {store.data / KEY_FILE}", err=True)
    first = await store.keys.first_account()
    if first is None:
        raise StartupError(reason="there is no account", remedy="make one with `mouthpiece keys add`")
    return first.id


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    from mouthpiece.store.store import Store

    store = await Store.open(settings)
    try:
        yield store
    finally:
        await store.close()


def _settings(data: Path | None) -> Settings:
    return load_settings(None, os.environ, {"server.data": data})
