"""Blobs in a folder, and the choice between that and the cloud."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mouthpiece.errors import NotFound, StartupError, Unavailable
from mouthpiece.store.base import PIECE, Blobs, checked

_HALF = ".half-"  # begins the name of a file that is being written; no blob's name can


class FolderBlobs:
    """Blobs as files of one folder. File work runs in threads, so a slow disk holds up nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def path(self, name: str) -> Path:
        """Where the blob's file is, there or not. Raises NotFound for a name that is none or leads elsewhere."""
        path = (self._folder / checked(name)).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise NotFound(what="file")
        return path

    async def put(self, name: str, data: bytes | AsyncIterator[bytes]) -> int:
        """See ``Blobs``."""
        path = await asyncio.to_thread(self.path, name)
        with _file_errors():
            file = await asyncio.to_thread(_begin, path)
            try:
                async for piece in _pieces(data):
                    await asyncio.to_thread(file.write, piece)
                return await asyncio.to_thread(_complete, file, path)
            except BaseException:
                _give_up(file)
                raise

    async def get(self, name: str) -> bytes:
        """See ``Blobs``."""
        with _file_errors():
            return await asyncio.to_thread(lambda: self.path(name).read_bytes())

    async def stream(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ``Blobs``."""
        with _file_errors():
            file = await asyncio.to_thread(lambda: self.path(name).open("rb"))
            with file:
                await asyncio.to_thread(file.seek, start)
                left = float("inf") if end is None else end - start
                while left > 0 and (piece := await asyncio.to_thread(file.read, int(min(PIECE, left)))):
                    left -= len(piece)
                    yield piece

    async def size(self, name: str) -> int:
        """See ``Blobs``."""
        with _file_errors():
            return await asyncio.to_thread(lambda: _file_size(self.path(name)))

    async def delete(self, name: str) -> None:
        """See ``Blobs``. Folders that become empty go too."""
        with _file_errors():
            await asyncio.to_thread(self._delete, self.path(name))

    async def list(self, folder: str) -> list[str]:
        """See ``Blobs``."""
        with _file_errors():
            return await asyncio.to_thread(lambda: sorted(self._below(self.path(folder))))

    def _below(self, folder: Path) -> Iterator[str]:
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith(_HALF):
                yield path.relative_to(self._folder.resolve()).as_posix()

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self._folder.resolve() or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()


def open_blobs(where: str | None, data: Path) -> Blobs:
    """The blobs of the setting ``store.blobs``: a folder, or ``s3://...``, ``gs://...``, ``az://...``.

    None: the folder ``blobs`` of the data folder. Raises StartupError.
    """
    if where is not None and "://" in where:
        return _open_cloud(where)
    folder = Path(where).expanduser() if where is not None else data / "blobs"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make the folder {folder} for files ({error.strerror})"
        raise StartupError(reason=reason, remedy="set store.blobs (MOUTHPIECE_STORE_BLOBS) to another") from None
    return FolderBlobs(folder)


def _open_cloud(url: str) -> Blobs:
    try:
        from mouthpiece.store.cloud import open_cloud
    except ModuleNotFoundError:
        remedy = "pip install 'mouthpiece[cloud]'"
        raise StartupError(reason=f"store.blobs = {url} needs what is not installed", remedy=remedy) from None
    return open_cloud(url)


@contextmanager
def _file_errors() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise NotFound(what="file") from None
    except OSError as error:
        raise Unavailable(reason=f"the disk answers: {error.strerror}") from error


async def _pieces(data: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    async for piece in data:
        yield piece


def _begin(path: Path) -> BinaryIO:
    for _ in range(3):  # a delete beside us may take the empty folder away again
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=_HALF)
        except FileNotFoundError:
            continue
        os.close(handle)
        return Path(name).open("wb")
    raise Unavailable(reason=f"the folder {path.parent} keeps vanishing")


def _complete(file: BinaryIO, path: Path) -> int:
    file.flush()
    os.fsync(file.fileno())
    size = file.tell()
    file.close()
    Path(file.name).replace(path)
    return size


def _give_up(file: BinaryIO) -> None:
    file.close()
    Path(file.name).unlink(missing_ok=True)


def _file_size(path: Path) -> int:
    if not path.is_file():
        raise NotFound(what="file")
    return path.stat().st_size
