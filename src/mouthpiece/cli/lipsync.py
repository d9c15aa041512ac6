"""``mouthpiece lipsync``: the mouth movements of a sound file, for animators' tools."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from mouthpiece.cli.console import one_line_errors, single_threaded


def lipsync(  # noqa: PLR0913, PLR0917 - a parameter is a flag
    audio: Annotated[Path, typer.Argument(help="A WAV, MP3 or Ogg file.", exists=True, dir_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Frames at 100 Hz (the default).")] = False,
    as_tsv: Annotated[bool, typer.Option("--tsv", help="Mouth cues as Rhubarb's TSV: start, shape.")] = False,
    as_rhubarb: Annotated[bool, typer.Option("--rhubarb", help="Mouth cues as Rhubarb's JSON.")] = False,
    text: Annotated[str, typer.Option(help="What is said, where it is known.")] = "",
    voice: Annotated[str, typer.Option(help="Language of the text, as espeak-ng names it.")] = "en-us",
    live: Annotated[bool, typer.Option("--live", help="Look ahead 60 ms only, as in a call.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write here.", show_default="standard output")] = None,
) -> None:
    """Tell how the mouth moves to a sound."""
    if as_json + as_tsv + as_rhubarb > 1:
        raise typer.BadParameter("choose one of --json, --tsv and --rhubarb")
    with one_line_errors():
        single_threaded()
        from mouthpiece.cli.mouth_track import Form, mouth_track

        form = Form.TSV if as_tsv else Form.RHUBARB if as_rhubarb else Form.JSON
        written = mouth_track(audio, form, text, voice, live=live)
    with out.open("w", encoding="utf-8") if out else nullcontext(sys.stdout) as file:
        file.writelines(written)
