"""The web application: every room's routes, and what goes around them all."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mouthpiece.app.metrics import CONTENT_TYPE
from mouthpiece.app.polyai import open_gateway
from mouthpiece.errors import InvalidApiKey, MouthpieceError
from mouthpiece.polyai import rest as polyai_rest
from mouthpiece.polyai import socket as polyai_socket
from mouthpiece.settings import PolyaiSettings
from mouthpiece.simli import assets, auto, auto_room, faces, messages, rest, rooms, schemas, socket, static
from mouthpiece.simli.base import House
from mouthpiece.simli_v1 import auto as v1_auto
from mouthpiece.simli_v1 import extras as v1_extras
from mouthpiece.simli_v1 import faces as v1_faces
from mouthpiece.simli_v1 import livekit as v1_livekit
from mouthpiece.simli_v1 import rest as v1_rest
from mouthpiece.simli_v1 import socket as v1_socket
from mouthpiece.simli_v1 import static as v1_static
from mouthpiece.web.access import PAGE_PREFIX, PAGE_TOKEN_S, PageAccess

log = logging.getLogger(__name__)

BODY_BYTES: Final = 1 << 20
"""Longest body of a route that does not say otherwise: the largest known JSON body is a few kB."""

SWALLOWED_BYTES: Final = 8 << 20
"""How much of a body that is too long is read all the same, so that its sender hears why."""

DESCRIPTION: Final = """\
A self-hosted, real-time talking-avatar server. It speaks Simli's v2 and v1 protocols; routes tagged *mouthpiece* are
its own. Its gateway for PolyAI's voice calls is `/api/v1/webrtc/signal`: docs/polyai.md.

WebSockets are not part of OpenAPI: `/compose/webrtc/p2p?session_token=...` (aliases `/compose/webrtc/peer_to_peer`,
`/peer-to-peer?compose_session_token=...`) and v1's `/startWebRTCSession` are described in docs/protocol.md.
"""


@dataclass(frozen=True, slots=True)
class Health:
    """What the health routes ask. ``ready`` gives the reason why not, "" when all is well."""

    ready: Callable[[], Awaitable[str]]
    metrics: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Entrance:
    """Page access. ``account``: whose page this is, None before there is a key."""

    access: PageAccess
    account: Callable[[], Awaitable[str | None]]


def create_app(
    house: House, health: Health, entrance: Entrance | None = None, calls: PolyaiSettings | None = None
) -> FastAPI:
    """The application without its middleware. Without ``entrance`` (in a worker) pages cannot get access."""
    app = FastAPI(
        title="mouthpiece", version=version("mouthpiece"), description=DESCRIPTION, docs_url=None, redoc_url=None
    )
    app.state.house, app.state.health, app.state.entrance = house, health, entrance
    app.state.polyai = open_gateway(house, calls or PolyaiSettings())
    app.add_exception_handler(MouthpieceError, rest.on_fault)
    app.add_exception_handler(RequestValidationError, rest.on_bad_shape)
    app.add_exception_handler(HTTPException, rest.on_http_error)
    app.add_exception_handler(Exception, rest.on_bug)
    app.include_router(rest.router)
    app.include_router(assets.router)
    app.include_router(faces.router)
    app.include_router(static.router)
    app.include_router(socket.router)
    for each in (v1_rest, v1_faces, v1_static, v1_extras):
        app.include_router(each.router)
    app.include_router(v1_socket.router)
    app.include_router(v1_livekit.router)
    app.include_router(rooms.router)
    app.include_router(auto.router)
    app.include_router(auto_room.router)
    app.include_router(v1_auto.router)
    app.include_router(polyai_rest.router)
    app.include_router(polyai_socket.router)
    app.include_router(own)
    return app


def wrapped(app: ASGIApp, body_limits: Mapping[str, int] | None = None) -> ASGIApp:
    """Cross-origin rules outermost, so that errors carry them too; then the request log and the body limits.

    ``body_limits``: path prefix -> longest body in bytes.
    """
    return CORSMiddleware(
        RequestLog(BodyLimit(app, body_limits or {})),
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Retry-After", "Content-Range", "Accept-Ranges", "ETag"],
        max_age=86_400,
    )


# --- our own routes ------------------------------------------------------------------------------------------------
own = APIRouter(tags=["mouthpiece"])


class StatusReply(BaseModel):
    """How the server is."""

    status: str
    reason: str | None = None


class AccessRequest(BaseModel):
    """A one-time code, or nothing when a page token is to be renewed."""

    model_config = ConfigDict(extra="ignore")

    code: str | None = Field(None, max_length=200, description="from the address that the server printed")


class AccessReply(BaseModel):
    """A page token: taken wherever an API key is, for ``expires_in`` seconds."""

    token: str
    expires_in: int


@own.get("/healthz", summary="Alive", response_model_exclude_none=True)
async def healthz() -> StatusReply:
    """200 as long as the process answers."""
    return StatusReply(status="ok")


@own.get(
    "/readyz",
    summary="Ready",
    response_model_exclude_none=True,
    responses={503: {"model": StatusReply, "description": "not ready, and why"}},
)
async def readyz(request: Request, response: Response) -> StatusReply:
    """200 while new sessions can be taken; 503 while it starts or shuts down, or without workers or database."""
    health: Health = request.app.state.health
    reason = await health.ready()
    if reason:
        response.status_code = 503
        return StatusReply(status="not ready", reason=reason)
    return StatusReply(status="ready")


@own.get(
    "/metrics", summary="Prometheus metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
async def metrics(request: Request) -> Response:
    """Counters of this server and its workers."""
    health: Health = request.app.state.health
    return Response(await health.metrics(), media_type=CONTENT_TYPE)


@own.post(
    "/web/access",
    summary="Page access",
    responses={401: {"model": schemas.ErrorReply, "description": "the code was used, or the token has ended"}},
)
async def web_access(
    request: Request, asked: AccessRequest, x_simli_api_key: Annotated[str | None, Header()] = None
) -> AccessReply:
    """Change a one-time code, or a page token that is still good, for a page token."""
    entrance: Entrance | None = request.app.state.entrance
    if entrance is None:
        raise InvalidApiKey
    now = int(time.time())
    if asked.code is None and (x_simli_api_key or "").startswith(PAGE_PREFIX):
        token = entrance.access.renew(str(x_simli_api_key), now)
    else:
        token = await _first_token(entrance, asked.code or "", now)
    return AccessReply(token=token, expires_in=PAGE_TOKEN_S)


async def _first_token(entrance: Entrance, code: str, now: int) -> str:
    account = await entrance.account()
    if account is None:
        raise InvalidApiKey
    entrance.access.redeem(code, now)
    return entrance.access.make_token(account, now)


# --- around them all -----------------------------------------------------------------------------------------------
class BodyLimit:
    """Refuses a body that is too long: at once when it says so, else when it has come that far."""

    def __init__(self, app: ASGIApp, limits: Mapping[str, int]) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((n for prefix, n in self._limits.items() if scope["path"].startswith(prefix)), BODY_BYTES)
        if _announced(scope) > limit:
            await _swallow(receive)
            await _too_large(limit)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, f"the body is over the limit of {limit} bytes")
            return message

        await self._app(scope, counted, send)


def _announced(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


async def _swallow(receive: Receive) -> None:
    """A client that is still sending does not read the answer, and loses it when the connection is closed."""
    seen, more = 0, True
    while more and seen < SWALLOWED_BYTES:
        message = await receive()
        seen += len(message.get("body", b""))
        more = message.get("more_body", False)


def _too_large(limit: int) -> JSONResponse:
    text = f"the body is over the limit of {limit} bytes"
    return JSONResponse(messages.failed(text, "TOO_LARGE"), 413, {"connection": "close"})


class RequestLog:
    """One line for each request: never its query, which holds tokens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            _log_request(scope, status, time.monotonic() - began)


_ROUTINE: Final = ("/healthz", "/readyz", "/metrics", "/web/")


def _log_request(scope: Mapping[str, Any], status: int, seconds: float) -> None:
    routine = status < 400 and scope["path"].startswith(_ROUTINE)
    facts = {"status": status, "ms": round(seconds * 1000, 1), "client": (scope.get("client") or ("",))[0]}
    log.log(logging.DEBUG if routine else logging.INFO, "%s %s", scope["method"], scope["path"], extra=facts)
