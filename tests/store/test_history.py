"""Sessions: leased while they run, kept when they are over."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError
from tests.support.databases import Clock

from mouthpiece.store.db import Database
from mouthpiece.store.history import WORKER_LOST, History, SessionRecord
from mouthpiece.store.keys import Keys


@pytest.fixture
def history(database: Database, clock: Clock) -> History:
    return History(database, clock=clock, lease_s=15.0)


def record(account: str, n: int = 1) -> SessionRecord:
    return SessionRecord(f"s{n}", account, f"jti{n}", "mia", "compose", end_user="ann", api_key_name="laptop")


async def test_a_session_is_kept_from_its_beginning_to_its_end(history: History, account: str, clock: Clock) -> None:
    start = clock.now
    assert await history.begin(record(account), "w1")
    assert await history.between(account, start, start + 1) == [replace(record(account), started=start)]
    clock.now += 9.5
    await history.end("s1", "done", 237)
    (kept,) = await history.between(account, start, start + 1)
    ended = {"started": start, "ended": start + 9.5, "end_reason": "done", "frames": 237}
    assert kept == replace(record(account), **ended)  # type: ignore[arg-type]


async def test_only_the_first_end_counts(history: History, account: str, clock: Clock) -> None:
    await history.begin(record(account), "w1")
    await history.end("s1", "done", 10)
    clock.now += 5
    await history.end("s1", "closed", 20)
    await history.renew("w1", {"s1": 30})
    (kept,) = await history.between(account, 0, clock.now)
    assert (kept.end_reason, kept.frames, kept.ended) == ("done", 10, clock.now - 5)


async def test_others_sessions_are_not_shown(history: History, account: str, keys: Keys, clock: Clock) -> None:
    other = (await keys.add("other")).account
    await history.begin(record(account), "w1")
    assert await history.between(other, 0, clock.now + 1) == []
    assert (await history.active(other), await history.active(account), await history.active()) == (0, 1, 1)


async def test_between_is_half_open_newest_first_and_in_pages(history: History, account: str, clock: Clock) -> None:
    start = clock.now
    for n in range(5):
        await history.begin(record(account, n), "w1")
        clock.now += 1
    ids = [each.id for each in await history.between(account, start + 1, start + 4)]
    assert ids == ["s3", "s2", "s1"]
    page = await history.between(account, 0, start + 9, offset=1, limit=2)
    assert [each.id for each in page] == ["s3", "s2"]


async def test_a_session_counts_while_its_worker_renews_it(history: History, account: str, clock: Clock) -> None:
    for n in range(3):
        await history.begin(record(account, n), f"w{n % 2}")
    clock.now += 10
    await history.renew("w0", {"s0": 250, "s2": 251})
    clock.now += 6  # past the first lease, within the second
    assert await history.active(account) == 2
    assert await history.expire() == 1
    lost = {each.id: each for each in await history.between(account, 0, clock.now)}
    assert (lost["s1"].end_reason, lost["s1"].ended) == (WORKER_LOST, clock.now - 1)
    assert (lost["s0"].end_reason, lost["s0"].frames, lost["s2"].frames) == (None, 250, 251)


async def test_a_session_given_up_too_early_runs_on(history: History, account: str, clock: Clock) -> None:
    await history.begin(record(account), "w1")
    clock.now += 60
    assert await history.expire() == 1
    await history.renew("w1", {"s1": 1500})
    assert await history.active(account) == 1
    await history.end("s1", "closed", 1600)
    (kept,) = await history.between(account, 0, clock.now)
    assert (kept.end_reason, kept.frames) == ("closed", 1600)


async def test_a_worker_renews_its_own_sessions_only(history: History, account: str, clock: Clock) -> None:
    await history.begin(record(account), "w1")
    clock.now += 14
    await history.renew("w2", {"s1": 99})
    clock.now += 2
    assert await history.active() == 0


async def test_the_sessions_of_a_dead_worker_end_at_once(history: History, account: str, clock: Clock) -> None:
    for n in range(4):
        await history.begin(record(account, n), f"w{n % 2}")
    await history.end("s0", "done", 1)
    assert await history.worker_lost("w0") == 1
    assert await history.worker_lost("w0") == 0
    assert await history.active() == 2


async def test_several_sessions_end_in_one_write(history: History, account: str, clock: Clock) -> None:
    for n in range(3):
        await history.begin(record(account, n), "w1")
    await history.end_many({"s0": ("shutdown", 5), "s2": ("shutdown", 6), "nobody": ("shutdown", 7)})
    assert await history.active() == 1


async def test_one_session_more_than_allowed_is_not_begun(history: History, account: str, keys: Keys) -> None:
    other = (await keys.add("other")).account
    assert await history.begin(record(account, 1), "w1", limit=2)
    assert await history.begin(record(account, 2), "w1", limit=2)
    assert not await history.begin(record(account, 3), "w1", limit=2)
    assert await history.begin(replace(record(account, 4), token_id="jti2"), "w1", limit=2), "a take-over"
    assert await history.begin(record(other, 5), "w1", limit=2)
    assert await history.active(account) == 3


async def test_a_session_needs_an_account(history: History, database: Database) -> None:
    with pytest.raises(IntegrityError):
        await history.begin(record("acct_nobody"), "w1")


async def test_nothing_to_renew_or_end_is_no_error(history: History) -> None:
    await history.renew("w1", {})
    await history.end_many({})
    await history.end("nobody", "closed", 0)
