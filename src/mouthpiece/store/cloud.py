"""Blobs in S3, Google Cloud Storage or Azure, through obstore (the extra ``cloud``)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore, from_url

from mouthpiece.errors import NotFound, StartupError, Unavailable
from mouthpiece.store.base import PIECE, Blobs, checked


def open_cloud(url: str) -> Blobs:
    """The bucket or container of the URL; credentials come from the provider's usual variables. Raises StartupError."""
    try:
        return CloudBlobs(from_url(url))
    except Exception as error:  # the library has no common base for what it makes of a bad URL
        reason = f"store.blobs = {url} cannot be opened ({' '.join(str(error).split())[:200]})"
        raise StartupError(reason=reason, remedy="give a folder, or a URL like s3://bucket/prefix") from None


class CloudBlobs:
    """Blobs as objects of one bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, name: str, data: bytes | AsyncIterator[bytes]) -> int:
        """See ``Blobs``: an object appears when its upload is complete."""
        counted = _Counted(data)
        with _cloud_errors():
            await obstore.put_async(self._store, checked(name), counted.pieces())
        return counted.size

    async def get(self, name: str) -> bytes:
        """See ``Blobs``."""
        with _cloud_errors():
            return bytes(await (await obstore.get_async(self._store, checked(name))).bytes_async())

    async def stream(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ``Blobs``."""
        last = await self.size(name) if end is None else end
        if last <= start:
            return
        with _cloud_errors():
            answer = await obstore.get_async(self._store, checked(name), options={"range": (start, last)})
            async for piece in answer.stream(min_chunk_size=PIECE):
                yield bytes(piece)

    async def size(self, name: str) -> int:
        """See ``Blobs``."""
        with _cloud_errors():
            return (await obstore.head_async(self._store, checked(name)))["size"]

    async def delete(self, name: str) -> None:
        """See ``Blobs``."""
        try:
            with _cloud_errors():
                await obstore.delete_async(self._store, checked(name))
        except NotFound:
            checked(name)

    async def list(self, folder: str) -> list[str]:
        """See ``Blobs``."""
        with _cloud_errors():
            pages = obstore.list(self._store, checked(folder) + "/")
            return sorted([each["path"] async for page in pages for each in page])


class _Counted:
    """Counts the bytes that pass."""

    def __init__(self, data: bytes | AsyncIterator[bytes]) -> None:
        self._data = data
        self.size = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        if isinstance(self._data, bytes):
            self.size = len(self._data)
            yield self._data
            return
        async for piece in self._data:
            self.size += len(piece)
            yield piece


@contextmanager
def _cloud_errors() -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise NotFound(what="file") from None
    except (BaseError, OSError) as error:
        raise Unavailable(reason=f"the blob store answers: {' '.join(str(error).split())[:200]}") from error
