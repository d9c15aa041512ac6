"""Which faces the API shows: the shipped ones, an account's own, and for every id of sample code one of ours."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from mouthpiece.app.assets import Wardrobe
from mouthpiece.errors import InvalidFace, NotFound, NotReady
from mouthpiece.face import catalog
from mouthpiece.face.base import Face, FaceRenderer
from mouthpiece.face.engines import MouthMaker
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.media import Look
from mouthpiece.simli.base import FaceEntry
from mouthpiece.simli.presets import PRESET_FACES, stand_in
from mouthpiece.store.faces import FaceRecord, FaceState, FaceStore

OWNER: Final = "mouthpiece"
SHIPPED_AT: Final = 1_767_225_600.0
"""When the shipped faces count as made (2026-01-01), so that lists do not change from start to start."""

LOADED: Final = 32
"""Own faces that a process keeps in memory, some 15 MB each, beyond those that sessions hold."""

RETRY_S: Final = 2


class ShippedFaces:
    """See ``simli.base.Faces``. ``default`` (id or alias) stands in for the legacy default. Raises InvalidFace."""

    def __init__(self, default: str) -> None:
        first = catalog.find(default)
        self._ours = [first.alias, *(face.alias for face in catalog.SHIPPED if face is not first)]

    async def find(self, face_id: str, account: str) -> FaceEntry:
        """By id, alias, or an id of sample code; letters of either case. Raises InvalidFace."""
        wanted = face_id.strip().lower()
        try:
            return _entry(catalog.find(stand_in(wanted, self._ours) if wanted in PRESET_FACES else wanted))
        except InvalidFace:
            raise InvalidFace(face_id=face_id[:100]) from None

    async def all(self, account: str) -> Sequence[FaceEntry]:
        """The shipped faces."""
        return [_entry(face) for face in catalog.SHIPPED]


class HouseFaces:
    """See ``simli.base.Faces``: the shipped ones, and what the account made."""

    def __init__(self, shipped: ShippedFaces, store: FaceStore) -> None:
        self._shipped = shipped
        self._store = store

    async def find(self, face_id: str, account: str) -> FaceEntry:
        """As ``ShippedFaces``, else the account's own by id or name. Raises InvalidFace, NotReady."""
        try:
            return await self._shipped.find(face_id, account)
        except InvalidFace:
            return _own_entry(await self._own(face_id.strip(), account))

    async def all(self, account: str) -> Sequence[FaceEntry]:
        """The account's own that are ready, newest first, then the shipped ones."""
        own = [_own_entry(face) for face in await self._store.all(account) if face.state is FaceState.READY]
        return [*own, *await self._shipped.all(account)]

    async def _own(self, wanted: str, account: str) -> FaceRecord:
        mine = await self._store.all(account)
        named = [face for face in mine if wanted.lower() == face.id or wanted == face.name]
        ready = [face for face in named if face.state is FaceState.READY]
        if ready:
            return ready[0]
        if any(face.state is not FaceState.FAILED for face in named):
            raise NotReady(what=f"face {wanted[:100]}", retry_s=RETRY_S)
        raise InvalidFace(face_id=wanted[:100])


class FaceLibrary:
    """Loaded faces of one process: what sessions, posters and previews draw with."""

    def __init__(self, store: FaceStore, wardrobe: Wardrobe) -> None:
        self._store = store
        self._wardrobe = wardrobe
        self._own: OrderedDict[str, tuple[tuple[int, float], Face]] = OrderedDict()
        self._loading = asyncio.Lock()
        self.maker: MouthMaker | None = None
        """Who redraws the mouths, if not the mesh engine alone."""

    def face(self, face_id: str) -> Face:
        """A shipped face, or an own one that was loaded. Raises InvalidFace."""
        if face_id in self._own:
            return self._own[face_id][1]
        return catalog.load(face_id)

    async def load(self, face_id: str) -> Face:
        """The face, loaded where it is not yet; never one that was deleted. Raises InvalidFace, NotReady."""
        try:
            return catalog.load(face_id)
        except InvalidFace:
            pass
        try:
            row = await self._store.get(face_id)
            if row.state is not FaceState.READY:
                raise NotReady(what="the face", retry_s=RETRY_S)
            async with self._loading:
                return await self._loaded(row)
        except NotFound:
            self._own.pop(face_id, None)
            raise InvalidFace(face_id=face_id[:100]) from None

    async def prepare(self, look: Look, account: str) -> None:
        """Load what drawing a look needs. Raises InvalidFace, NotReady, NotFound (its pictures)."""
        face = await self.load(look.face_id)
        if self.maker is not None and isinstance(face, MeshFace):
            await asyncio.to_thread(self.maker.prepare, face)
        await self._wardrobe.load(look, account)

    def renderer(self, face: Face, look: Look) -> FaceRenderer:
        """A renderer of the face with the look's pictures around it, which were loaded."""
        if not isinstance(face, MeshFace):
            return face.renderer(look)
        scenery = self._wardrobe.scenery(look)
        return face.renderer(look, scenery) if self.maker is None else self.maker.renderer(face, look, scenery)

    async def _loaded(self, row: FaceRecord) -> Face:
        known, made = self._own.get(row.id), (row.version, row.updated)
        if known is None or known[0] != made:
            data = await self._store.pack(row)
            known = (made, await asyncio.to_thread(MeshFace.from_bytes, data))
            self._own[row.id] = known
        self._own.move_to_end(row.id)
        while len(self._own) > LOADED:
            self._own.popitem(last=False)
        return known[1]


def _entry(face: catalog.Shipped) -> FaceEntry:
    return FaceEntry(face.face_id, face.face_id, face.name, OWNER, SHIPPED_AT, SHIPPED_AT)


def _own_entry(face: FaceRecord) -> FaceEntry:
    return FaceEntry(face.id, face.id, face.name, face.account, face.created, face.updated)
