"""Where sessions are made in this process: the stage and the parts it lends to each of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import uuid
from collections.abc import Coroutine

from mouthpiece.app.engines import open_maker
from mouthpiece.app.faces import FaceLibrary
from mouthpiece.app.ledger import StageLedger
from mouthpiece.cluster.base import WorkerStatus
from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.codec.video import open_video
from mouthpiece.errors import NoLiveKit
from mouthpiece.face import catalog
from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync import warm as warm_lipsync
from mouthpiece.live.stage import Stage
from mouthpiece.live.studio import Studio
from mouthpiece.settings import Settings
from mouthpiece.store.history import History
from mouthpiece.transport import p2p
from mouthpiece.transport.base import RoomListener, RoomPeer, RoomTicket


async def open_stage(
    settings: Settings, history: History, library: FaceLibrary, stack: contextlib.AsyncExitStack
) -> Stage:
    """A stage that ticks, warm: nothing compiles any more when the first session comes. Closed by ``stack``."""
    await asyncio.to_thread(warm)
    library.maker = await asyncio.to_thread(open_maker, settings.engines)
    if settings.livekit.url:
        await load_livekit()  # its library takes half a second, which no session should pay
    ledger = StageLedger(history, uuid.uuid4().hex, settings.limits)
    background(stack, ledger.keep())
    stack.push_async_callback(ledger.close)
    stage = Stage(_studio(settings, ledger, library), settings.media, settings.limits)
    await stage.start()
    stack.push_async_callback(stage.close)
    return stage


def warm() -> None:
    """Load and compile what every session needs. Seconds at the first start, less with the cache."""
    catalog.warm()
    warm_lipsync()


def _studio(settings: Settings, ledger: StageLedger, library: FaceLibrary) -> Studio:
    media, transport, host = settings.media, settings.transport, settings.server.host
    return Studio(
        face=library.face,
        lipsync=open_lipsync,
        video=lambda codec, look, fps, bitrate: open_video(codec, *look.picture_size, fps, bitrate, media.max_bitrate),
        sound=OpusEncoder,
        answer=lambda offer, listener: p2p.answer(offer, listener, transport, media=media, host=host),
        ledger=ledger,
        prepare=library.prepare,
        renderer=library.renderer,
        join=lambda ticket, listener: _enter(ticket, listener, settings),
        hears=(0, 0) if library.maker is None else library.maker.info.hears,
    )


async def load_livekit() -> None:
    """Load LiveKit's library, off the event loop. Raises NoLiveKit when it is not installed."""
    try:
        await asyncio.to_thread(importlib.import_module, "mouthpiece.transport.livekit")
    except ModuleNotFoundError as error:
        raise NoLiveKit(what="LiveKit", remedy="install mouthpiece[livekit]") from error


async def _enter(ticket: RoomTicket, listener: RoomListener, settings: Settings) -> RoomPeer:
    await load_livekit()
    from mouthpiece.transport import livekit

    return await livekit.join(ticket, listener, settings.livekit, settings.media)


def status(stage: Stage) -> WorkerStatus:
    """What the stage says of itself to its host."""
    return WorkerStatus(load=stage.load, sessions=stage.sessions, accepting=stage.accepting)


def background(stack: contextlib.AsyncExitStack, work: Coroutine[object, object, None]) -> None:
    """Run a task until ``stack`` is closed."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


def settle() -> None:
    """What is loaded now stays: take it out of the garbage collector's rounds."""
    gc.collect()
    gc.freeze()
