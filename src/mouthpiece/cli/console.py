"""How the verbs speak: results on stdout, everything else on stderr, errors in one line with exit status 2."""

from __future__ import annotations

import os
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


def single_threaded() -> None:
    """One thread a process for numpy's libraries: more cost more than they bring. Before numpy loads."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
