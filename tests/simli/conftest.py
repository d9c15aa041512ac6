"""The front end on a real HTTP server and a real database; only the sessions are scripted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from tests.support.troupe import TwinTroupe
from tests.support.twin import GOOD_OFFER, TwinSession, TwinStage
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from mouthpiece.app import net
from mouthpiece.app.assets import HouseAssets
from mouthpiece.app.door import FrontDoor, PerMinute
from mouthpiece.app.faces import HouseFaces, ShippedFaces
from mouthpiece.app.house import State
from mouthpiece.app.http import Entrance, Health, create_app
from mouthpiece.app.server import http_server
from mouthpiece.app.workshop import Workshop
from mouthpiece.cluster.book import Placement
from mouthpiece.cluster.inprocess import InProcessHost
from mouthpiece.settings import (
    FaceSettings,
    LimitSettings,
    LiveKitSettings,
    PolyaiSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from mouthpiece.simli.auto_base import Salon
from mouthpiece.simli.auto_tokens import AutoTokens
from mouthpiece.simli.base import House
from mouthpiece.simli.tokens import SessionClaims, SessionTokens
from mouthpiece.store.store import Store
from mouthpiece.web.access import PageAccess

KEY, OTHER_KEY = "key-of-the-first-account", "key-of-the-second-account"
OFFER = json.dumps({"type": "offer", "sdp": GOOD_OFFER})
SECRET = "a secret that only the tests of this folder use"


@dataclass
class Front:
    """A running front end and what stands behind it."""

    url: str
    stage: TwinStage
    house: House
    state: State
    http: httpx.AsyncClient
    access: PageAccess
    host: InProcessHost
    account: str = ""
    claims: dict[str, object] = field(default_factory=dict)
    data: Path = Path()

    def token(self, **more: object) -> str:
        """A session token, made without asking the server."""
        now = int(time.time())
        fields: dict[str, object] = {
            "account": self.account,
            "token_id": f"token-{len(self.claims)}",
            "issued_at": now,
            "expires_at": now + 600,
            "face_id": "mia",
        }
        self.claims[str(len(self.claims))] = True
        return self.house.tokens.make(SessionClaims(**{**fields, **more}))  # type: ignore[arg-type]

    def socket(self, token: str | None = None, path: str = "/compose/webrtc/p2p", **more: object) -> connect:
        """Open the avatar socket."""
        query = "" if token is None else f"?session_token={token}"
        url = self.url.replace("http", "ws", 1) + path + query
        return connect(url, compression=None, max_size=None, **more)  # type: ignore[arg-type]

    @asynccontextmanager
    async def session(self, token: str | None = None) -> AsyncIterator[tuple[ClientConnection, TwinSession]]:
        """A started session: the client's socket after START and the rest, and the stage's side."""
        async with self.socket(token or self.token()) as socket:
            await socket.send(OFFER)
            for _ in range(4):
                await said(socket)
            yield socket, self.stage.opened[-1]


async def said(socket: ClientConnection) -> str:
    """The next message; text, and never empty."""
    async with asyncio.timeout(10):
        text = await socket.recv()
    assert isinstance(text, str)
    assert text.strip()
    return text


async def rest(socket: ClientConnection) -> tuple[list[str], int | None]:
    """Everything that is still said until the close, and the close code."""
    texts = []
    try:
        while True:
            texts.append(await said(socket))
    except ConnectionClosed:
        return texts, socket.close_code


Start = Callable[..., AbstractAsyncContextManager[Front]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start a front end of its own with these limits."""

    @asynccontextmanager
    async def run(
        *,
        max_sessions: int | None = None,
        livekit: LiveKitSettings | None = None,
        agents: bool = True,
        allow_hosts: tuple[str, ...] = (),
        calls: PolyaiSettings | None = None,
        **limits: object,
    ) -> AsyncIterator[Front]:
        settings = Settings(
            server=ServerSettings(data=tmp_path_factory.mktemp("data"), api_keys=(KEY, OTHER_KEY)),
            store=StoreSettings(secret=SECRET),
            limits=replace(LimitSettings(), max_sessions=max_sessions, **limits),  # type: ignore[arg-type]
            faces=FaceSettings(landmarker=("/no/such/landmarker",)),  # pictures bring their landmarks
        )
        store = await Store.open(settings)
        stage, state = TwinStage(), State(started=True)
        host = InProcessHost(stage.status, Placement(max_sessions=max_sessions, retry_s=settings.limits.retry_s))
        await host.start()
        access = PageAccess(store.secrets.token_keys)
        workshop = Workshop(store.faces, settings.faces)
        making = asyncio.create_task(workshop.run())
        house = House(
            door=FrontDoor(store.keys, access),
            faces=HouseFaces(ShippedFaces("mia"), store.faces),
            history=store.history,
            limiter=PerMinute(settings.limits.tokens_per_minute),
            tokens=SessionTokens(store.secrets.token_keys),
            stage=stage,
            host=host,
            ice=lambda reached: [{"urls": f"stun:{reached}:3478"}],
            limits=settings.limits,
            fps=25,
            worker_id="here",
            draining=lambda: state.draining,
            clock=time.time,
            portraits=workshop,
            livekit=livekit or LiveKitSettings(),
            allow_hosts=allow_hosts,
            salon=Salon(
                store.agents,
                store.conversations,
                AutoTokens(store.secrets.token_keys),
                TwinTroupe() if agents else None,
            ),
            assets=HouseAssets(store.assets, store.secrets.token_keys),
        )
        account = await store.keys.authenticate(KEY)
        assert account is not None

        async def ready() -> str:
            return "shutting down" if state.draining else ""

        async def metrics() -> str:
            return "# nothing\n"

        async def page_account() -> str | None:
            return account.id

        app = create_app(house, Health(ready, metrics), Entrance(access, page_account), calls)
        server = http_server(app, settings, (), None)
        server.sockets = net.bind("127.0.0.1", 0)
        serving = asyncio.create_task(server.serve())
        await server.listening.wait()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                yield Front(url, stage, house, state, client, access, host, account.id, data=settings.server.data)
        finally:
            server.should_exit = True
            await serving
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
            await host.close()
            await store.close()

    return run


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(start: Start) -> AsyncIterator[Front]:
    """One front end with the usual limits for all tests of a file."""
    async with start() as it:
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def front(shared: Front) -> AsyncIterator[Front]:
    """The shared front end, with nobody on stage."""
    yield shared
    shared.stage.refuse = shared.stage.join_fails = None
    shared.state.draining = False
    await shared.stage.until(running=0)
    shared.stage.opened.clear()
