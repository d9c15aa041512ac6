"""Pictures to faces, each in a child process of low priority that reports its progress."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mouthpiece import errors
from mouthpiece.codec.images import ImageDecoder
from mouthpiece.errors import BadInput, MouthpieceError, TooLarge, Unavailable
from mouthpiece.settings import FaceSettings

Progress = Callable[[float, str], None]
"""Hears how far it is (0..1), and what is being done."""

LANDMARK_BYTES: Final = 256 * 1024
LINE_LIMIT: Final = 1 << 20
ONE_THREAD: Final = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
"""For the child's libraries: threads cost more than they bring."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What somebody sent: a picture file, and what they know about it.

    ``landmarks``: JSON, see ``landmarks.parse_landmarks``. ``face_index``: which face, counted from the left.
    ``framed``: the picture is cut already, with ``matte`` (a picture file) beside it.
    """

    data: bytes
    landmarks: str | None = None
    face_index: int | None = None
    framed: bool = False
    matte: bytes | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A face: its source, its pack (empty when only the source was asked for), and what was noted on the way.

    ``measures``: ``face_px``, ``yaw`` (degrees), ``mirror``, ``detail``, ``matte``; see ``face.study``. ``cpu_s``:
    CPU-seconds of the child, without the landmarker's, which are ``looker_cpu_s``.
    """

    source: bytes
    pack: bytes
    version: int
    warnings: tuple[str, ...]
    measures: dict[str, float]
    cpu_s: float
    looker_cpu_s: float


class FaceMaker:
    """Makes faces, one at a time. Belongs to one event loop."""

    def __init__(self, settings: FaceSettings) -> None:
        self._settings = settings
        self._decoder = ImageDecoder(at_once=1)
        self._turn = asyncio.Semaphore(1)

    async def check(self, upload: Upload) -> None:
        """Whether the upload is a picture that can be read at all. Raises InvalidPortrait, TooLarge, BadInput."""
        self._limits(upload)
        await self._decoder.decode(upload.data)

    async def make(
        self, upload: Upload, face: tuple[str, str] | None = None, progress: Progress = lambda *_: None
    ) -> Made:
        """A face (id, name) from a picture; without ``face`` only its source.

        Raises InvalidPortrait and its kinds, BadInput, TooLarge, NotConfigured, Unavailable.
        """
        self._limits(upload)
        async with self._turn:
            progress(0.0, "reading the picture")
            picture = await self._decoder.decode(upload.data)
            with _folder() as folder:
                np.save(folder / "image.npy", picture.rgb, allow_pickle=False)
                if picture.alpha is not None:
                    np.save(folder / "alpha.npy", picture.alpha, allow_pickle=False)
                if upload.matte is not None:
                    matte = (await self._decoder.decode(upload.matte)).rgb[..., 0]
                    np.save(folder / "matte.npy", np.ascontiguousarray(matte), allow_pickle=False)
                made = await self._run(folder, self._task(upload, face), progress)
        notes = (*picture.notes, *made.warnings)
        return replace(made, warnings=notes)

    async def remake(
        self,
        source: bytes,
        face: tuple[str, str],
        progress: Progress = lambda *_: None,
        corrected: str | None = None,
    ) -> Made:
        """The face (id, name) again from its source, for this version of the engine. Raises as ``make``.

        ``corrected``: other points for it, JSON in pixels of its portrait.
        """
        async with self._turn:
            with _folder() as folder:
                (folder / "source.zip").write_bytes(source)
                task = {"face_id": face[0], "name": face[1], "corrected": corrected}
                return await self._run(folder, task, progress)

    def _limits(self, upload: Upload) -> None:
        limit = self._settings.max_upload_bytes
        if len(upload.data) > limit or len(upload.matte or b"") > limit:
            raise TooLarge(what="the picture", limit=f"{limit} bytes")
        if upload.landmarks is not None and len(upload.landmarks) > LANDMARK_BYTES:
            raise TooLarge(what="the landmarks", limit=f"{LANDMARK_BYTES} bytes")
        if upload.face_index is not None and upload.face_index < 0:
            raise BadInput(reason="face_index counts from 0, from left to right")

    def _task(self, upload: Upload, face: tuple[str, str] | None) -> dict[str, object]:
        named = {} if face is None else {"face_id": face[0], "name": face[1]}
        return named | {
            "landmarks": upload.landmarks,
            "face_index": upload.face_index,
            "framed": upload.framed,
            "command": self._settings.landmarker,
        }

    async def _run(self, folder: Path, task: dict[str, Any], progress: Progress) -> Made:
        (folder / "task.json").write_text(json.dumps(task))
        made: dict[str, Any] | None = None
        seconds = self._settings.timeout_s
        try:
            async with _child(folder) as lines, asyncio.timeout(seconds):
                async for answer in lines:
                    if "fault" in answer:
                        raise _fault(answer["fault"], answer["facts"])
                    made = answer.get("made", made)
                    if "progress" in answer:
                        progress(answer["progress"], answer["stage"])
        except TimeoutError as error:
            raise Unavailable(reason=f"making the face took more than {seconds:g} s") from error
        if made is None:
            raise Unavailable(reason="the process that made the face died: try again, with a smaller picture")
        pack = folder / "face.pack"
        return Made(
            source=(folder / "source.zip").read_bytes(),
            pack=pack.read_bytes() if pack.exists() else b"",
            version=made["version"],
            warnings=tuple(made["warnings"]),
            measures=made["measures"],
            cpu_s=made["cpu_s"],
            looker_cpu_s=made["looker_cpu_s"],
        )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mouthpiece-face-") as name:
        yield Path(name)


@asynccontextmanager
async def _child(folder: Path) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    command = (sys.executable, "-m", "mouthpiece.providers.portrait_child", str(folder))
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT,
        env=ONE_THREAD | os.environ,
    )
    assert child.stdout is not None
    stdout = child.stdout

    async def lines() -> AsyncIterator[dict[str, Any]]:
        while line := await stdout.readline():
            yield json.loads(line)

    try:
        yield lines()
        await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def _kinds(kind: type[MouthpieceError]) -> Iterator[type[MouthpieceError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)


def _fault(code: str, facts: dict[str, object]) -> MouthpieceError:
    """The child's error, as it was raised there."""
    kind = next((each for each in _kinds(errors.MouthpieceError) if each.code == code), errors.MouthpieceError)
    return kind(**facts)
