"""Avatar sessions in LiveKit rooms: one of our own for a client on a socket, or the room of a LiveKit agent.

``WS /compose/webrtc/livekit`` and its v1 twin serve the first, ``POST /integrations/livekit/agents`` and its own twin
the second.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse

from mouthpiece import errors
from mouthpiece.cluster import pipe
from mouthpiece.cluster.base import SESSION_HEADER, Lease
from mouthpiece.cluster.forward import forward
from mouthpiece.cluster.wire import ClientGone, Wire
from mouthpiece.errors import MouthpieceError
from mouthpiece.live.base import LiveSession, Over, SessionSpec
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages as m
from mouthpiece.simli import schemas
from mouthpiece.simli import socket as compose
from mouthpiece.simli.base import House
from mouthpiece.simli.hosts import check_livekit_url
from mouthpiece.simli.rest import InHouse, faults
from mouthpiece.transport.base import RoomTicket
from mouthpiece.transport.grants import Signer, speaker_of

log = logging.getLogger(__name__)

TOKEN_SPARE_S: Final = 600
"""How much longer than its session a token for a room is good for."""
TOKEN_HEADER: Final = "session-token"  # noqa: S105 -- a name
AVATAR: Final = "avatar"
"""Our identity in rooms of our own."""

router = APIRouter(tags=["Simli v2"])
_tended: set[asyncio.Task[None]] = set()


# --- a room of our own, for a client on a socket -------------------------------------------------------------------
@router.websocket("/compose/webrtc/livekit")
async def livekit(socket: WebSocket) -> None:
    """One avatar session in a LiveKit room. Sound and commands come over the socket, as peer to peer."""
    await compose.serve(socket, _converse)


async def _converse(wire: Wire, house: House) -> None:
    claims = await compose.identify(wire, house)
    signer_of(house)
    async with compose.place(wire, house, claims) as lease:
        if lease.address is None:
            await perform(wire, house, compose.session_spec(claims, lease.session_id, house.fps), Words(house))
        else:
            await carry(wire, lease, house.tokens.make(claims), m.failure)


async def carry(wire: Wire, lease: Lease, token: str, failure: Callable[[MouthpieceError], m.Goodbye]) -> None:
    """The session lives in a worker: pipe the socket there, with the token, which may have been read here."""
    goodbye = failure(errors.WorkerLost())
    await pipe.pipe(
        wire.socket,
        lease,
        goodbye=lambda: pipe.Goodbye(goodbye.texts, goodbye.code),
        headers={SESSION_HEADER: lease.session_id, TOKEN_HEADER: token},
    )


class Words:
    """What is said around a session in a room, as v2 says it."""

    def __init__(self, house: House) -> None:
        self._house = house

    def started(self, spec: SessionSpec) -> Sequence[str]:
        """When the avatar is in the room."""
        return (m.START, m.destination(self._house.worker_id, spec.session_id))

    def ending(self, over: Over) -> m.Goodbye:
        """When it is over."""
        if over.reason is EndReason.PEER_LOST and not over.frames:
            return m.not_joined(self._house.livekit.join_timeout_s)
        return m.ending(over.reason, over.frames)

    def obey(self, session: LiveSession, message: m.ClientMessage) -> str | None:
        """Do what a message asks."""
        return compose.act(session, message)


def signer_of(house: House) -> Signer:
    """Who signs tokens for rooms of our own. Raises NoLiveKit."""
    livekit = house.livekit
    if not (livekit.url and livekit.key and livekit.secret):
        raise errors.NoLiveKit(what="LiveKit", remedy="connect peer to peer, or set livekit.url, .key and .secret")
    return Signer(livekit.key, livekit.secret)


async def perform(wire: Wire, house: House, spec: SessionSpec, words: Words) -> None:
    """Say where the room is, enter it, START, then talk until one side ends. The slot is free when this returns."""
    assert house.stage is not None, "sessions that are placed here have a stage here"
    session = await house.stage.open(spec)
    reason = EndReason.CLOSED
    try:
        await enter_own_room(wire, house, session)
        for text in words.started(spec):
            await wire.send(text)
        await compose.talk(wire, session, words.ending, words.obey)
    except (ClientGone, MouthpieceError):
        raise
    except Exception:
        reason = EndReason.FAILED
        raise
    finally:
        await asyncio.shield(session.close(reason))


async def enter_own_room(wire: Wire, house: House, session: LiveSession) -> None:
    """Tell the client its room and its video, and be there. Raises NoLiveKit, RoomUnreachable, ClientGone.

    The video's size is told before there is a track: older Python clients wait for it while they subscribe, and would
    wait for ever.
    """
    spec, livekit, signer = session.spec, house.livekit, signer_of(house)
    room, now, seconds = f"mouthpiece-{spec.session_id}", house.clock(), spec.max_length_s + TOKEN_SPARE_S
    public = livekit.public_url or livekit.url or ""
    await wire.send(m.room_join(public, signer.viewer(room, f"viewer-{uuid.uuid4()}", now, seconds)))
    await wire.send(m.video_metadata(spec.fps, *spec.look.picture_size))
    ours = signer.avatar(room, AVATAR, now, seconds)
    await session.join(_ticket(spec, livekit.url or "", ours))


def _ticket(spec: SessionSpec, url: str, token: str, speaker: str | None = None) -> RoomTicket:
    return RoomTicket(url, token, *spec.look.picture_size, spec.fps, speaker)


# --- the room of a LiveKit agent -----------------------------------------------------------------------------------
@router.post(
    "/integrations/livekit/agents",
    response_model=schemas.AgentRoomReply,
    responses=faults(400, 401, 422, 429, 503),
    summary="Be the face of a LiveKit agent",
)
async def livekit_agents(asked: schemas.AgentRoomRequest, request: Request, house: InHouse) -> Response:
    """Enter the agent's room with its own token, and be its face until it leaves. The session token is the key."""
    return await be_its_face(asked, request, house)


async def be_its_face(asked: schemas.AgentRoomRequest, request: Request, house: House) -> Response:
    """Answers when the avatar is in the room. Raises Denied, BadInput, NoCapacity, Draining, RoomUnreachable."""
    claims = compose.open_token(asked.session_token, request.headers.get("origin"), house)
    check_livekit_url(asked.livekit_url, house.livekit, house.allow_hosts)
    speaker = speaker_of(asked.livekit_token)
    if house.host is None:
        lease = Lease(request.headers.get(SESSION_HEADER) or str(uuid.uuid4()), "", None)
    else:
        lease = await house.host.place(str(uuid.uuid4()), token_id=claims.token_id)
    try:
        if lease.address is not None:
            reply = await forward(request, lease.address, headers={SESSION_HEADER: lease.session_id})
        else:
            spec = replace(compose.session_spec(claims, lease.session_id, house.fps), kind="livekit-agent")
            reply = await _enter_theirs(house, spec, _ticket(spec, asked.livekit_url, asked.livekit_token, speaker))
    except BaseException:
        await _release(house, lease.session_id)
        raise
    if reply.status_code >= 400:
        await _release(house, lease.session_id)
    return reply


async def _enter_theirs(house: House, spec: SessionSpec, ticket: RoomTicket) -> Response:
    assert house.stage is not None, "sessions that are placed here have a stage here"
    session = await house.stage.open(spec)
    try:
        await session.join(ticket)
    except BaseException:
        await asyncio.shield(session.close(EndReason.PEER_LOST))
        raise
    task = asyncio.create_task(_tend(house, session))
    _tended.add(task)
    task.add_done_callback(_tended.discard)
    reply = schemas.AgentRoomReply(
        status="ok", session_id=spec.session_id, destination=base64.b64encode(house.worker_id.encode()).decode()
    )
    return JSONResponse(reply.model_dump())


async def _tend(house: House, session: LiveSession) -> None:
    """Nobody holds a socket for this session: see it through to its end."""
    async for event in session.events():
        if isinstance(event, Over):
            log.info("the face of an agent left: %s", event.reason, extra={"session": session.spec.session_id})
    await session.close()
    await _release(house, session.spec.session_id)


async def _release(house: House, session_id: str) -> None:
    if house.host is not None:
        await asyncio.shield(house.host.release(session_id))
