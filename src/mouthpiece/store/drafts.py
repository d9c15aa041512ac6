"""Drafts: faces of the studio that nobody uses yet, made from the same queue, kept for a day, then saved or gone.

A draft is a row of the faces whose kind is ``draft``; lists of faces and tokens do not know it.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy import Select, and_, func, select, update

from mouthpiece.errors import NotFound, NotReady, TooLarge
from mouthpiece.store.db import Database, alone
from mouthpiece.store.faces import DRAFT, FaceRecord, FaceState, FaceStore
from mouthpiece.store.tables import faces

KEPT: Final = 8
"""Drafts of one account; the oldest goes when another one is begun."""

LIFE_S: Final = 86_400.0
RETRY_S: Final = 2

_NAMES: Final = select(faces.c.id, faces.c.account)


class DraftStore:
    """The drafts among the faces of one database. ``clock`` gives unix seconds."""

    def __init__(self, database: Database, store: FaceStore, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._faces = store
        self._clock = clock

    async def get(self, draft_id: str, account: str) -> FaceRecord:
        """A draft of the account. Raises NotFound."""
        draft = await self._faces.get(draft_id, account)
        if draft.kind != DRAFT:
            raise NotFound(what="draft")
        return draft

    async def copy(self, face: FaceRecord, draft_id: str) -> FaceRecord:
        """A draft with what a face was made from and looks like. Raises NotReady."""
        if face.state is not FaceState.READY:
            raise NotReady(what="the face", retry_s=RETRY_S)
        draft = replace(face, id=draft_id, kind=DRAFT, options={"of": face.id})
        await self._faces.put(draft, await self._faces.source(face), await self._faces.pack(face))
        return await self._faces.get(draft_id)

    async def correct(self, face_id: str, account: str, points: str) -> FaceRecord:
        """Queue a face or a draft to be made again with ``points`` (JSON, in pixels of its portrait).

        Raises NotFound; NotReady while it is being made, or was never.
        """
        face = await self._faces.get(face_id, account)
        values: dict[str, object] = {
            "options": json.dumps({**face.options, "corrected": points}),
            "state": FaceState.QUEUED,
        }
        values |= {"progress": 0.0, "stage": "waiting", "attempts": 0, "error": None, "error_code": None}
        still = and_(faces.c.id == face_id, faces.c.state.in_((FaceState.READY, FaceState.FAILED)), faces.c.version > 0)
        async with self._database.write() as connection:
            if not (await connection.execute(update(faces).where(still).values(values))).rowcount:
                raise NotReady(what="the face", retry_s=RETRY_S)
        return await self._faces.get(face_id, account)

    async def publish(self, draft: FaceRecord, name: str, max_faces: int) -> FaceRecord:
        """The draft becomes a face of its account. Raises NotReady, TooLarge."""
        ready = and_(faces.c.id == draft.id, faces.c.kind == DRAFT, faces.c.state == FaceState.READY)
        values = {"kind": "trinity", "name": name, "options": "{}", "created": self._clock(), "updated": self._clock()}
        async with self._database.write() as connection:
            await alone(connection, "face queue")
            mine = and_(faces.c.account == draft.account, faces.c.kind != DRAFT)
            owned = (await connection.execute(select(func.count()).select_from(faces).where(mine))).scalar_one()
            if owned >= max_faces:
                raise TooLarge(what="the number of faces (delete some)", limit=f"{max_faces}")
            if not (await connection.execute(update(faces).where(ready).values(values))).rowcount:
                raise NotReady(what="the draft", retry_s=RETRY_S)
        return await self._faces.get(draft.id)

    async def trim(self, account: str) -> None:
        """Delete the oldest drafts of an account beyond ``KEPT``."""
        mine = and_(faces.c.account == account, faces.c.kind == DRAFT)
        await self._delete(_NAMES.where(mine).order_by(faces.c.created.desc(), faces.c.id).offset(KEPT).limit(100))

    async def expire(self) -> int:
        """Delete the drafts that nothing happened to for ``LIFE_S``. Returns how many."""
        old = and_(faces.c.kind == DRAFT, faces.c.updated < self._clock() - LIFE_S)
        return await self._delete(_NAMES.where(old).limit(100))

    async def _delete(self, query: Select[str, str]) -> int:
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        for face_id, account in rows:
            with contextlib.suppress(NotFound):  # another server was faster
                await self._faces.delete(face_id, account)
        return len(rows)
