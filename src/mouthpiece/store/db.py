"""The database: SQLite in a file by default, PostgreSQL by URL; migrated when it is opened.

On SQLite every write transaction begins with ``BEGIN IMMEDIATE``: a transaction that begins as a reader and then
writes fails at once when another process wrote in between (385 of 800 times with four processes; immediate: none).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, PoolProxiedConnection, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mouthpiece.errors import StartupError, Unavailable

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 5_000  # how long SQLite waits for another process to finish its write (they take a few ms each)
_WRITE = "mouthpiece_write"


def sqlite_url(path: Path) -> str:
    """The database URL of an SQLite file."""
    return f"sqlite:///{path.absolute()}"


class Database:
    """A pool of connections, with one way to read and one to write."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITE: True})
        # Writers of one process queue here: SQLite's own waiting is by polling and not fair.
        self._turn = nullcontext() if engine.dialect.name == "postgresql" else asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect and bring the tables up to date; safe when several processes do so at once.

        ``url``: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``. Raises StartupError.
        """
        address = _address(url)
        database = cls(_engine(address))
        try:
            await database._prepare()
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            await database.close()
            remedy = "check the setting store.database (MOUTHPIECE_DATABASE) and that the database runs"
            raise StartupError(reason=f"cannot open the database {address} ({_cause(error)})", remedy=remedy) from None
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries. Raises Unavailable when the database does not answer."""
        with _unavailable():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A connection inside a write transaction, committed at the end, rolled back on an exception.

        Raises Unavailable when the database does not answer.
        """
        with _unavailable():
            async with self._turn, self._writer.begin() as connection:
                yield connection

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _prepare(self) -> None:
        if self._engine.dialect.name == "sqlite":
            await asyncio.to_thread(_use_wal, str(self._engine.url.database))
        async with self._writer.begin() as connection:
            await alone(connection, "migration")
            await connection.run_sync(_migrate)


@dataclass(frozen=True, slots=True)
class Revisions:
    """Which migration a database has (None: it is empty), and the newest there is."""

    current: str | None
    newest: str | None


async def revisions(url: str) -> Revisions:
    """Look at a database without changing it. Raises StartupError, Unavailable."""
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    newest = ScriptDirectory.from_config(config).get_current_head()
    database = Database(_engine(_address(url)))
    try:
        async with database.read() as connection:
            current = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    finally:
        await database.close()
    return Revisions(current, newest)


async def insert_missing(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert the rows that break no unique rule, and leave the others as they are."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    await connection.execute(dialect.insert(table).on_conflict_do_nothing(), [dict(row) for row in rows])


async def alone(connection: AsyncConnection, purpose: str) -> None:
    """Until the end of this write transaction, wait for and keep out every other that says the same purpose.

    On SQLite writers are alone anyway.
    """
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtext(:purpose))")
        await connection.execute(lock, {"purpose": f"mouthpiece {purpose}"})


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        raise Unavailable(reason=f"the database does not answer ({_cause(error)})") from error


def _cause(error: BaseException) -> str:
    """The driver's own words in one line; SQLAlchemy's would show the statement and its values."""
    words = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return " ".join((words.rpartition(">: ")[2] or type(error).__name__).split())


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        remedy = "give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        raise StartupError(reason="store.database is not a database URL", remedy=remedy) from None
    backend = address.get_backend_name()
    if backend == "sqlite" and address.database and address.database != ":memory:":
        return address.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        mode = address.query.get("sslmode")
        address = address.set(drivername="postgresql+asyncpg").difference_update_query(["sslmode"])
        return address.update_query_dict({"ssl": mode}) if isinstance(mode, str) else address
    remedy = "give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
    raise StartupError(reason=f"store.database cannot be a {address.drivername} URL", remedy=remedy)


def _engine(address: URL) -> AsyncEngine:
    if address.get_backend_name() == "sqlite":
        engine = create_async_engine(address, connect_args={"timeout": _BUSY_MS / 1000})
        event.listen(engine.sync_engine, "connect", _on_connect)
        event.listen(engine.sync_engine, "begin", _on_begin)
        return engine
    try:
        limits = {"timeout": 10, "command_timeout": 30}  # seconds to connect, and for one statement
        return create_async_engine(address, pool_pre_ping=True, pool_timeout=10, connect_args=limits)
    except ModuleNotFoundError:
        remedy = "pip install 'mouthpiece[postgres]'"
        raise StartupError(reason="PostgreSQL needs a driver that is not installed", remedy=remedy) from None


def _on_connect(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; _on_begin does
    _pragmas(connection, f"busy_timeout={_BUSY_MS}", "foreign_keys=ON", "synchronous=NORMAL")


def _pragmas(connection: PoolProxiedConnection | DBAPIConnection, *pragmas: str) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITE) else "BEGIN")


def _use_wal(file: str) -> None:
    """Let readers and the writer not wait for each other. Kept in the file, so only its first opener changes it.

    With a plain connection: the asynchronous driver's thread outlives a file that cannot be opened.
    """
    with closing(sqlite3.connect(file, timeout=_BUSY_MS / 1000)) as connection:
        for attempts_left in range(100, -1, -1):
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                # This one change does not wait by itself while another process opens the same new file.
                if "locked" not in str(error) or attempts_left == 0:
                    raise
                time.sleep(0.05)


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        remedy = "run the newest mouthpiece, or name another database"
        raise StartupError(reason=f"the database is not one that this version knows ({error})", remedy=remedy) from None
