"""Bodies that carry a file as base64 in JSON: kept on disk, with the file never parsed nor copied.

A body may be 64 MB. Parsing it would hold up every live session of the process for as long, and take its size in
memory several times over.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import re
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mouthpiece.errors import TooLarge

MAX_FIELDS: Final = 1 << 20
"""Bytes of a body beside its file."""


class NotJson(ValueError):
    """The body is not a JSON object."""


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object. ``file``: the base64 text that stood in its file's field, which is "" in ``fields`` now."""

    fields: dict[str, object]
    file: memoryview


@contextlib.asynccontextmanager
async def receive(pieces: AsyncIterable[bytes], field: str, folder: Path | None = None) -> AsyncIterator[Body]:
    """Receive a body whose ``field`` is a file in base64. Raises NotJson, TooLarge, and what ``pieces`` raises.

    The file is valid inside the block. ``folder``: where it is kept for that long; None: the system's.
    """
    with tempfile.TemporaryFile(dir=folder) as spool:
        async for piece in pieces:
            spool.write(piece)
        if not spool.tell():
            raise NotJson("the body is empty")
        spool.flush()
        # not closed here: the last view that a pipe still holds closes it
        yield split(mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ), field)


def split(body: mmap.mmap, field: str) -> Body:
    """The fields, and the file apart. Raises NotJson, TooLarge."""
    start, end = _span(body, field)
    if len(body) - (end - start) > MAX_FIELDS:
        raise TooLarge(what=f"the body beside {field}", limit=f"{MAX_FIELDS} bytes")
    try:
        fields = json.loads(body[:start] + body[end:])
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None
    if not isinstance(fields, dict):
        raise NotJson("the body is not a JSON object")
    file = memoryview(body)[start:end]
    again = fields.get(field)
    if isinstance(again, str) and again:  # the field stood there twice, or inside something else
        file, fields[field] = memoryview(again.encode()), ""
    return Body(fields, file)


def _span(body: mmap.mmap, field: str) -> tuple[int, int]:
    """Where the field's text begins and ends; an empty span when there is none. Base64 has no quotes in it."""
    found = re.search(rb'"%s"[ \t\r\n]*:[ \t\r\n]*"' % re.escape(field.encode()), body)
    end = body.find(b'"', found.end()) if found else -1
    return (0, 0) if found is None or end < 0 else (found.end(), end)
