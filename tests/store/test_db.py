"""The database itself: migrations, many processes at once, and what is said when it cannot be opened."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from tests.support import store_worker
from tests.support.databases import Cluster

from mouthpiece.errors import StartupError, Unavailable
from mouthpiece.store.db import Database, sqlite_url
from mouthpiece.store.history import History, SessionRecord
from mouthpiece.store.jobs import Job, Jobs
from mouthpiece.store.keys import Keys
from mouthpiece.store.tables import metadata

PROCESSES = 3
JOBS = PROCESSES * store_worker.ROUNDS - 8  # some come too late


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_migrations_lead_from_empty_to_the_tables(database: Database) -> None:
    async with database.read() as connection:
        assert await connection.run_sync(_differences) == []


async def test_opening_again_changes_nothing(database: Database, url: str) -> None:
    await Keys(database, b"p").add("laptop")
    again = await Database.open(url)
    assert [each.name for each in await Keys(again, b"p").list()] == ["laptop"]
    await again.close()


async def _write_half(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO accounts VALUES ('a', 1)"))
        raise RuntimeError("half way")


async def test_a_failed_write_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError):
        await _write_half(database)
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM accounts"))).scalar() == 0


async def test_many_tasks_write_at_once(database: Database) -> None:
    keys = Keys(database, b"p")
    await asyncio.gather(*(keys.add(f"{n}") for n in range(40)))
    assert await keys.count() == 40


def _start(url: str, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", store_worker.__file__, url, name]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _opened(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout
    return worker.stdout.readline() or worker.communicate()[1]


def test_several_processes_share_a_database(url: str) -> None:
    workers = [_start(url, f"w{n}") for n in range(PROCESSES)]
    assert [_opened(worker) for worker in workers] == ["open\n"] * PROCESSES
    asyncio.run(_prepare(url))
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    results = [worker.communicate(timeout=100) for worker in workers]
    assert [error for _, error in results] == [""] * PROCESSES
    got = [json.loads(output) for output, _ in results]
    claimed = [job for each in got for job in each["claimed"]]
    assert sum(each["begun"] for each in got) == store_worker.LIMIT
    assert len(claimed) == len(set(claimed)) == JOBS
    assert asyncio.run(_counter(url)) == PROCESSES * store_worker.ROUNDS


async def _prepare(url: str) -> None:
    database = await Database.open(url)
    account = Keys(database, store_worker.PEPPER).account_of(store_worker.ACCOUNT_KEY)
    await History(database).begin(SessionRecord("counter", account, "t", "mia", "counter"), "w")
    await History(database).end("counter", "done", 0)
    jobs = Jobs(database)
    for n in range(JOBS):
        await jobs.add(Job(f"j{n}", account, "mia"))
    await database.close()


async def _counter(url: str) -> int:
    database = await Database.open(url)
    async with database.read() as connection:
        count = (await connection.execute(text("SELECT frames FROM sessions WHERE id = 'counter'"))).scalar_one()
    await database.close()
    return int(count)


async def test_a_database_that_went_away_is_said_and_used_again(cluster: Cluster) -> None:
    database = await Database.open(cluster.empty_database())
    await database.ping()
    await asyncio.to_thread(cluster.stop)
    try:
        with pytest.raises(Unavailable, match="the database does not answer"):
            await database.ping()
        with pytest.raises(Unavailable, match="the database does not answer"):
            await Keys(database, b"p").add("laptop")
    finally:
        await asyncio.to_thread(cluster.start)
    await database.ping()
    await database.close()


async def test_a_locked_file_is_said(tmp_path: Path) -> None:
    database = await Database.open(sqlite_url(tmp_path / "k.db"))
    await database.close()
    (tmp_path / "k.db").write_bytes(b"this is not a database, but long enough to be looked at" * 40)
    with pytest.raises(StartupError, match="file is not a database"):
        await Database.open(sqlite_url(tmp_path / "k.db"))


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "k.db")
    await (await Database.open(url)).close()
    other = sqlite3.connect(tmp_path / "k.db")
    other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.commit()
    other.close()
    with pytest.raises(StartupError, match=r"not one that this version knows .*9999"):
        await Database.open(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "store.database is not a database URL"),
        ("mysql://u:hush@h/x", "store.database cannot be a mysql URL"),
        ("sqlite://", "store.database cannot be a sqlite URL"),
        ("sqlite:////no/such/folder/x.db", "unable to open database file"),
        ("postgresql://u:hush@127.0.0.1:1/x", r"cannot open the database .*u:\*\*\*@127.0.0.1:1/x"),
    ],
)
async def test_a_database_that_cannot_be_opened_is_said_in_one_line(url: str, words: str) -> None:
    with pytest.raises(StartupError, match=words) as caught:
        await Database.open(url)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)
