"""Faces that accounts make from their pictures, and the queue of those that are being made.

The row is the truth: a face whose row is gone is gone, whatever blobs are left. Blobs of a face lie under
``faces/ID/``: ``upload`` until it is made, ``source`` and ``pack-VERSION`` from then on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from mouthpiece.errors import NotFound, RateLimited, TooLarge
from mouthpiece.store.base import Blobs
from mouthpiece.store.db import Database, alone
from mouthpiece.store.tables import faces

DRAFT: Final = "draft"
"""The kind of what the studio makes until it is saved, see ``drafts``."""


class FaceState(StrEnum):
    """How far a face is."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """A face of an account. Times in unix seconds, ``progress`` 0..1, ``stage`` what is being done, for people.

    ``kind``: ``trinity`` or ``legacy``, the route that it came by, or ``DRAFT``. ``options``: what came with the
    picture, and ``corrected``, the points by which it is made again (JSON).
    ``version``: of the engine that its pack is for, 0 before there is one. ``error``, ``error_code``: of a failed one.
    """

    id: str
    account: str
    name: str
    kind: str = "trinity"
    state: FaceState = FaceState.QUEUED
    progress: float = 0.0
    stage: str = ""
    error: str | None = None
    error_code: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    version: int = 0
    bytes: int = 0
    created: float = 0.0
    updated: float = 0.0
    attempts: int = 0


_COLUMNS = [faces.c[each.name] for each in fields(FaceRecord)]


@dataclass(frozen=True, slots=True)
class FaceLimits:
    """How many faces an account may keep, and how many of everybody may wait."""

    max_faces: int
    max_queue: int
    retry_s: int = 5


class FaceStore:
    """The faces of one database and its blobs. ``clock`` gives unix seconds."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        *,
        clock: Callable[[], float] = time.time,
        lease_s: float = 30.0,
        attempts: int = 2,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self.lease_s = lease_s
        self._attempts = attempts

    # --- owners -----------------------------------------------------------------------------------------------------
    async def add(self, face: FaceRecord, upload: bytes, limits: FaceLimits) -> None:
        """Queue a face to be made of the picture file ``upload``. Raises TooLarge, RateLimited."""
        await self._blobs.put(f"faces/{face.id}/upload", upload)
        try:
            async with self._database.write() as connection:
                await alone(connection, "face queue")
                count = select(func.count()).select_from(faces)
                mine = and_(faces.c.account == face.account, faces.c.kind != DRAFT)
                owned = (await connection.execute(count.where(mine))).scalar_one()
                if owned >= limits.max_faces:
                    raise TooLarge(what="the number of faces (delete some)", limit=f"{limits.max_faces}")
                waiting = (await connection.execute(count.where(faces.c.state == FaceState.QUEUED))).scalar_one()
                if waiting >= limits.max_queue:
                    raise RateLimited(reason=f"{waiting} pictures wait to become faces", retry_s=limits.retry_s)
                await connection.execute(faces.insert(), self._row(face))
        except BaseException:
            await self._blobs.delete(f"faces/{face.id}/upload")
            raise

    async def put(self, face: FaceRecord, source: bytes, pack: bytes) -> None:
        """Keep a face that is made already: its source and its pack for ``face.version``."""
        await self._blobs.put(f"faces/{face.id}/source", source)
        await self._blobs.put(pack_blob(face.id, face.version), pack)
        row = self._row(face) | {"state": FaceState.READY, "progress": 1.0, "bytes": len(pack) + len(source)}
        async with self._database.write() as connection:
            await connection.execute(faces.insert(), row)

    async def get(self, face_id: str, account: str | None = None) -> FaceRecord:
        """The face; with ``account`` only if it is theirs. Raises NotFound."""
        mine = faces.c.id == face_id if account is None else and_(faces.c.id == face_id, faces.c.account == account)
        found = await self._find(mine, limit=1)
        if not found:
            raise NotFound(what="face")
        return found[0]

    async def all(self, account: str) -> list[FaceRecord]:
        """Every face of the account, newest first; no drafts."""
        return await self._find(and_(faces.c.account == account, faces.c.kind != DRAFT), limit=10_000)

    async def everybodys(self) -> list[FaceRecord]:
        """Every face of every account, newest first; no drafts."""
        return await self._find(faces.c.kind != DRAFT, limit=10_000)

    async def ahead(self, face: FaceRecord) -> int:
        """How many wait before this one."""
        before = and_(faces.c.state == FaceState.QUEUED, faces.c.created < face.created)
        async with self._database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(faces).where(before))).scalar_one()

    async def delete(self, face_id: str, account: str) -> None:
        """The face and all its blobs. Raises NotFound when it is not theirs."""
        async with self._database.write() as connection:
            mine = and_(faces.c.id == face_id, faces.c.account == account)
            if not (await connection.execute(delete(faces).where(mine))).rowcount:
                raise NotFound(what="face")
        await self._clear(face_id)

    async def pack(self, face: FaceRecord) -> bytes:
        """The file of its pack. Raises NotFound."""
        return await self._blobs.get(pack_blob(face.id, face.version))

    async def source(self, face: FaceRecord) -> bytes:
        """What it was made from: the cut portrait. Raises NotFound before it is made."""
        return await self._blobs.get(f"faces/{face.id}/source")

    async def upload(self, face: FaceRecord) -> bytes | None:
        """The picture file that waits to become a face, None when it is made already."""
        try:
            return await self._blobs.get(f"faces/{face.id}/upload")
        except NotFound:
            return None

    # --- who makes them ---------------------------------------------------------------------------------------------
    async def claim(self, worker: str) -> FaceRecord | None:
        """Lease the oldest waiting face to ``worker``; None: none waits. No two workers get the same."""
        oldest = select(faces.c.id).where(faces.c.state == FaceState.QUEUED).order_by(faces.c.created).limit(1)
        async with self._database.write() as connection:
            face_id = (await connection.execute(oldest.with_for_update(skip_locked=True))).scalar()
            if face_id is None:
                return None
            values = {"state": FaceState.RUNNING, "attempts": faces.c.attempts + 1, "worker": worker}
            values |= {"lease_until": self._clock() + self.lease_s, "progress": 0.0}
            await connection.execute(update(faces).where(faces.c.id == face_id).values(values))
            return _record((await connection.execute(select(*_COLUMNS).where(faces.c.id == face_id))).one())

    async def renew(self, face_id: str, worker: str, progress: float, stage: str) -> bool:
        """Renew the lease and note how far it is. False: the face was deleted, or is not this worker's any more."""
        values = {"progress": progress, "stage": stage, "lease_until": self._clock() + self.lease_s}
        return await self._change(_held(face_id, worker), values) > 0

    async def finish(self, face_id: str, worker: str, made: FaceRecord, blobs: tuple[bytes, bytes]) -> bool:
        """The face is made: its source and pack for ``made.version``, with ``made.warnings``.

        False: it was deleted meanwhile, and nothing is kept.
        """
        source, pack = blobs
        await self._blobs.put(f"faces/{face_id}/source", source)
        await self._blobs.put(pack_blob(face_id, made.version), pack)
        values = {"state": FaceState.READY, "progress": 1.0, "stage": "", "version": made.version, "error": None}
        values |= {"warnings": json.dumps(list(made.warnings)), "updated": self._clock(), "error_code": None}
        values |= {"bytes": len(source) + len(pack)}
        if not await self._change(_held(face_id, worker), values):
            if not await self._find(faces.c.id == face_id, limit=1):
                await self._clear(face_id)
            return False
        await self._blobs.delete(f"faces/{face_id}/upload")
        for name in await self._blobs.list(f"faces/{face_id}"):
            if "/pack-" in name and name != pack_blob(face_id, made.version):
                await self._blobs.delete(name)
        return True

    async def fail(self, face_id: str, worker: str, code: str, error: str) -> bool:
        """It cannot be made, for the reason in ``error``. The picture is deleted."""
        values = {"state": FaceState.FAILED, "error": error, "error_code": code, "updated": self._clock()}
        done = await self._change(_held(face_id, worker), values) > 0
        if done:
            await self._blobs.delete(f"faces/{face_id}/upload")
        return done

    async def release(self, worker: str) -> int:
        """The worker stops: queue what it was making again, as if it had not begun. Returns how many."""
        values = {"state": FaceState.QUEUED, "attempts": faces.c.attempts - 1, "progress": 0.0}
        return await self._change(and_(faces.c.state == FaceState.RUNNING, faces.c.worker == worker), values)

    async def expire(self) -> int:
        """Queue the faces whose worker died again, or fail them after too many attempts. Returns how many."""
        now = self._clock()
        dead = and_(faces.c.state == FaceState.RUNNING, faces.c.lease_until <= now)
        error = "the process that made this face died: send another picture"
        failed = {"state": FaceState.FAILED, "error": error, "error_code": "UNAVAILABLE", "updated": now}
        count = await self._change(and_(dead, faces.c.attempts >= self._attempts), failed)
        return count + await self._change(dead, {"state": FaceState.QUEUED, "progress": 0.0})

    async def outdate(self, version: int) -> int:
        """Queue every ready face whose pack is for an older engine than ``version``. Returns how many."""
        older = and_(faces.c.state == FaceState.READY, faces.c.version < version)
        return await self._change(older, {"state": FaceState.QUEUED, "progress": 0.0, "attempts": 0})

    # ----------------------------------------------------------------------------------------------------------------
    def _row(self, face: FaceRecord) -> dict[str, object]:
        row = {each.name: getattr(face, each.name) for each in fields(FaceRecord)}
        now = self._clock()
        row |= {"options": json.dumps(face.options), "warnings": json.dumps(list(face.warnings))}
        return row | {"created": now, "updated": now}

    async def _clear(self, face_id: str) -> None:
        for name in await self._blobs.list(f"faces/{face_id}"):
            await self._blobs.delete(name)

    async def _find(self, condition: ColumnElement[bool], *, limit: int) -> list[FaceRecord]:
        query = select(*_COLUMNS).where(condition).order_by(faces.c.created.desc(), faces.c.id).limit(limit)
        async with self._database.read() as connection:
            return [_record(row) for row in (await connection.execute(query)).all()]

    async def _change(self, condition: ColumnElement[bool], values: Mapping[str, object]) -> int:
        async with self._database.write() as connection:
            return (await connection.execute(update(faces).where(condition).values(dict(values)))).rowcount


def pack_blob(face_id: str, version: int) -> str:
    """Where the pack of a face for one version of the engine lies."""
    return f"faces/{face_id}/pack-{version}"


def _held(face_id: str, worker: str) -> ColumnElement[bool]:
    return and_(faces.c.id == face_id, faces.c.worker == worker, faces.c.state == FaceState.RUNNING)


def _record(row: Sequence[object]) -> FaceRecord:
    values = dict(zip((each.name for each in fields(FaceRecord)), row, strict=True))
    values |= {"options": json.loads(str(values["options"])), "warnings": tuple(json.loads(str(values["warnings"])))}
    return FaceRecord(**{**values, "state": FaceState(str(values["state"]))})  # type: ignore[arg-type]
