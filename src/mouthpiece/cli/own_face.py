"""The face that a command names: a shipped one, or one of the data folder's accounts, the first account's first."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mouthpiece.errors import BadInput, InvalidFace, NotFound
from mouthpiece.settings import Settings, load_settings

if TYPE_CHECKING:
    from mouthpiece.face.mesh_face import MeshFace


def load_face(wanted: str, data: Path | None) -> MeshFace:
    """A shipped face by id or alias; else by id or name out of the server's data folder. Raises BadInput."""
    from mouthpiece.face import catalog
    from mouthpiece.face.mesh_face import MeshFace

    try:
        return catalog.load(wanted)
    except InvalidFace:
        pack = asyncio.run(_pack(wanted, load_settings(None, os.environ, {"server.data": data})))
    return MeshFace.from_bytes(pack)


async def _pack(wanted: str, settings: Settings) -> bytes:
    from mouthpiece.face import catalog
    from mouthpiece.store.faces import FaceState
    from mouthpiece.store.store import DATABASE_FILE, Store

    names = ", ".join(face.alias for face in catalog.SHIPPED)
    folder = settings.server.data.expanduser()
    if settings.store.database is None and not (folder / DATABASE_FILE).exists():
        reason = f"no face {wanted}: give one of {names}; for one of your own, name the server's folder with --data"
        raise BadInput(reason=reason)
    store = await Store.open(settings)
    try:
        first = await store.keys.first_account()
        found = await store.faces.everybodys()
        found.sort(key=lambda face: first is None or face.account != first.id)
        named = [face for face in found if wanted in (face.id, face.name)]
        ready = [face for face in named if face.state is FaceState.READY]
        if ready:
            return await store.faces.pack(ready[0])
    except NotFound:
        pass  # deleted while we looked
    finally:
        await store.close()
    if named:
        raise BadInput(reason=f"the face {wanted} is not ready: {named[0].error or named[0].state.value}")
    own = ", ".join(face.name for face in found) or "none"
    raise BadInput(reason=f"no face {wanted}: give one of {names}, or of your own in {folder}: {own}")
