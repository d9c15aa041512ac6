"""How the verbs speak: results on stdout, everything else on stderr, errors in one line with exit status 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mouthpiece.errors import MouthpieceError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an error of ours into one line that says what to do, and exit status 2."""
    try:
        yield
    except MouthpieceError as error:
        typer.echo(f"mouthpiece: {error}", err=True)
        raise typer.Exit(2) from None
