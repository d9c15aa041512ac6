"""Where accounts' pictures become faces: one at a time in the background, out of a queue in the database."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Final

from mouthpiece.errors import MouthpieceError, NotConfigured, NotFound, Unavailable
from mouthpiece.face.pack import VERSION
from mouthpiece.providers.portraits import FaceMaker, Made, Upload
from mouthpiece.settings import FaceSettings
from mouthpiece.store.faces import FaceLimits, FaceRecord, FaceState, FaceStore

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""How often a face is looked for that another server queued, or that one left behind."""

RENEW_S: Final = 0.5
NEEDED: Final = ("cv2", "scipy")
"""What the extra ``faces`` brings."""


class Workshop:
    """See ``simli.base.Portraits``. ``run`` makes what is queued, until cancelled."""

    def __init__(self, store: FaceStore, settings: FaceSettings) -> None:
        self._store = store
        self._limits = FaceLimits(settings.max_faces, settings.max_queue)
        self._maker = FaceMaker(settings)
        self._eyes = FaceMaker(settings)  # whoever waits for an answer does not wait for the queue
        self._worker = uuid.uuid4().hex
        self._news = asyncio.Event()

    # --- Portraits --------------------------------------------------------------------------------------------------
    async def add(self, account: str, name: str, kind: str, upload: Upload) -> FaceRecord:
        """See ``Portraits``."""
        require_extra()
        await self._eyes.check(upload)
        face = FaceRecord(str(uuid.uuid4()), account, name, kind, options=_options(upload), stage="waiting")
        await self._store.add(face, upload.data, self._limits)
        self.wake()
        return face

    async def get(self, face_id: str | None, account: str) -> FaceRecord:
        """See ``Portraits``."""
        if face_id is not None:
            return await self._store.get(face_id.lower(), account)
        mine = await self._store.all(account)
        if not mine:
            raise NotFound(what="face")
        return mine[0]

    async def ahead(self, face: FaceRecord) -> int:
        """See ``Portraits``."""
        return await self._store.ahead(face) if face.state is FaceState.QUEUED else 0

    async def delete(self, face_id: str, account: str) -> None:
        """See ``Portraits``."""
        await self._store.delete(face_id.lower(), account)

    async def study(self, upload: Upload) -> Made:
        """See ``Portraits``."""
        require_extra()
        return await self._eyes.make(upload)

    async def source(self, face_id: str, account: str) -> bytes:
        """See ``Portraits``."""
        return await self._store.source(await self._store.get(face_id.lower(), account))

    def wake(self) -> None:
        """Something was queued."""
        self._news.set()

    # --- the work ---------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Make one face after the other. Faces of an older engine are made again first."""
        try:
            with contextlib.suppress(Unavailable):
                if again := await self._store.outdate(VERSION):
                    log.info("%d faces are made again for this version of the engine", again)
            while True:
                if not await self._next():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_S):
                            await self._news.wait()
                    self._news.clear()
        finally:
            with contextlib.suppress(Unavailable):
                await asyncio.shield(self._store.release(self._worker))

    async def _next(self) -> bool:
        """Make the next face, if one waits."""
        try:
            await self._store.expire()
            face = await self._store.claim(self._worker)
            if face is None:
                return False
            await self._make(face)
        except Unavailable as fault:
            log.warning("faces cannot be made now: %s", fault)
            return False
        return True

    async def _make(self, face: FaceRecord) -> None:
        heard = (0.0, "waiting")

        def hear(progress: float, stage: str) -> None:
            nonlocal heard
            heard = (progress, stage)

        making = asyncio.create_task(self._made(face, hear))
        try:
            while not making.done():
                await asyncio.wait({making}, timeout=RENEW_S)
                if not making.done() and not await self._store.renew(face.id, self._worker, *heard):
                    return  # deleted meanwhile
            made = making.result()
            kept = replace(face, version=made.version, warnings=made.warnings)
            await self._store.finish(face.id, self._worker, kept, (made.source, made.pack))
            log.info("face %s is ready after %.1f CPU-seconds", face.id, made.cpu_s)
        except MouthpieceError as fault:
            log.info("no face %s: %s", face.id, fault)
            await self._store.fail(face.id, self._worker, fault.code, str(fault))
        except Exception:
            log.exception("making face %s failed", face.id)
            await self._store.fail(face.id, self._worker, MouthpieceError.code, "the face could not be made")
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _made(self, face: FaceRecord, hear: Callable[[float, str], None]) -> Made:
        named = (face.id, face.name)
        upload = await self._store.upload(face)
        if upload is None:
            corrected = face.options.get("corrected")
            points = None if corrected is None else str(corrected)
            return await self._maker.remake(await self._store.source(face), named, hear, points)
        return await self._maker.make(_upload(upload, face), named, hear)


def require_extra() -> None:
    """Whether this installation can make faces. Raises NotConfigured."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise NotConfigured(what=f"making faces (no {missing[0]})", remedy="pip install 'mouthpiece[faces]'")


def _options(upload: Upload) -> dict[str, object]:
    matte = None if upload.matte is None else base64.b64encode(upload.matte).decode()
    options = {"landmarks": upload.landmarks, "face_index": upload.face_index, "matte": matte}
    given: dict[str, object] = {name: value for name, value in options.items() if value is not None}
    return given | {"framed": upload.framed}


def _upload(data: bytes, face: FaceRecord) -> Upload:
    kept = dict(face.options)
    matte = kept.pop("matte", None)
    return Upload(data, matte=None if matte is None else base64.b64decode(str(matte)), **kept)  # type: ignore[arg-type]
