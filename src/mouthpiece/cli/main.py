"""The ``mouthpiece`` command: one verb a file, gathered here."""

from __future__ import annotations

import typer

from mouthpiece.cli import bench, doctor, face, keys, lipsync, render, serve

app = typer.Typer(
    name="mouthpiece",
    help="A self-hosted, real-time talking-avatar server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(serve.url)
app.command(hidden=True)(serve.worker)
app.command()(render.render)
app.command()(doctor.doctor)
app.command()(lipsync.lipsync)
app.add_typer(keys.app, name="keys")
app.add_typer(bench.bench, name="bench")
app.add_typer(face.app, name="face")
app.add_typer(face.setup, name="setup")


@app.callback()
def main() -> None:
    """Speech in, a lip-synced, living face out."""
