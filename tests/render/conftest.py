"""A render desk on a real database and a real folder, with speech from the embedded voice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.databases import PEPPER

from mouthpiece.errors import MouthpieceError
from mouthpiece.face import catalog
from mouthpiece.providers.espeak import EspeakVoice, Speech
from mouthpiece.render.crew import COMMAND, Crew, Studio
from mouthpiece.render.desk import RenderDesk
from mouthpiece.settings import EngineSettings, RenderSettings
from mouthpiece.store.blobs import FolderBlobs
from mouthpiece.store.db import Database, sqlite_url
from mouthpiece.store.jobs import Job, Jobs
from mouthpiece.store.keys import Keys

PATIENCE_S = 90.0


@pytest.fixture(scope="session")
def speech() -> Speech:
    """Bursts of speech with pauses between them, about six seconds."""

    async def speak() -> Speech:
        voice = EspeakVoice()
        try:
            return await voice.speak("Mama, bring my baby. Papa may pay for it. Why, we go away now.")
        finally:
            await voice.close()

    return asyncio.run(speak())


@dataclass
class Works:
    """A desk, the crew behind it, and what they keep."""

    desk: RenderDesk
    crew: Crew
    jobs: Jobs
    blobs: FolderBlobs
    folder: Path
    account: str
    crews: list[asyncio.Task[None]]

    async def job(self, destination: str, done: Callable[[Job], bool]) -> Job:
        """The job, once it is as wanted."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                job = await self.jobs.get(destination)
                if job is not None and done(job):
                    return job
                await moment()

    async def idle(self) -> None:
        """Wait until the crew has put everything away: a job is over in the database a moment before."""
        async with asyncio.timeout(PATIENCE_S):
            while self.crew.stats.running:
                await moment()

    async def segment(self, destination: str, n: int) -> None:
        """Wait until a segment can be fetched."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(MouthpieceError):
                    await self.desk.fetch(destination, f"output{n:05}.ts")
                    return
                await moment()

    async def read(self, destination: str, file: str) -> bytes:
        """A whole file."""
        found = await self.desk.fetch(destination, file)
        return b"".join([piece async for piece in found.body])

    def employ(self, crew: Crew | None = None) -> asyncio.Task[None]:
        """Let a crew begin to work."""
        self.crews.append(asyncio.create_task((crew or self.crew).run()))
        return self.crews[-1]


async def moment() -> None:
    """Between two looks at a database that tells nobody when it changes."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.05)


Open = Callable[..., AbstractAsyncContextManager[Works]]


@pytest.fixture
def open_works(tmp_path: Path) -> Open:
    """Open works with these settings; ``command``: another program in the renderer's place."""

    @asynccontextmanager
    async def run(
        *,
        command: tuple[str, ...] = COMMAND,
        lease_s: float = 15.0,
        working: bool = True,
        engine: EngineSettings | None = None,
        **settings: object,
    ) -> AsyncIterator[Works]:
        database = await Database.open(sqlite_url(tmp_path / "db"))
        keys = Keys(database, PEPPER)
        await keys.ensure(["k"])
        jobs, blobs = Jobs(database, lease_s=lease_s), FolderBlobs(tmp_path / "blobs")
        rules = RenderSettings(**settings)  # type: ignore[arg-type]
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)

        async def pack(face_id: str) -> bytes:
            return catalog.pack_bytes(face_id)

        studio = Studio(jobs, blobs, rules, pack, work, command, engine=engine or EngineSettings())
        crew = Crew(studio)
        desk = RenderDesk(jobs, blobs, rules, crew, tmp_path)
        works = Works(desk, crew, jobs, blobs, tmp_path, keys.account_of("k"), [])
        try:
            if working:
                works.employ()
            yield works
        finally:
            for task in works.crews:
                task.cancel()
            await asyncio.gather(*works.crews, return_exceptions=True)
            await database.close()

    return run
