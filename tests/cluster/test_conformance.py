"""What every host does, asked of each of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from mouthpiece.cluster.base import WorkerLost
from mouthpiece.cluster.book import Placement
from mouthpiece.errors import Draining, NoCapacity

from .rigs import Rig, local_rig, room_rig, until

pytestmark = pytest.mark.timeout(60)


def _rig(kind: str, log: Path, rules: Placement | None = None) -> AbstractAsyncContextManager[Rig]:
    return local_rig(log, rules=rules) if kind == "local" else room_rig(rules)


@pytest.fixture(params=["inprocess", "local"])
def kind(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
async def rig(kind: str, log: Path) -> AsyncIterator[Rig]:
    async with _rig(kind, log) as rig:
        yield rig


async def test_a_session_is_placed_found_and_released(rig: Rig) -> None:
    lease = await rig.host.place("s1", token_id="t1")
    assert (lease.address is not None) == rig.children
    assert rig.host.find("s1") == lease
    assert await rig.host.place("s1", token_id="t1") == lease
    assert sum(worker.sessions for worker in rig.host.workers()) == 1

    await rig.host.release("s1")
    await rig.host.release("s1")
    await rig.host.release("never placed")
    assert rig.host.find("s1") is None
    assert sum(worker.sessions for worker in rig.host.workers()) == 0


async def test_a_burst_spreads_before_anything_is_measured(rig: Rig) -> None:
    leases = await asyncio.gather(*(rig.host.place(f"s{n}", token_id=f"t{n}") for n in range(8)))
    counts = {worker.worker_id: worker.sessions for worker in rig.host.workers()}
    assert counts == ({"w0": 4, "w1": 4} if rig.children else {"here": 8})
    assert {lease.worker_id for lease in leases} == set(counts)


async def test_no_place_on_a_loaded_worker_and_none_when_all_are(rig: Rig) -> None:
    for number in range(len(rig.host.workers())):
        lease = await rig.host.place(f"hog{number}", token_id=None)
        actor = await rig.enter(lease)
        await actor.load(1.0)
        worker_id = lease.worker_id
        await until(lambda at=worker_id: {w.worker_id: w.load for w in rig.host.workers()}[at] == 1.0)  # type: ignore[misc]
    assert not any(worker.ready for worker in rig.host.workers())
    with pytest.raises(NoCapacity) as full:
        await rig.host.place("one more", token_id=None)
    assert full.value.facts["retry_s"] == 5
    assert rig.host.find("one more") is None


async def test_no_place_on_a_worker_that_refuses(rig: Rig) -> None:
    lease = await rig.host.place("s1", token_id="t1")
    actor = await rig.enter(lease)
    await actor.refuse()
    await until(lambda: any(not worker.ready for worker in rig.host.workers()))
    if rig.children:
        assert {(await rig.host.place(f"n{n}", token_id=None)).worker_id for n in range(3)} == (
            {"w0", "w1"} - {lease.worker_id}
        )
    else:
        with pytest.raises(NoCapacity):
            await rig.host.place("n", token_id=None)


async def test_the_limit_of_all_sessions_holds_and_a_release_makes_room(kind: str, log: Path) -> None:
    async with _rig(kind, log, Placement(max_sessions=2)) as rig:
        await rig.host.place("s1", token_id="t1")
        await rig.host.place("s2", token_id="t2")
        with pytest.raises(NoCapacity):
            await rig.host.place("s3", token_id="t3")
        again = await rig.host.place("s2b", token_id="t2")  # a take-over uses the slot that is there
        assert again.worker_id in {worker.worker_id for worker in rig.host.workers()}
        await rig.host.release("s1")
        await rig.host.place("s3", token_id="t3")


async def test_a_take_over_goes_to_the_worker_that_runs_the_token_even_when_it_is_full(rig: Rig) -> None:
    first = await rig.host.place("s1", token_id="same")
    actor = await rig.enter(first)
    await actor.load(1.5)
    await until(lambda: max(worker.load for worker in rig.host.workers()) == 1.5)
    second = await rig.host.place("s2", token_id="same")
    assert second.worker_id == first.worker_id
    assert sum(worker.sessions for worker in rig.host.workers()) == 1

    await rig.host.release("s1")  # the older socket's own end comes late, and must not forget the newer session
    third = await rig.host.place("s3", token_id="same")
    assert third.worker_id == first.worker_id


async def test_a_late_ticket_is_bound_to_the_place_that_its_session_has(rig: Rig) -> None:
    lease = await rig.host.place("s1", token_id=None)
    assert rig.host.bind("s1", "late") is None
    assert rig.host.bind("s1", "late") is None
    assert (await rig.host.place("s2", token_id="late")).worker_id == lease.worker_id
    assert rig.host.find("s1") is None
    assert rig.host.bind("over", "late") is None

    elsewhere = await rig.host.place("s3", token_id=None)
    assert rig.host.bind("s3", "late") == "s2"
    assert (rig.host.find("s2") is None) == (elsewhere.worker_id == lease.worker_id)


async def test_a_session_that_ends_by_itself_gives_its_place_back(rig: Rig) -> None:
    actor = await rig.enter(await rig.host.place("s1", token_id="t1"))
    await rig.host.place("not yet connected", token_id="t2")
    await until(lambda: bool(rig.host.workers()) and rig.host.find("s1") is not None)
    if rig.children:
        await actor.load(0.2)  # this report has the session in it
        await until(lambda: any(worker.load == 0.2 for worker in rig.host.workers()))
    await actor.leave()
    await until(lambda: bool(rig.host.workers()) and rig.host.find("s1") is None)
    assert rig.host.find("not yet connected") is not None


async def test_a_drained_host_places_nothing_and_waits_for_its_sessions(rig: Rig) -> None:
    lease = await rig.host.place("s1", token_id="t1")
    actor = await rig.enter(lease)
    draining = asyncio.create_task(rig.host.drain(None, 30.0))
    await until(lambda: not any(worker.ready for worker in rig.host.workers()))
    with pytest.raises(Draining):
        await rig.host.place("s2", token_id="t2")
    assert rig.host.find("s1") == lease
    assert not draining.done()
    await actor.leave()
    await rig.host.release("s1")
    assert await draining == 0


async def test_a_drain_ends_at_its_deadline_and_says_who_is_left(rig: Rig) -> None:
    await rig.host.place("s1", token_id="t1")
    assert await rig.host.drain(None, 0.05) == 1


async def test_events_end_when_the_host_is_closed(rig: Rig) -> None:
    events = rig.host.events()
    await rig.host.close()
    assert [event async for event in events] == []
    with pytest.raises(Draining):
        await rig.host.place("s1", token_id=None)
    await rig.host.close()


# --- only where the worker is another process -----------------------------------------------------------------------
@pytest.fixture
async def pair(log: Path) -> AsyncIterator[Rig]:
    async with local_rig(log) as rig:
        yield rig


def _pid(rig: Rig, worker_id: str) -> int:
    pid = {worker.worker_id: worker.pid for worker in rig.host.workers()}[worker_id]
    assert pid is not None
    return pid


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_a_lost_worker_is_announced_and_replaced_and_the_other_goes_on(pair: Rig, blow: signal.Signals) -> None:
    lease = await pair.host.place("s1", token_id="t1")
    other = await pair.host.place("s2", token_id="t2")
    assert lease.worker_id != other.worker_id
    events = pair.host.events()
    before = _pid(pair, lease.worker_id)
    os.kill(before, blow)

    assert await anext(events) == WorkerLost(lease.worker_id, ("s1",))
    assert pair.host.find("s1") is None
    assert pair.host.find("s2") == other
    assert lease.address is not None
    await until(lambda: all(worker.ready for worker in pair.host.workers()))
    assert _pid(pair, lease.worker_id) != before
    again = await pair.host.place("s1b", token_id="t1")
    assert again.worker_id == lease.worker_id
    assert again.address != lease.address


async def test_a_place_is_waited_for_while_the_only_worker_restarts(log: Path) -> None:
    async with local_rig(log, count=1) as rig:
        events = rig.host.events()
        os.kill(_pid(rig, "w0"), signal.SIGKILL)
        await anext(events)
        with pytest.raises(NoCapacity):
            await rig.host.place("hasty", token_id=None, timeout=0.0)
        assert (await rig.host.place("patient", token_id=None, timeout=30.0)).worker_id == "w0"


async def test_a_draining_worker_gets_none_of_ten_new_sessions_and_is_told(pair: Rig) -> None:
    lease = await pair.host.place("s1", token_id="t1")
    actor = await pair.enter(lease)
    draining = asyncio.create_task(pair.host.drain(lease.worker_id, 30.0))
    await until(lambda: [worker.worker_id for worker in pair.host.workers() if not worker.ready] == [lease.worker_id])
    placed = [(await pair.host.place(f"n{n}", token_id=f"n{n}")).worker_id for n in range(10 - 1)]
    placed.append((await pair.host.place("s1 again", token_id="t1")).worker_id)
    assert lease.worker_id not in placed
    assert pair.host.find("s1") == lease
    await actor.leave()
    await pair.host.release("s1")
    assert await draining == 0
