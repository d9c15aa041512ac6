"""Blobs: named byte strings in a folder or in the cloud."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Protocol

from mouthpiece.errors import NotFound

PIECE = 256 * 1024  # bytes read or written at a time
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"  # never begins with a dot: no "..", no hidden or half-written file
_NAME = re.compile(rf"{_PART}(/{_PART}){{0,7}}")


class Blobs(Protocol):
    """Where blobs are kept.

    A name is up to 8 parts with slashes between, each of letters, digits, ``_``, ``.``, ``-``, not beginning with a
    dot or a dash. Every method raises NotFound for a name that is none, and for a blob that is not there; Unavailable
    when the place does not answer or is full.
    """

    async def put(self, name: str, data: bytes | AsyncIterator[bytes]) -> int:
        """Write a blob, or replace it: readers see the old one or the new one, whole. Returns its size in bytes."""
        ...

    async def get(self, name: str) -> bytes:
        """The whole blob."""
        ...

    def stream(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Bytes ``start`` to ``end`` (excluded; None: the blob's end) in pieces."""
        ...

    async def size(self, name: str) -> int:
        """The blob's size in bytes."""
        ...

    async def delete(self, name: str) -> None:
        """Delete the blob; one that is not there is no error."""

    async def list(self, folder: str) -> list[str]:
        """The names of all blobs below a folder (a name without its last parts), sorted."""
        ...


def checked(name: str) -> str:
    """The name, if it is one. Raises NotFound."""
    if _NAME.fullmatch(name) is None:
        raise NotFound(what="file")
    return name
