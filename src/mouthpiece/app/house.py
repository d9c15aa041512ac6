"""Builds the house from its settings: which part is handed to which room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from mouthpiece.app import metrics
from mouthpiece.app.agent_stats import AgentStats
from mouthpiece.app.agents import framers, open_salon
from mouthpiece.app.assets import HouseAssets, Wardrobe
from mouthpiece.app.door import FrontDoor, PerMinute
from mouthpiece.app.drafts import DraftDesk
from mouthpiece.app.faces import FaceLibrary, HouseFaces, ShippedFaces
from mouthpiece.app.http import Entrance, Health, create_app
from mouthpiece.app.media import background, open_stage, settle, status
from mouthpiece.app.render import open_desk
from mouthpiece.app.workshop import Workshop
from mouthpiece.cluster.base import Claim, SessionHost
from mouthpiece.cluster.book import Placement
from mouthpiece.cluster.inprocess import InProcessHost
from mouthpiece.cluster.local import LocalHost
from mouthpiece.errors import Unavailable
from mouthpiece.face import catalog
from mouthpiece.live.stage import Stage
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.providers.rented import RentedVoices
from mouthpiece.settings import WORKER_SETTINGS, Settings, settings_to_json
from mouthpiece.simli.base import House, IceServer
from mouthpiece.simli.tokens import SessionTokens
from mouthpiece.store.store import Store
from mouthpiece.transport.stun import StunServer, ice_servers
from mouthpiece.web import routes as web
from mouthpiece.web.access import PageAccess
from mouthpiece.web.base import Pages

log = logging.getLogger(__name__)

DATABASE_PATIENCE_S: Final = 2.0


@dataclass(slots=True)
class State:
    """What changes while the server runs."""

    started: bool = False
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """The server as the outside sees it. ``first_key``: the API key that was made just now, if one was."""

    app: FastAPI
    settings: Settings
    host: SessionHost
    stage: Stage | None
    access: PageAccess
    first_key: str | None
    state: State

    async def drain(self, deadline_s: float) -> int:
        """Take nothing new and wait for running sessions; how many are left."""
        self.state.draining = True
        return await self.host.drain(None, deadline_s)

    async def end_sessions(self) -> None:
        """End what is left, each in its protocol's words."""
        self.state.draining = True
        if self.stage is not None:
            await self.stage.close()
        await self.host.close()


@contextlib.asynccontextmanager
async def open_gateway(settings: Settings) -> AsyncIterator[Gateway]:
    """Everything of a server but its listening sockets. Raises StartupError."""
    async with contextlib.AsyncExitStack() as stack:
        stun = await StunServer.open(settings.server.host, settings.transport.stun_port)
        stack.callback(stun.close)
        store = await Store.open(settings)
        stack.push_async_callback(store.close)
        first_key = await store.first_key()
        workers = worker_count(settings.server.workers)
        if not _compiled():
            log.info("the first start compiles for this machine: about 20 s, once")
        library = FaceLibrary(store.faces, Wardrobe(store.assets))
        stage = None if workers else await open_stage(settings, store.history, library, stack)
        host = _this_process(settings, stage) if stage else await _child_processes(settings, workers)
        stack.push_async_callback(host.close)
        await host.start()
        background(stack, _note_losses(host, store))
        state = State()
        voice = EspeakVoice(settings.voice)
        stack.push_async_callback(voice.close)
        films = await open_desk(settings, store, stack)
        seat = Seat(metrics.GATEWAY, stage, host, lambda: state.draining)
        workshop = Workshop(store.faces, settings.faces)
        background(stack, workshop.run())
        drafts = DraftDesk((store.faces, store.drafts), workshop, library, settings.faces)
        background(stack, drafts.tidy())
        house = _house(settings, store, seat, _ice(settings, stun))
        rented = RentedVoices(settings.voice)
        agents = None if stage is None else AgentStats()
        salon = await open_salon(settings, store, voice, stack, agents)
        assets = HouseAssets(store.assets, store.secrets.token_keys)
        house = replace(house, films=films, portraits=workshop, assets=assets, voice=voice, rented=rented, salon=salon)
        health = Health(
            lambda: _not_ready(state, host, store),
            _all_metrics(host, metrics.Counted(stage, agents, films.stats), stack),
        )
        access = PageAccess(store.secrets.token_keys)
        app = create_app(house, health, Entrance(access, lambda: _page_account(store)), settings.polyai)
        web.mount(app, Pages(house.door.admit, catalog.load, voice, drafts, framers(salon, time.time)))
        settle()
        yield Gateway(app, settings, host, stage, access, first_key, state)


def worker_count(wanted: int | None) -> int:
    """How many child processes: as many as cores when it is not said, none (0) on one core."""
    if wanted is not None:
        return wanted
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if cores > 1 else 0


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a process sits: its name, its stage, the host that it places on, and whether it takes nothing new."""

    name: str
    stage: Stage | None
    host: SessionHost | None
    draining: Callable[[], bool]


def _house(settings: Settings, store: Store, seat: Seat, ice: Callable[[str], Sequence[IceServer]]) -> House:
    return House(
        door=FrontDoor(store.keys, PageAccess(store.secrets.token_keys)),
        faces=HouseFaces(ShippedFaces(settings.media.face), store.faces),
        history=store.history,
        limiter=PerMinute(settings.limits.tokens_per_minute),
        tokens=SessionTokens(store.secrets.token_keys),
        stage=seat.stage,
        host=seat.host,
        ice=ice,
        limits=settings.limits,
        fps=settings.media.fps,
        worker_id=seat.name,
        draining=seat.draining,
        clock=time.time,
        livekit=settings.livekit,
        allow_hosts=settings.server.allow_hosts,
    )


def _ice(settings: Settings, stun: StunServer) -> Callable[[str], Sequence[IceServer]]:
    return lambda reached: ice_servers(settings.transport, reached, stun_port=stun.port, now=time.time())


# --- where sessions live -------------------------------------------------------------------------------------------
def _this_process(settings: Settings, stage: Stage) -> SessionHost:
    return InProcessHost(lambda: status(stage), _placement(settings))


async def _child_processes(settings: Settings, count: int) -> SessionHost:
    if not _compiled():
        await _compile()

    def command(worker_id: str, address: Path) -> Sequence[str]:
        return (sys.executable, "-m", "mouthpiece", "worker", worker_id, str(address))

    env = {WORKER_SETTINGS: settings_to_json(settings)}
    return LocalHost(command, count=count, rules=_placement(settings), env=env)


def _compiled() -> bool:
    """Whether the cache of compiled code has something in it."""
    cache = Path(os.environ.get("NUMBA_CACHE_DIR", ""))
    return cache.is_dir() and any(cache.iterdir())


async def _compile() -> None:
    """Fill that cache at the first start, before all workers would do so side by side."""
    rooms = ("from mouthpiece.face.catalog import warm; warm()", "from mouthpiece.lipsync import warm; warm()")
    children = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=asyncio.subprocess.DEVNULL, stdout=2)
        for code in rooms
    ]
    try:
        await asyncio.gather(*(child.wait() for child in children))
    finally:
        for child in children:
            if child.returncode is None:
                child.kill()
                await child.wait()


def _placement(settings: Settings) -> Placement:
    return Placement(max_sessions=settings.limits.max_sessions, retry_s=settings.limits.retry_s)


async def _note_losses(host: SessionHost, store: Store) -> None:
    """Sessions of a worker that died are over in the history too, at once."""
    async for lost in host.events():
        with contextlib.suppress(Unavailable):  # their leases end by themselves
            await store.history.end_many(dict.fromkeys(lost.session_ids, ("worker_lost", 0)))


# --- how it is -----------------------------------------------------------------------------------------------------
async def _not_ready(state: State, host: SessionHost, store: Store) -> str:
    if state.draining:
        return "shutting down"
    if not state.started:
        return "starting"
    if all(worker.pid is None for worker in host.workers()):
        return "no media worker runs"
    try:
        async with asyncio.timeout(DATABASE_PATIENCE_S):
            await store.database.ping()
    except (Unavailable, TimeoutError):
        return "the database does not answer"
    return ""


def _all_metrics(
    host: SessionHost, counted: metrics.Counted, stack: contextlib.AsyncExitStack
) -> Callable[[], Awaitable[str]]:
    lag = metrics.LoopLag()
    background(stack, lag.watch())
    own = metrics.registry(metrics.GATEWAY, lag, counted)

    async def text() -> str:
        addresses = [worker.address for worker in host.workers() if worker.address is not None]
        return await metrics.gathered(metrics.exposition(own), addresses)

    return text


# --- the page ------------------------------------------------------------------------------------------------------
async def _page_account(store: Store) -> str | None:
    account = await store.keys.first_account()
    return None if account is None else account.id


# --- a worker ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MediaWorker:
    """A child process: what its gateway reaches."""

    app: FastAPI
    stage: Stage


@contextlib.asynccontextmanager
async def open_worker(settings: Settings, worker_id: str, claim: Claim) -> AsyncIterator[MediaWorker]:
    """Everything of a child process but its socket and its line to the gateway. Raises StartupError."""
    async with contextlib.AsyncExitStack() as stack:
        store = await Store.open(settings)
        stack.push_async_callback(store.close)
        stage = await open_stage(settings, store.history, FaceLibrary(store.faces, Wardrobe(store.assets)), stack)
        lag = metrics.LoopLag()
        background(stack, lag.watch())
        agents = AgentStats()
        own = metrics.registry(worker_id, lag, metrics.Counted(stage, agents))

        async def text() -> str:
            return metrics.exposition(own)

        async def ready() -> str:
            return ""

        seat = Seat(worker_id, stage, None, lambda: not stage.accepting)
        voice = EspeakVoice(settings.voice)
        stack.push_async_callback(voice.close)
        salon = await open_salon(settings, store, voice, stack, agents)
        house = replace(_house(settings, store, seat, lambda _: ()), salon=salon, claim=claim)
        settle()
        yield MediaWorker(create_app(house, Health(ready, text), calls=settings.polyai), stage)
