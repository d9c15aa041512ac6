"""Fixtures: an empty database of each kind, and what stands on it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.databases import PEPPER, Clock, Cluster, postgres_tools, unprivileged

from mouthpiece.store.db import Database, sqlite_url
from mouthpiece.store.keys import Keys


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    tools = postgres_tools()
    if tools is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short and open to its user, as a socket's folder must be
    cluster = Cluster(folder, tools, unprivileged(folder))
    try:
        cluster.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "mouthpiece.db")
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.empty_database()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = await Database.open(url)
    yield database
    await database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(database: Database, clock: Clock) -> Keys:
    return Keys(database, PEPPER, clock=clock)


@pytest.fixture
async def account(keys: Keys) -> str:
    """An account that exists."""
    return (await keys.add("test")).account
