"""Render jobs: a queue in the database that survives a restart.

A running job is leased by its worker; when the lease runs out the job is queued again, and fails clearly when that
happened too often.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, update

from mouthpiece.store.db import Database, alone
from mouthpiece.store.tables import render_jobs


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


_OVER = (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Job:
    """A render job. ``id`` is its destination in the URLs; ``request`` all that is needed to begin again (JSON).

    ``progress`` 0..1; times in unix seconds; ``bytes`` on disk: expected until it is done; ``error`` for people.
    """

    id: str
    account: str
    face_id: str
    request: Mapping[str, object] = field(default_factory=dict)
    state: JobState = JobState.QUEUED
    progress: float = 0.0
    error: str | None = None
    created: float = 0.0
    finished: float | None = None
    bytes: int = 0
    attempts: int = 0


_COLUMNS = [render_jobs.c[each.name] for each in fields(Job)]


class Jobs:
    """The render jobs of one database. ``clock`` gives unix seconds."""

    def __init__(
        self, database: Database, *, clock: Callable[[], float] = time.time, lease_s: float = 15.0, attempts: int = 2
    ) -> None:
        self._database = database
        self._clock = clock
        self.lease_s = lease_s
        self._attempts = attempts

    async def add(self, job: Job, *, max_queue: int | None = None) -> bool:
        """Queue a job now. False: ``max_queue`` jobs wait already (of everybody), and it was not queued."""
        row: dict[str, object] = {"id": job.id, "account": job.account, "face_id": job.face_id}
        row |= {"request": json.dumps(job.request), "state": JobState.QUEUED, "created": self._clock()}
        row |= {"progress": 0.0, "bytes": job.bytes, "attempts": 0}
        async with self._database.write() as connection:
            if max_queue is not None:
                await alone(connection, "render queue")
                waiting = _count(render_jobs.c.state == JobState.QUEUED)
                if (await connection.execute(waiting)).scalar_one() >= max_queue:
                    return False
            await connection.execute(render_jobs.insert(), row)
        return True

    async def get(self, job_id: str) -> Job | None:
        """The job; None: there is none of this id."""
        found = await self._find(render_jobs.c.id == job_id, limit=1)
        return found[0] if found else None

    async def claim(self, worker: str) -> Job | None:
        """Lease the oldest waiting job to ``worker``; None: none waits. No two workers get the same."""
        table = render_jobs.c
        oldest = select(table.id).where(table.state == JobState.QUEUED).order_by(table.created, table.id).limit(1)
        async with self._database.write() as connection:
            job_id = (await connection.execute(oldest.with_for_update(skip_locked=True))).scalar()
            if job_id is None:
                return None
            values = {"state": JobState.RUNNING, "attempts": table.attempts + 1, "worker": worker}
            values |= {"lease_until": self._clock() + self.lease_s, "progress": 0.0}
            await connection.execute(update(render_jobs).where(table.id == job_id).values(values))
            return _job((await connection.execute(select(*_COLUMNS).where(table.id == job_id))).one())

    async def renew(self, job_id: str, worker: str, progress: float) -> bool:
        """Renew the lease and note the progress (0..1). False: the job is not this worker's any more; stop it."""
        values = {"progress": progress, "lease_until": self._clock() + self.lease_s}
        return await self._change(_held(job_id, worker), values) > 0

    async def finish(self, job_id: str, worker: str, size: int) -> bool:
        """The job is done; ``size`` in bytes on disk. False: it is not this worker's any more."""
        values = {"state": JobState.DONE, "progress": 1.0, "bytes": size, "finished": self._clock(), "error": None}
        return await self._change(_held(job_id, worker), values) > 0

    async def fail(self, job_id: str, worker: str, error: str) -> bool:
        """The job failed for the reason in ``error``. False: it is not this worker's any more."""
        values = {"state": JobState.FAILED, "error": error, "finished": self._clock(), "bytes": 0}
        return await self._change(_held(job_id, worker), values) > 0

    async def give_back(self, job_id: str, worker: str) -> None:
        """What made the job died: queue it again, or fail it after too many attempts."""
        await self._again(_held(job_id, worker))

    async def release(self, worker: str) -> int:
        """The worker stops: queue its running jobs again, as if they had not begun. Returns how many."""
        table = render_jobs.c
        values = {"state": JobState.QUEUED, "attempts": table.attempts - 1, "progress": 0.0}
        return await self._change(and_(table.state == JobState.RUNNING, table.worker == worker), values)

    async def expire(self) -> int:
        """Queue the jobs whose worker died again, or fail them after too many attempts. Returns how many."""
        table = render_jobs.c
        return await self._again(and_(table.state == JobState.RUNNING, table.lease_until <= self._clock()))

    async def _again(self, dead: ColumnElement[bool]) -> int:
        error = "the renderer died while it made this: send it again, or a shorter one"
        failed = {"state": JobState.FAILED, "error": error, "finished": self._clock(), "bytes": 0}
        count = await self._change(and_(dead, render_jobs.c.attempts >= self._attempts), failed)
        return count + await self._change(dead, {"state": JobState.QUEUED, "progress": 0.0})

    async def waiting(self) -> int:
        """Jobs that wait for a worker."""
        async with self._database.read() as connection:
            return (await connection.execute(_count(render_jobs.c.state == JobState.QUEUED))).scalar_one()

    async def used_bytes(self) -> int:
        """Bytes on disk of all jobs, with those that are expected of jobs to come."""
        query = select(func.coalesce(func.sum(render_jobs.c.bytes), 0))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def finished(self, before: float, *, limit: int = 100) -> list[Job]:
        """Jobs that were over before this time, oldest first: to be deleted with their files."""
        return await self._find(and_(render_jobs.c.state.in_(_OVER), render_jobs.c.finished < before), limit=limit)

    async def delete(self, job_ids: Sequence[str]) -> None:
        """Forget these jobs."""
        async with self._database.write() as connection:
            await connection.execute(delete(render_jobs).where(render_jobs.c.id.in_(job_ids)))

    async def _find(self, condition: ColumnElement[bool], *, limit: int) -> list[Job]:
        query = select(*_COLUMNS).where(condition).order_by(render_jobs.c.finished, render_jobs.c.created).limit(limit)
        async with self._database.read() as connection:
            return [_job(row) for row in (await connection.execute(query)).all()]

    async def _change(self, condition: ColumnElement[bool], values: Mapping[str, object]) -> int:
        async with self._database.write() as connection:
            return (await connection.execute(update(render_jobs).where(condition).values(dict(values)))).rowcount


def _held(job_id: str, worker: str) -> ColumnElement[bool]:
    table = render_jobs.c
    return and_(table.id == job_id, table.worker == worker, table.state == JobState.RUNNING)


def _job(row: Sequence[object]) -> Job:
    values = dict(zip((each.name for each in fields(Job)), row, strict=True))
    values |= {"request": json.loads(str(values["request"])), "state": JobState(str(values["state"]))}
    return Job(**values)  # type: ignore[arg-type]


def _count(condition: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).select_from(render_jobs).where(condition)
