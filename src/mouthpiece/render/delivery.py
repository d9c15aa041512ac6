"""Which part of a file an HTTP request gets (RFC 9110, section 14): plain values that any front end can answer with."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """The headers that matter; None where the request has none."""

    range: str | None = None
    if_range: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``start`` to ``end`` (excluded) of a file of ``size``. ``status`` 200, 206, or 416 with nothing."""

    status: int
    start: int
    end: int
    size: int

    def headers(self) -> dict[str, str]:
        """Length and range."""
        said = {"accept-ranges": "bytes", "content-length": str(self.end - self.start)}
        if self.status == 206:
            said["content-range"] = f"bytes {self.start}-{self.end - 1}/{self.size}"
        elif self.status == 416:
            said["content-range"] = f"bytes */{self.size}"
        return said


@dataclass(frozen=True, slots=True)
class Delivery:
    """A whole HTTP answer. ``body`` is not begun before it is iterated; a HEAD request leaves it alone."""

    status: int
    headers: dict[str, str]
    body: AsyncIterator[bytes]


def part_of(size: int, asked: Asked, etag: str) -> Part:
    """What is sent. Several ranges at once, and anything that is no range, get the whole file, as the RFC allows."""
    whole = Part(200, 0, size, size)
    found = _RANGE.fullmatch(asked.range or "")
    if found is None or asked.if_range not in (None, etag) or not (found[1] or found[2]):
        return whole
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return whole  # an invalid range is no range
    return Part(416, 0, 0, size) if start >= size or start == end else Part(206, start, end, size)
