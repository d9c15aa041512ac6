"""The use case behind every front end: order a film, fetch its files.

``order_sound`` and ``order_speech`` answer with a destination, under which ``fetch`` finds ``output.m3u8`` (playable
while it is rendered), its segments, and ``output.mp4``. Whoever knows a destination may watch; none can be guessed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from mouthpiece.codec.decode import AudioSource, DecodeLimits, Decoder
from mouthpiece.codec.mux import MOVIE, PLAYLIST, WEBM
from mouthpiece.errors import BadInput, NotFound, NotReady, QueueFull, RenderFailed, StorageFull, Unavailable
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.espeak import Speech
from mouthpiece.render.base import SOUND, Order, blob, is_destination, is_file
from mouthpiece.render.delivery import Asked, Delivery, part_of
from mouthpiece.render.intake import Body, receive
from mouthpiece.render.stats import RenderStats
from mouthpiece.settings import RenderSettings
from mouthpiece.store.base import PIECE, Blobs
from mouthpiece.store.jobs import Job, Jobs, JobState

UPLOADS: Final = 8
"""Bodies in hand at once; each may take ``max_body_bytes`` of disk."""

BYTES_A_SECOND: Final = 240_000
"""What a second of film takes at the most, as a rule: sound, MP4 and HLS together."""

RETRY_S: Final = 5
FULL_RETRY_S: Final = 60
LOOK_EVERY_S: Final = 0.25
"""Between looks for a file that is being made."""

_EVERYTHING: Final = Asked()
_TYPES: Final = {".m3u8": "application/x-mpegURL", ".ts": "video/MP2T", ".mp4": "video/mp4", ".webm": "video/webm"}


class Renderers(Protocol):
    """Who is told that a job was queued: a ``Crew``."""

    stats: RenderStats

    def wake(self) -> None:
        """A job was queued."""


class RenderDesk:
    """Takes orders and hands out files. Belongs to one event loop. Without a ``crew`` other servers render."""

    def __init__(
        self,
        jobs: Jobs,
        blobs: Blobs,
        settings: RenderSettings,
        crew: Renderers | None = None,
        folder: Path | None = None,
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._settings = settings
        self._crew = crew
        self.stats = RenderStats() if crew is None else crew.stats
        self._folder = folder
        self._decoder = Decoder(DecodeLimits(max_s=settings.max_audio_s))
        self._uploads = 0

    @contextlib.asynccontextmanager
    async def receive(self, pieces: AsyncIterable[bytes], field: str) -> AsyncIterator[Body]:
        """See ``intake.receive``; raises QueueFull too."""
        if self._uploads >= UPLOADS:
            raise self._refusal(QueueFull(retry_s=RETRY_S))
        self._uploads += 1
        try:
            async with receive(pieces, field, self._folder) as body:
                yield body
        finally:
            self._uploads -= 1

    async def order_sound(self, order: Order, data: bytes | memoryview, source: AudioSource) -> str:
        """Queue a film of a sound file. Raises InvalidAudio, TooLarge, QueueFull, StorageFull, Unavailable."""
        await self._room(0)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            samples = await self._decoder.decode_to(data, source, file)
            file.seek(0)
            return await self._queue(order, samples, _read(file))

    async def order_speech(self, order: Order, speech: Speech) -> str:
        """Queue a film of what the embedded voice said. Raises BadInput, QueueFull, StorageFull, Unavailable."""
        if not len(speech.pcm):
            raise BadInput(reason="there is nothing to say in the text")
        return await self._queue(order.saying(speech, exact=True), len(speech.pcm), _once(speech.pcm.tobytes()))

    async def _queue(self, order: Order, samples: int, sound: AsyncIterator[bytes]) -> str:
        expected = samples * BYTES_A_SECOND // SAMPLE_RATE
        await self._room(expected)
        destination = secrets.token_hex(16)
        await self._blobs.put(blob(destination, SOUND), sound)
        job = Job(destination, order.account, order.look.face_id, order.request(), bytes=expected)
        try:
            queued = await self._jobs.add(job, max_queue=self._settings.max_queue)
        except BaseException:
            await self._blobs.delete(blob(destination, SOUND))
            raise
        if not queued:
            await self._blobs.delete(blob(destination, SOUND))
            raise self._refusal(QueueFull(retry_s=RETRY_S))
        if self._crew is not None:
            self._crew.wake()
        return destination

    async def _room(self, expected: int) -> None:
        if await self._jobs.waiting() >= self._settings.max_queue:
            raise self._refusal(QueueFull(retry_s=RETRY_S))
        if await self._jobs.used_bytes() + expected > self._settings.max_disk_bytes:
            raise self._refusal(StorageFull(retry_s=FULL_RETRY_S))

    def _refusal(self, error: Unavailable) -> Unavailable:
        self.stats.refused[error.code] += 1
        return error

    async def fetch(self, destination: str, file: str, asked: Asked = _EVERYTHING) -> Delivery:
        """The HTTP answer for a file, ranges included. Waits for a playlist or MP4 that is being made.

        Raises NotFound, RenderFailed, NotReady (after ``wait_s``), Unavailable.
        """
        if not (is_destination(destination) and is_file(file)):
            raise NotFound(what="video")
        name = blob(destination, file)
        size = await self._size(name) if file not in (MOVIE, PLAYLIST, WEBM) else await self._wait(destination, name)
        etag = f'"{destination[:8]}-{size}"'
        part = part_of(size, asked, etag)
        headers = part.headers() | {"content-type": _TYPES[Path(file).suffix], "etag": etag}
        headers["cache-control"] = "no-cache" if file == PLAYLIST else "private, max-age=3600"
        return Delivery(part.status, headers, self._blobs.stream(name, part.start, part.end))

    async def _size(self, name: str) -> int:
        try:
            return await self._blobs.size(name)
        except NotFound:
            raise NotFound(what="video") from None

    async def _wait(self, destination: str, name: str) -> int:
        """The size of a job's file, once it is there."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.wait_s):
                while True:
                    with contextlib.suppress(NotFound):
                        return await self._blobs.size(name)
                    await self._hope(destination, name)
                    await asyncio.sleep(LOOK_EVERY_S)
        raise NotReady(what="the video", retry_s=RETRY_S)

    async def _hope(self, destination: str, name: str) -> None:
        """Nothing if the file may still come. Raises NotFound, RenderFailed."""
        job = await self._jobs.get(destination)
        if job is None:
            raise NotFound(what="video")
        if job.state is JobState.FAILED:
            raise RenderFailed(reason=job.error)
        if job.state is JobState.DONE:
            await self._size(name)  # finished between the two looks


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _read(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece
