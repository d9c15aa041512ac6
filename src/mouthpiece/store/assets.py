"""Backgrounds and foregrounds that accounts upload: rows here, pictures as blobs ``assets/ID``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, and_, delete, func, select

from mouthpiece.errors import NotFound, TooLarge
from mouthpiece.store.base import Blobs
from mouthpiece.store.db import Database, alone
from mouthpiece.store.tables import assets


@dataclass(frozen=True, slots=True)
class Asset:
    """A picture of an account; ``layer``: background or foreground. ``created`` in unix seconds."""

    id: str
    account: str
    layer: str
    width: int
    height: int
    bytes: int = 0
    created: float = 0.0


_COLUMNS = [assets.c[each.name] for each in fields(Asset)]


class AssetStore:
    """The assets of one database and its blobs. ``clock`` gives unix seconds."""

    def __init__(
        self, database: Database, blobs: Blobs, *, clock: Callable[[], float] = time.time, most: int = 200
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._most = most

    async def add(self, asset: Asset, picture: bytes) -> Asset:
        """Keep a picture. Raises TooLarge when the account has too many."""
        kept = Asset(asset.id, asset.account, asset.layer, asset.width, asset.height, len(picture), self._clock())
        await self._blobs.put(f"assets/{asset.id}", picture)
        try:
            async with self._database.write() as connection:
                await alone(connection, "assets")
                count = select(func.count()).select_from(assets).where(assets.c.account == asset.account)
                if (await connection.execute(count)).scalar_one() >= self._most:
                    raise TooLarge(what="the number of pictures (delete some)", limit=str(self._most))
                row = {each.name: getattr(kept, each.name) for each in fields(Asset)}
                await connection.execute(assets.insert(), row)
        except BaseException:
            await self._blobs.delete(f"assets/{asset.id}")
            raise
        return kept

    async def get(self, asset_id: str, account: str, layer: str) -> Asset:
        """The asset, if it is theirs and of this layer. Raises NotFound."""
        mine = and_(assets.c.id == asset_id, assets.c.account == account, assets.c.layer == layer)
        found = await self._find(mine)
        if not found:
            raise NotFound(what=layer)
        return found[0]

    async def all(self, account: str, layer: str) -> Sequence[Asset]:
        """The account's pictures of this layer, newest first."""
        return await self._find(and_(assets.c.account == account, assets.c.layer == layer))

    async def picture(self, asset_id: str) -> bytes:
        """The picture file. Raises NotFound."""
        return await self._blobs.get(f"assets/{asset_id}")

    async def delete(self, asset_id: str, account: str, layer: str) -> None:
        """The asset and its picture. Raises NotFound when it is not theirs."""
        async with self._database.write() as connection:
            mine = and_(assets.c.id == asset_id, assets.c.account == account, assets.c.layer == layer)
            if not (await connection.execute(delete(assets).where(mine))).rowcount:
                raise NotFound(what=layer)
        await self._blobs.delete(f"assets/{asset_id}")

    async def _find(self, condition: ColumnElement[bool]) -> list[Asset]:
        query = select(*_COLUMNS).where(condition).order_by(assets.c.created.desc(), assets.c.id)
        async with self._database.read() as connection:
            return [Asset(*row) for row in (await connection.execute(query)).all()]
