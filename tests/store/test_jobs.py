"""Render jobs: a queue that no restart empties."""

import asyncio

import pytest
from tests.support.databases import Clock

from mouthpiece.store.db import Database
from mouthpiece.store.jobs import Job, Jobs, JobState


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, clock=clock, lease_s=30.0, attempts=2)


async def _state(jobs: Jobs, job_id: str) -> tuple[str, float, str | None]:
    job = await jobs.get(job_id)
    assert job
    return job.state, job.progress, job.error


async def test_a_job_goes_from_the_queue_to_its_end(jobs: Jobs, account: str, clock: Clock) -> None:
    queued = clock.now
    assert await jobs.add(Job("j1", account, "mia", {"fps": 25, "look": [1, 2]}))
    clock.now += 1
    job = await jobs.claim("w1")
    assert job
    assert (job.state, job.request, job.created, job.attempts) == ("running", {"fps": 25, "look": [1, 2]}, queued, 1)
    assert await jobs.renew("j1", "w1", 0.5)
    assert await _state(jobs, "j1") == (JobState.RUNNING, 0.5, None)
    assert await jobs.finish("j1", "w1", 12_345)
    done = await jobs.get("j1")
    assert done
    assert (done.state, done.progress, done.bytes, done.finished) == (JobState.DONE, 1.0, 12_345, clock.now)
    assert await jobs.used_bytes() == 12_345


async def test_the_oldest_goes_first_and_to_one_worker(jobs: Jobs, account: str, clock: Clock) -> None:
    for n in range(6):
        await jobs.add(Job(f"j{n}", account, "mia"))
        clock.now += 1
    first = await jobs.claim("w1")
    assert first
    assert first.id == "j0"
    rest = await asyncio.gather(*(jobs.claim(f"w{n}") for n in range(8)))
    assert sorted(job.id for job in rest if job) == ["j1", "j2", "j3", "j4", "j5"]


async def test_a_full_queue_takes_no_more(jobs: Jobs, account: str) -> None:
    added = await asyncio.gather(*(jobs.add(Job(f"j{n}", account, "mia"), max_queue=3) for n in range(6)))
    assert sum(added) == 3
    assert await jobs.waiting() == 3
    await jobs.claim("w1")
    assert await jobs.add(Job("more", account, "mia"), max_queue=3)


async def test_a_failed_job_says_why(jobs: Jobs, account: str) -> None:
    await jobs.add(Job("j1", account, "mia"))
    await jobs.claim("w1")
    assert await jobs.fail("j1", "w1", "the disk is full")
    assert await _state(jobs, "j1") == (JobState.FAILED, 0.0, "the disk is full")
    assert not await jobs.finish("j1", "w1", 1), "over is over"


async def test_the_job_of_a_dead_worker_is_done_again_and_then_fails(jobs: Jobs, account: str, clock: Clock) -> None:
    await jobs.add(Job("j1", account, "mia"))
    await jobs.claim("w1")
    clock.now += 20
    await jobs.renew("j1", "w1", 0.7)
    clock.now += 20
    assert await jobs.expire() == 0
    clock.now += 10
    assert await jobs.expire() == 1
    assert await _state(jobs, "j1") == (JobState.QUEUED, 0.0, None)
    await jobs.claim("w2")
    assert not await jobs.renew("j1", "w1", 0.8), "the first worker woke up again"
    assert not await jobs.finish("j1", "w1", 1)
    clock.now += 30
    assert await jobs.expire() == 1
    state, _, error = await _state(jobs, "j1")
    assert state == JobState.FAILED
    assert error
    assert "send it again" in error


async def test_a_worker_that_stops_gives_its_jobs_back(jobs: Jobs, account: str) -> None:
    for n in range(2):
        await jobs.add(Job(f"j{n}", account, "mia"))
        await jobs.claim(f"w{n}")
    assert await jobs.release("w0") == 1
    job = await jobs.claim("w2")
    assert job
    assert (job.id, job.attempts) == ("j0", 1)


async def test_old_jobs_are_found_and_forgotten(jobs: Jobs, account: str, clock: Clock) -> None:
    for n in range(4):
        await jobs.add(Job(f"j{n}", account, "mia"))
        await jobs.claim("w1")
        if n < 3:
            await jobs.finish(f"j{n}", "w1", 10)
        clock.now += 10
    old = await jobs.finished(clock.now - 15, limit=5)
    assert [job.id for job in old] == ["j0", "j1", "j2"]
    await jobs.delete([job.id for job in old[:2]])
    assert await jobs.get("j0") is None
    assert await jobs.used_bytes() == 10


async def test_what_is_not_there_is_nothing(jobs: Jobs) -> None:
    assert await jobs.get("nothing") is None
    assert await jobs.claim("w1") is None
    assert not await jobs.renew("nothing", "w1", 0.1)
    await jobs.delete([])
