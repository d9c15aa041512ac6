"""API keys and the accounts that they open.

A key is 256 random bits; the database holds only HMAC-SHA256 of it with a pepper that lives elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mouthpiece.errors import NotFound, Unavailable
from mouthpiece.store.db import Database, alone, insert_missing
from mouthpiece.store.tables import accounts, api_keys

CACHE_S = 1.0  # a key revoked elsewhere is believed for this long at most
_CACHE_KEYS = 4096
_USED_S = 60.0  # "last used" is written at most this often for a key
_MAX_LENGTH = 512  # of a key; longer ones are refused unread


@dataclass(frozen=True, slots=True)
class Account:
    """Whose key it is, and which of the account's keys it is."""

    id: str
    key_id: str
    key_name: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``plaintext`` is known now and never again."""

    id: str
    account: str
    plaintext: str


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A stored key as ``keys list`` shows it; times in unix seconds."""

    id: str
    account: str
    name: str
    created: float
    revoked: float | None
    last_used: float | None


class Keys:
    """The keys of one database, or the fixed ones of the settings.

    ``pepper`` comes from ``Secrets``; ``clock`` gives unix seconds.
    """

    def __init__(self, database: Database, pepper: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock
        self._fixed: dict[str, Account] | None = None
        self._known: dict[str, tuple[Account, float]] = {}  # digest -> account, believed until
        self._open: dict[str, float] = {}  # account id -> believed to have a key until
        self._used: dict[str, float] = {}  # key id -> last used, as last written

    async def ensure(self, keys: Sequence[str]) -> None:
        """From now on these are the keys, each with an account of its own; stored keys do not count.

        The account's id is derived from the key, so the same key finds the same account after every start. Nothing
        of the keys is stored.
        """
        unique = list(dict.fromkeys(keys))
        found = {
            self._digest(key): Account(self.account_of(key), f"settings-{n}", f"settings-{n}")
            for n, key in enumerate(unique, 1)
        }
        async with self._database.write() as connection:
            await self._insert_accounts(connection, [account.id for account in found.values()])
        self._fixed = found

    async def authenticate(self, key: str) -> Account | None:
        """Whose key this is; None: nobody's, or revoked.

        A positive answer is kept for ``CACHE_S``. Raises Unavailable when the database does not answer.
        """
        if not 0 < len(key) <= _MAX_LENGTH:
            return None
        digest = self._digest(key)
        if self._fixed is not None:
            return self._fixed.get(digest)
        account, until = self._known.get(digest, (None, 0.0))
        now = self._clock()
        if account is None or not until - CACHE_S <= now < until:  # a clock set back must not keep a key alive
            account = await self._look_up(digest, now)
        if account is not None:
            await self._note_use(account.key_id, now)
        return account

    async def open_account(self, account: str) -> bool:
        """Whether this account has a key that is not revoked; yes is kept for ``CACHE_S``. Raises Unavailable."""
        if self._fixed is not None:
            return any(each.id == account for each in self._fixed.values())
        now = self._clock()
        until = self._open.get(account, 0.0)
        if until - CACHE_S <= now < until:
            return True
        async with self._database.read() as connection:
            found = (await connection.execute(_LIVE.where(api_keys.c.account == account).limit(1))).first()
        self._open.pop(account, None)
        if found is None:
            return False
        if len(self._open) >= _CACHE_KEYS:
            self._open.clear()
        self._open[account] = now + CACHE_S
        return True

    async def first_account(self) -> Account | None:
        """The operator's own account: the first of the settings, else the one of the oldest key that is not revoked."""
        if self._fixed is not None:
            return next(iter(self._fixed.values()), None)
        query = _LIVE.order_by(api_keys.c.created, api_keys.c.id).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return Account(*row) if row else None

    async def add(self, name: str, account: str | None = None) -> NewKey:
        """Make a key, for ``account`` or for a new one. Raises NotFound (no such account)."""
        plaintext = new_plaintext()
        async with self._database.write() as connection:
            if account is not None:
                await _require_account(connection, account)
            return await self._insert(connection, plaintext, name, account)

    async def adopt(self, plaintext: str, name: str, *, only_first: bool = False) -> bool:
        """Make sure that a key known beforehand is stored; ``only_first``: unless other keys are.

        Returns whether it is stored (it may have been revoked since).
        """
        async with self._database.write() as connection:
            await alone(connection, "first key")
            digests = (await connection.execute(select(api_keys.c.digest))).scalars().all()
            if self._digest(plaintext) in digests:
                return True
            if digests and only_first:
                return False
            await self._insert(connection, plaintext, name, None)
            return True

    async def count(self) -> int:
        """Stored keys, revoked ones too."""
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(api_keys))).scalar_one()

    async def list(self) -> list[KeyInfo]:
        """Every stored key, oldest first."""
        table = api_keys.c
        columns = (table.id, table.account, table.name, table.created, table.revoked, table.last_used)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(*columns).order_by(table.created, table.id))).all()
        return [KeyInfo(*row) for row in rows]

    async def revoke(self, key_id: str) -> None:
        """End a key: at once here, within ``CACHE_S`` in other processes. Raises NotFound."""
        statement = update(api_keys).where(api_keys.c.id == key_id)
        now = func.coalesce(api_keys.c.revoked, self._clock())
        async with self._database.write() as connection:
            if (await connection.execute(statement.values(revoked=now))).rowcount == 0:
                raise NotFound(what=f"key {key_id}: `mouthpiece keys list` shows them")
        self._known.clear()
        self._open.clear()

    def account_of(self, key: str) -> str:
        """The id of the account that a key brings along when it is given none."""
        return f"acct_{hmac.new(self._pepper, b'account:' + _bytes(key), hashlib.sha256).hexdigest()[:24]}"

    def _digest(self, key: str) -> str:
        return hmac.new(self._pepper, b"api key:" + _bytes(key), hashlib.sha256).hexdigest()

    async def _look_up(self, digest: str, now: float) -> Account | None:
        async with self._database.read() as connection:
            row = (await connection.execute(_LIVE.where(api_keys.c.digest == digest))).first()
        if row is None:
            self._known.pop(digest, None)
            return None
        if len(self._known) >= _CACHE_KEYS:
            self._known.clear()
        account = Account(*row)
        self._known[digest] = (account, now + CACHE_S)
        return account

    async def _note_use(self, key_id: str, now: float) -> None:
        if abs(now - self._used.get(key_id, -_USED_S)) < _USED_S:
            return
        self._used[key_id] = now
        table = api_keys.c
        stale = or_(table.last_used.is_(None), table.last_used < now - _USED_S)
        try:
            async with self._database.write() as connection:
                await connection.execute(update(api_keys).where(table.id == key_id, stale).values(last_used=now))
        except Unavailable:
            return  # a full disk must not lock anybody out; the next use a minute later is written instead

    async def _insert(self, connection: AsyncConnection, plaintext: str, name: str, account: str | None) -> NewKey:
        new = NewKey(f"key_{secrets.token_hex(6)}", account or self.account_of(plaintext), plaintext)
        await self._insert_accounts(connection, [new.account])
        row = {"id": new.id, "account": new.account, "name": name, "digest": self._digest(plaintext)}
        await connection.execute(api_keys.insert(), row | {"created": self._clock()})
        return new

    async def _insert_accounts(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        if ids:
            now = self._clock()
            await insert_missing(connection, accounts, [{"id": each, "created": now} for each in ids])


_LIVE = select(api_keys.c.account, api_keys.c.id, api_keys.c.name).where(api_keys.c.revoked.is_(None))


def new_plaintext() -> str:
    """A new key: ``mp_`` and 256 random bits."""
    return f"mp_{secrets.token_urlsafe(32)}"


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


async def _require_account(connection: AsyncConnection, account: str) -> None:
    if (await connection.execute(select(accounts.c.id).where(accounts.c.id == account))).first() is None:
        raise NotFound(what=f"account {account}: leave it away for a new one")
