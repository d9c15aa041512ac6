"""The v1 routes of LiveKit: a room for a client on a socket, and the face of an agent; both are v2's at heart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response, WebSocket

from mouthpiece import errors
from mouthpiece.cluster.wire import Wire, stranger
from mouthpiece.live.base import LiveSession, Over, SessionSpec
from mouthpiece.simli import messages as v2
from mouthpiece.simli import rooms, schemas
from mouthpiece.simli import socket as compose
from mouthpiece.simli.base import House
from mouthpiece.simli.rest import InHouse, faults
from mouthpiece.simli.tokens import SessionClaims
from mouthpiece.simli_v1 import messages as m
from mouthpiece.simli_v1.guest import Guest, obey
from mouthpiece.simli_v1.socket import REMIND_AFTER_S

router = APIRouter(tags=["Simli v1"])


@router.websocket("/StartWebRTCSessionLivekit")
async def livekit(socket: WebSocket) -> None:
    """One avatar session in a LiveKit room; the token is the first message."""
    await compose.serve(socket, _converse, m.failure)


async def _converse(wire: Wire, house: House) -> None:
    rooms.signer_of(house)
    claims = await _claims(wire, house)
    async with compose.place(wire, house, claims) as lease:
        if lease.address is None:
            spec = compose.session_spec(claims, lease.session_id, house.fps)
            await rooms.perform(wire, house, spec, _Words(house))
        else:
            await rooms.carry(wire, lease, house.tokens.make(claims), m.failure)


async def _claims(wire: Wire, house: House) -> SessionClaims:
    """Wait for the token. Raises what is wrong with it; InvalidSessionToken when none comes."""
    origin, limit = wire.socket.headers.get("origin"), house.limits.offer_timeout_s
    if given := wire.socket.headers.get(rooms.TOKEN_HEADER):  # a worker's gateway has read it
        return compose.open_token(given, origin, house)
    guest = Guest(house, origin)
    with stranger(wire.socket, house.limits.retry_s):
        try:
            await _hear(wire, guest, min(REMIND_AFTER_S, limit))
            if not guest.claims.done():
                await wire.send(m.MISSING_TOKEN)
                await _hear(wire, guest, limit - REMIND_AFTER_S)
            if not guest.claims.done():
                raise errors.InvalidSessionToken
            return guest.claims.result()
        finally:
            guest.claims.cancel()


async def _hear(wire: Wire, guest: Guest, seconds: float) -> None:
    """Hear a stranger out until its token is there, but not longer than this."""
    try:
        async with asyncio.timeout(seconds):
            while not guest.claims.done():
                if reply := await guest.hear(await wire.receive()):
                    await wire.send(reply)
    except TimeoutError:
        return


class _Words(rooms.Words):
    """As v1 says it."""

    def started(self, spec: SessionSpec) -> Sequence[str]:
        """When the avatar is in the room."""
        return (v2.START,)

    def ending(self, over: Over) -> v2.Goodbye:
        """When it is over."""
        return m.ending(over.reason)

    def obey(self, session: LiveSession, message: v2.ClientMessage) -> str | None:
        """Do what a message asks."""
        return obey(session, message)


@router.post(
    "/StartLivekitAgentsSession",
    response_model=schemas.AgentRoomReply,
    responses=faults(400, 401, 422, 429, 503),
    summary="Be the face of a LiveKit agent",
)
async def livekit_agents(asked: schemas.AgentRoomRequest, request: Request, house: InHouse) -> Response:
    """As ``POST /integrations/livekit/agents``."""
    return await rooms.be_its_face(asked, request, house)
