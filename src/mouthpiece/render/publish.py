"""From a renderer's folder to where viewers look: segments as they come, the playlist after them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from mouthpiece.codec.mux import MOVIE, PLAYLIST, WEBM
from mouthpiece.errors import NotFound
from mouthpiece.render.base import blob
from mouthpiece.store.base import PIECE, Blobs

_FROM_START: Final = "#EXT-X-START:TIME-OFFSET=0"
"""Players begin a playlist that grows near its end unless told otherwise."""


class Publisher:
    """The files of one job. A job that begins again makes the same files again, so its playlist never shrinks."""

    def __init__(self, blobs: Blobs, destination: str, folder: Path) -> None:
        self._blobs = blobs
        self._destination = destination
        self._folder = folder
        self._done: set[str] = set()
        self._shown = 0
        self.size = 0
        """Bytes published."""

    async def begin(self) -> None:
        """Remember what an earlier attempt has shown."""
        with contextlib.suppress(NotFound):
            self._shown = len(_segments((await self._blobs.get(self._name(PLAYLIST))).decode()))

    async def update(self) -> None:
        """Publish what is new."""
        text = await asyncio.to_thread(_read, self._folder / PLAYLIST)
        segments = _segments(text)
        for segment in segments:
            if segment not in self._done:
                await self._put(segment)
                self._done.add(segment)
        if len(segments) > self._shown or "#EXT-X-ENDLIST" in text:
            self._shown = len(segments)
            await self._blobs.put(self._name(PLAYLIST), _from_start(text).encode())

    async def finish(self) -> None:
        """Publish the rest, the MP4, and the WebM if one was made."""
        await self._put(MOVIE)
        if await asyncio.to_thread((self._folder / WEBM).exists):
            await self._put(WEBM)
        await self.update()

    async def _put(self, file: str) -> None:
        path = self._folder / file
        self.size += await self._blobs.put(self._name(file), _pieces(path))
        await asyncio.to_thread(path.unlink)

    def _name(self, file: str) -> str:
        return blob(self._destination, file)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _segments(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def _from_start(playlist: str) -> str:
    return playlist.replace("#EXT-X-PLAYLIST-TYPE", f"{_FROM_START}\n#EXT-X-PLAYLIST-TYPE", 1)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
