"""API keys: secret at rest, revocable, and quick to check."""

from pathlib import Path

import pytest
from sqlalchemy import event
from tests.support.databases import PEPPER, Clock

from mouthpiece.errors import NotFound, Unavailable
from mouthpiece.store.db import Database, sqlite_url
from mouthpiece.store.keys import CACHE_S, Account, Keys


async def test_a_new_key_opens_its_account(keys: Keys) -> None:
    new = await keys.add("laptop")
    assert await keys.authenticate(new.plaintext) == Account(new.account, new.id, "laptop")


@pytest.mark.parametrize("key", ["", "nobody's", "x" * 100_000, "ключ", "\udcff", "k\x00"])
async def test_what_is_no_key_opens_nothing(keys: Keys, key: str) -> None:
    await keys.add("laptop")
    assert await keys.authenticate(key) is None


async def test_keys_have_accounts_of_their_own_unless_one_is_named(keys: Keys) -> None:
    one, two = await keys.add("one"), await keys.add("two")
    more = await keys.add("three", one.account)
    assert more.account == one.account != two.account
    with pytest.raises(NotFound, match="acct_nobody"):
        await keys.add("four", "acct_nobody")


async def test_another_pepper_knows_no_key(keys: Keys, database: Database) -> None:
    new = await keys.add("laptop")
    assert await Keys(database, b"q" * 32).authenticate(new.plaintext) is None


async def test_a_revoked_key_stops_here_at_once_and_elsewhere_when_the_cache_ends(
    keys: Keys, database: Database, clock: Clock
) -> None:
    elsewhere = Keys(database, PEPPER, clock=clock)
    new = await keys.add("laptop")
    assert await keys.authenticate(new.plaintext)
    assert await elsewhere.authenticate(new.plaintext)
    await keys.revoke(new.id)
    assert await keys.authenticate(new.plaintext) is None
    clock.now += CACHE_S
    assert await elsewhere.authenticate(new.plaintext) is None


async def test_an_account_is_open_while_one_of_its_keys_is_good(keys: Keys, database: Database, clock: Clock) -> None:
    one = await keys.add("one")
    two = await keys.add("two", one.account)
    elsewhere = Keys(database, PEPPER, clock=clock)
    assert not await keys.open_account("acct_nobody")
    await keys.revoke(one.id)
    assert await keys.open_account(one.account)
    assert await elsewhere.open_account(one.account)
    await keys.revoke(two.id)
    assert not await keys.open_account(one.account)
    assert await elsewhere.open_account(one.account), "believed for a moment"
    clock.now += CACHE_S
    assert not await elsewhere.open_account(one.account)
    await keys.ensure(["fixed"])
    assert await keys.open_account(keys.account_of("fixed"))
    assert not await keys.open_account(one.account)


async def test_a_clock_set_back_keeps_no_revoked_key_alive(keys: Keys, database: Database, clock: Clock) -> None:
    elsewhere = Keys(database, PEPPER, clock=clock)
    new = await keys.add("laptop")
    assert await elsewhere.authenticate(new.plaintext)
    await keys.revoke(new.id)
    clock.now -= 3600
    assert await elsewhere.authenticate(new.plaintext) is None


async def test_a_known_key_asks_the_database_once_a_second(keys: Keys, database: Database, clock: Clock) -> None:
    new = await keys.add("laptop")
    statements: list[str] = []
    event.listen(database._engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    for _ in range(50):
        assert await keys.authenticate(new.plaintext)
    assert _asked(statements) == ["SELECT", "UPDATE"]
    clock.now += CACHE_S
    await keys.authenticate(new.plaintext)
    assert _asked(statements) == ["SELECT", "UPDATE", "SELECT"]


async def test_the_list_tells_when_a_key_was_made_used_and_revoked(keys: Keys, clock: Clock) -> None:
    new = await keys.add("laptop")
    made = clock.now
    clock.now += 10
    await keys.authenticate(new.plaintext)
    clock.now += 10
    await keys.revoke(new.id)
    clock.now += 10
    await keys.revoke(new.id)  # again: the first time stands
    (info,) = await keys.list()
    assert (info.id, info.account, info.name) == (new.id, new.account, "laptop")
    assert (info.created, info.last_used, info.revoked) == (made, made + 10, made + 20)


async def test_revoking_what_is_not_there_says_so(keys: Keys) -> None:
    with pytest.raises(NotFound, match="key_x"):
        await keys.revoke("key_x")


async def test_keys_of_the_settings_are_the_only_ones(keys: Keys, database: Database) -> None:
    stored = await keys.add("laptop")
    await keys.ensure(["k1", "k2", "k1"])
    first, second = await keys.authenticate("k1"), await keys.authenticate("k2")
    assert first
    assert second
    assert first.id != second.id
    assert await keys.authenticate(stored.plaintext) is None
    assert await keys.first_account() == first
    again = Keys(database, PEPPER)
    await again.ensure(["k2"])
    assert await again.authenticate("k1") is None
    found = await again.authenticate("k2")
    assert found
    assert found.id == second.id


async def test_a_stored_key_given_by_the_settings_keeps_its_account(keys: Keys) -> None:
    stored = await keys.add("laptop")
    await keys.ensure([stored.plaintext])
    found = await keys.authenticate(stored.plaintext)
    assert found
    assert found.id == stored.account


async def test_the_operators_account_is_that_of_the_oldest_living_key(keys: Keys, clock: Clock) -> None:
    assert await keys.first_account() is None
    one = await keys.add("one")
    clock.now += 1
    two = await keys.add("two")
    found = await keys.first_account()
    assert found
    assert found.id == one.account
    await keys.revoke(one.id)
    found = await keys.first_account()
    assert found
    assert found.id == two.account


async def test_no_key_is_in_the_files_of_the_database(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    database = await Database.open(sqlite_url(path))
    keys = Keys(database, PEPPER)
    new = await keys.add("laptop")
    await keys.authenticate(new.plaintext)
    await keys.ensure(["a-key-of-the-settings"])
    raw = _all_bytes(tmp_path)
    assert b"laptop" in raw
    assert new.plaintext.encode() not in raw
    assert new.plaintext[3:].encode() not in raw
    assert b"a-key-of-the-settings" not in raw
    await database.close()


async def test_a_database_that_cannot_be_written_locks_nobody_out(tmp_path: Path) -> None:
    database = await Database.open(sqlite_url(tmp_path / "k.db"))
    keys = Keys(database, PEPPER)
    new = await keys.add("laptop")
    pool = database._engine.sync_engine
    event.listen(pool, "checkout", lambda raw, *_: raw.cursor().execute("PRAGMA query_only=ON"))
    with pytest.raises(Unavailable, match="readonly"):
        await keys.add("more")
    assert await keys.authenticate(new.plaintext)
    await database.close()


def _asked(statements: list[str]) -> list[str]:
    return [verb for verb in (each.split()[0] for each in statements) if verb in ("SELECT", "UPDATE")]


def _all_bytes(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir())
