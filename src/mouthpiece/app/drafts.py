"""The studio's drafts: begun from a picture or a face, corrected, looked at, saved."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.app.faces import FaceLibrary
from mouthpiece.app.workshop import Workshop, require_extra
from mouthpiece.errors import NotFound, NotReady, Unavailable
from mouthpiece.face.base import Face
from mouthpiece.face.handles import check_points
from mouthpiece.face.source import SIDE, Parts, read_parts
from mouthpiece.providers.portraits import Upload
from mouthpiece.settings import FaceSettings
from mouthpiece.store.drafts import DraftStore
from mouthpiece.store.faces import DRAFT, FaceRecord, FaceState, FaceStore

log = logging.getLogger(__name__)

TIDY_S: Final = 600.0
"""Between two looks for drafts whose time is over."""

RETRY_S: Final = 2


class DraftDesk:
    """See ``web.base.Drafts``."""

    def __init__(
        self, stores: tuple[FaceStore, DraftStore], workshop: Workshop, library: FaceLibrary, settings: FaceSettings
    ) -> None:
        self._faces, self._drafts = stores
        self._workshop = workshop
        self._library = library
        self._max_faces = settings.max_faces

    async def begin(self, account: str, upload: Upload) -> FaceRecord:
        """See ``Drafts``."""
        draft = await self._workshop.add(account, DRAFT, DRAFT, upload)
        await self._drafts.trim(account)
        return draft

    async def copy(self, account: str, face_id: str) -> FaceRecord:
        """See ``Drafts``."""
        face = await self._faces.get(face_id.lower(), account)
        draft = await self._drafts.copy(face, str(uuid.uuid4()))
        await self._drafts.trim(account)
        return draft

    async def get(self, account: str, draft_id: str) -> FaceRecord:
        """See ``Drafts``."""
        return await self._drafts.get(draft_id.lower(), account)

    async def ahead(self, face: FaceRecord) -> int:
        """See ``Drafts``."""
        return await self._workshop.ahead(face)

    async def parts(self, face: FaceRecord) -> Parts:
        """See ``Drafts``."""
        if not face.version:
            raise NotReady(what="the draft", retry_s=RETRY_S)
        return await asyncio.to_thread(read_parts, await self._faces.source(face))

    async def correct(self, account: str, draft_id: str, points: NDArray[np.float64]) -> FaceRecord:
        """See ``Drafts``."""
        require_extra()
        draft = await self._drafts.get(draft_id.lower(), account)
        check_points(points, SIDE)
        queued = await self._drafts.correct(draft.id, account, json.dumps(points.round(3).tolist()))
        self._workshop.wake()
        return queued

    async def save(self, account: str, draft_id: str, name: str) -> FaceRecord:
        """See ``Drafts``."""
        return await self._drafts.publish(await self._drafts.get(draft_id.lower(), account), name, self._max_faces)

    async def save_into(self, account: str, draft_id: str, face_id: str) -> FaceRecord:
        """See ``Drafts``."""
        draft = await self._drafts.get(draft_id.lower(), account)
        face_id = face_id.lower()
        if draft.options.get("of") != face_id:
            raise NotFound(what="face that this draft was begun from")
        if draft.state is not FaceState.READY:
            raise NotReady(what="the draft", retry_s=RETRY_S)
        points = (await self.parts(draft)).landmarks
        queued = await self._drafts.correct(face_id, account, json.dumps(points.tolist()))
        self._workshop.wake()
        await self._faces.delete(draft.id, account)
        return queued

    async def discard(self, account: str, draft_id: str) -> None:
        """See ``Drafts``."""
        await self._faces.delete((await self._drafts.get(draft_id.lower(), account)).id, account)

    async def faces(self, account: str) -> Sequence[FaceRecord]:
        """See ``Drafts``."""
        return await self._faces.all(account)

    async def face(self, account: str, face_id: str) -> Face:
        """See ``Drafts``."""
        row = await self._faces.get(face_id.lower(), account)
        return await self._library.load(row.id)

    async def tidy(self) -> None:
        """Delete drafts whose time is over, until cancelled."""
        while True:
            try:
                await self._drafts.expire()
            except Unavailable as fault:
                log.warning("old drafts cannot be deleted now: %s", fault)
            await asyncio.sleep(TIDY_S)
