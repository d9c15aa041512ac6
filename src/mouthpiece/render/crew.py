"""Who makes the films: takes jobs from the queue, one child process each, and clears away what is old.

Any number of servers may share a queue. A job is leased; when its child dies it is queued again at once, when its whole
server dies, at the end of the lease; after the second time it fails, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from mouthpiece.errors import MouthpieceError, NotFound, Unavailable
from mouthpiece.render.base import FOLDER, SOUND, blob, order_of
from mouthpiece.render.publish import Publisher
from mouthpiece.render.renderer import Died, Renderer
from mouthpiece.render.stats import RenderStats
from mouthpiece.settings import EngineSettings, RenderSettings
from mouthpiece.store.base import Blobs
from mouthpiece.store.jobs import Job, Jobs

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 2.0
"""Between looks for jobs that other servers queued."""

SWEEP_EVERY_S: Final = 5.0
RENEW_SHARE: Final = 4
"""Leases are renewed this often within their length."""

LOOK_FOR_ORPHANS_S: Final = 3600.0
COMMAND: Final = (sys.executable, "-m", "mouthpiece.render.child")


async def _no_picture(_: str) -> bytes:
    raise NotFound(what="picture")


@dataclass(frozen=True, slots=True)
class Studio:
    """What the crew works with. ``pack``: a face's pack file by id; raises InvalidFace. ``folder``: for work in hand.

    ``picture``: the file of a background or foreground by id; raises NotFound. ``engine``: who redraws the mouths.
    ``clock`` gives unix seconds.
    """

    jobs: Jobs
    blobs: Blobs
    settings: RenderSettings
    pack: Callable[[str], Awaitable[bytes]]
    folder: Path
    command: Sequence[str] = COMMAND
    clock: Callable[[], float] = time.time
    picture: Callable[[str], Awaitable[bytes]] = _no_picture
    engine: EngineSettings = field(default_factory=EngineSettings)


class Lease:
    """Keeps a job ours while the block runs, however long its renderer takes to begin or to go on."""

    def __init__(self, jobs: Jobs, job_id: str, worker: str) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._worker = worker
        self._done = 0.0
        self._lost = False

    def note(self, done: float) -> None:
        """How far the job is, 0..1. Raises Died when it is another's by now."""
        self._done = done
        if self._lost:
            raise Died("its lease ran out")

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)

    async def _keep(self) -> None:
        while not self._lost:
            with contextlib.suppress(Unavailable):
                self._lost = not await self._jobs.renew(self._job_id, self._worker, self._done)
            await asyncio.sleep(self._jobs.lease_s / RENEW_SHARE)


class Crew:
    """The renderers of one server. Belongs to one event loop."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._woken = asyncio.Event()
        self._worker = uuid.uuid4().hex
        self._renderers: list[Renderer] = []
        self._orphans: set[str] = set()
        self.stats = RenderStats()

    @property
    def pids(self) -> frozenset[int]:
        """Processes that render now."""
        return frozenset(each.busy_pid for each in self._renderers if each.busy_pid is not None)

    def wake(self) -> None:
        """A job was queued."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled; then queue again what is in hand."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sweep())
                for _ in range(self.studio.settings.max_jobs):
                    tasks.create_task(self._work())
        finally:
            with contextlib.suppress(Unavailable):
                await self.studio.jobs.release(self._worker)

    # --- one job after another --------------------------------------------------------------------------------------
    async def _work(self) -> None:
        renderer = Renderer(self.studio.command)
        self._renderers.append(renderer)
        try:
            while True:
                job = await self._next()
                if job is None:
                    await renderer.rest()
                else:
                    await self._make(job, renderer)
        finally:
            await renderer.close()

    async def _next(self) -> Job | None:
        jobs = self.studio.jobs
        try:
            if await jobs.waiting() and (job := await jobs.claim(self._worker)):
                return job
        except Unavailable as fault:
            log.warning("no render job can be taken: %s", fault)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)
        self._woken.clear()
        return None

    async def _make(self, job: Job, renderer: Renderer) -> None:
        jobs, folder, ended = self.studio.jobs, self.studio.folder / job.id, self.stats.ended
        self.stats.running += 1
        try:
            async with Lease(jobs, job.id, self._worker) as lease:
                await self._render(job, folder, renderer, lease)
            ended["done"] += 1
        except (Died, Unavailable) as fault:
            ended["died"] += 1
            log.warning("a renderer stopped: %s", fault, extra={"job": job.id})
            await self._excused(jobs.give_back(job.id, self._worker))
        except MouthpieceError as fault:
            log.warning("a job failed: %s", fault, extra={"job": job.id})
            await self._failed(job, str(fault.facts.get("reason", fault)))
        except Exception:
            log.exception("a job failed by our fault", extra={"job": job.id})
            await self._failed(job, "internal error")
        finally:
            self.stats.running -= 1
            shutil.rmtree(folder, ignore_errors=True)

    async def _failed(self, job: Job, reason: str) -> None:
        self.stats.ended["failed"] += 1
        await self._excused(self.studio.jobs.fail(job.id, self._worker, reason))
        await self._excused(self._clear(job.id))

    async def _excused(self, doing: Awaitable[object]) -> None:
        """The lease ends by itself when the database is away."""
        with contextlib.suppress(Unavailable):
            await doing

    # --- the child --------------------------------------------------------------------------------------------------
    async def _render(self, job: Job, folder: Path, renderer: Renderer, lease: Lease) -> None:
        """Make the files, publish them as they come, and be done. Raises Died, MouthpieceError."""
        jobs, began = self.studio.jobs, time.monotonic()
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        publisher = Publisher(self.studio.blobs, job.id, folder)
        await publisher.begin()
        async with contextlib.aclosing(renderer.render(await self._task(job, folder))) as progress:
            async for done in progress:
                lease.note(done)
                await publisher.update()
        await publisher.finish()
        await jobs.finish(job.id, self._worker, publisher.size)
        await self.studio.blobs.delete(blob(job.id, SOUND))
        took = round(time.monotonic() - began, 1)
        log.info("rendered", extra={"job": job.id, "seconds": took, "bytes": publisher.size})

    async def _task(self, job: Job, folder: Path) -> dict[str, object]:
        sound, face = folder / SOUND, folder / "face"
        with sound.open("wb") as file:
            async for piece in self.studio.blobs.stream(blob(job.id, SOUND)):
                await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(face.write_bytes, await self.studio.pack(job.face_id))
        engine = self.studio.engine
        return {
            "request": job.request,
            "sound": str(sound),
            "face": str(face),
            "folder": str(folder),
            "background": await self._picture(job, folder, "background"),
            "foreground": await self._picture(job, folder, "foreground"),
            "engine": {"name": engine.name, "file": None if engine.file is None else str(engine.file)},
        }

    async def _picture(self, job: Job, folder: Path, layer: str) -> str | None:
        """The file of a layer that the order names; one that was deleted since is left out."""
        look = order_of(job.account, job.request).look
        asset_id = look.background if layer == "background" else look.foreground
        if not asset_id:
            return None
        try:
            data = await self.studio.picture(asset_id)
        except NotFound:
            log.warning("%s %s is gone: left out", layer, asset_id, extra={"job": job.id})
            return None
        path = folder / layer
        await asyncio.to_thread(path.write_bytes, data)
        return str(path)

    # --- clearing away ----------------------------------------------------------------------------------------------
    async def _sweep(self) -> None:
        """Jobs of servers that died, and films that were kept for long enough."""
        looked = -LOOK_FOR_ORPHANS_S
        while True:
            with contextlib.suppress(Unavailable):
                if await self.studio.jobs.expire():
                    self.wake()
                await self.clear_old()
                if time.monotonic() - looked > LOOK_FOR_ORPHANS_S:
                    looked = time.monotonic()
                    await self.clear_orphans()
            await asyncio.sleep(SWEEP_EVERY_S)

    async def clear_old(self) -> None:
        """Delete the films that were kept for as long as the setting says. Raises Unavailable."""
        jobs, keep_s = self.studio.jobs, self.studio.settings.retention_s
        for job in await jobs.finished(self.studio.clock() - keep_s):
            await self._clear(job.id)
            await jobs.delete([job.id])

    async def clear_orphans(self) -> None:
        """Delete files that belong to no job, now and at the last look: their order was cut off. Raises Unavailable."""
        kept = {name.split("/")[1] for name in await self.studio.blobs.list(FOLDER)}
        orphans = {destination for destination in kept if await self.studio.jobs.get(destination) is None}
        for destination in orphans & self._orphans:
            await self._clear(destination)
        self._orphans = orphans

    async def _clear(self, destination: str) -> None:
        for name in await self.studio.blobs.list(f"{FOLDER}/{destination}"):
            await self.studio.blobs.delete(name)
