"""Where videos are made in this server: the desk that takes orders and the crew that renders them."""

from __future__ import annotations

import asyncio
import contextlib

from mouthpiece.app.media import background
from mouthpiece.errors import InvalidFace
from mouthpiece.face import catalog
from mouthpiece.render.crew import Crew, Studio
from mouthpiece.render.desk import RenderDesk
from mouthpiece.render.workroom import workroom
from mouthpiece.settings import Settings
from mouthpiece.store.store import Store

FOLDER = "render"  # of the data folder, for what is in hand


async def open_desk(settings: Settings, store: Store, stack: contextlib.AsyncExitStack) -> RenderDesk:
    """A desk with its crew at work, which ``stack`` sends home; what is in hand then is begun again later."""
    folder = stack.enter_context(workroom(store.data / FOLDER))

    async def pack(face_id: str) -> bytes:
        try:
            return await asyncio.to_thread(catalog.pack_bytes, face_id)
        except InvalidFace:
            return await store.faces.pack(await store.faces.get(face_id))

    crew = Crew(
        Studio(
            store.jobs,
            store.blobs,
            settings.render,
            pack,
            folder,
            picture=store.assets.picture,
            engine=settings.engines,
        )
    )
    background(stack, crew.run())
    return RenderDesk(store.jobs, store.blobs, settings.render, crew, folder)
