"""The v1 avatar sessions: offer first, token afterwards, over a WebSocket or wholly over the client's data channel.

An offer is answered before it is known whose session it will be. The peer waits as a visitor; the token, which may come
on the socket or on any data channel that the client opens, seats it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from fastapi import APIRouter, Request, Response, WebSocket
from starlette.requests import HTTPConnection

from mouthpiece import errors
from mouthpiece.cluster.base import SESSION_HEADER
from mouthpiece.cluster.forward import forward
from mouthpiece.cluster.wire import ClientGone, Wire, stranger
from mouthpiece.errors import MouthpieceError
from mouthpiece.live.base import Stage, Visitor
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages as v2
from mouthpiece.simli import rest
from mouthpiece.simli import socket as compose
from mouthpiece.simli.base import House
from mouthpiece.simli.tokens import SessionClaims
from mouthpiece.simli_v1 import messages as m
from mouthpiece.simli_v1.guest import Guest, obey
from mouthpiece.simli_v1.schemas import AnswerReply, OfferRequest

log = logging.getLogger(__name__)

REMIND_AFTER_S: Final = 5.0
"""A client that has shown no token by then is told that it is missing."""

LAST_WORDS_S: Final = 0.3
"""A data channel has no flush: how long its last message may take to leave."""

router = APIRouter(tags=["Simli v1"])
_conversations: set[asyncio.Task[None]] = set()


# --- over a WebSocket ----------------------------------------------------------------------------------------------
@router.websocket("/startWebRTCSession")
@router.websocket("/StartWebRTCSession")
async def p2p(socket: WebSocket) -> None:
    """One avatar session. ``enableSFU`` is accepted and changes nothing."""
    await compose.serve(socket, _converse, m.failure)


async def _converse(wire: Wire, house: House) -> None:
    with ExitStack() as unknown:
        unknown.enter_context(stranger(wire.socket, house.limits.retry_s))
        offer = await compose.first_offer(wire, house)
        if house.stage is None:
            unknown.close()  # its worker counts on
            await _carry(wire, house, offer)
            return
        session_id = _session_id(wire.socket, house)
        visitor, sdp = await house.stage.welcome(session_id, offer.sdp)
        try:
            await wire.send(m.ACK)
            await wire.send(v2.answer(sdp))
            guest = Guest(house, wire.socket.headers.get("origin"))
            table = Table(house, house.stage, session_id, visitor, guest)
            async with _listening(_hear_socket(wire, guest), _hear_channels(visitor, guest)):
                await _attend(wire, table, unknown)
        finally:
            await asyncio.shield(visitor.close())


async def _carry(wire: Wire, house: House, offer: v2.Offer) -> None:
    """Give it a place among the workers, before its token is known. Raises NoCapacity."""
    assert house.host is not None, "a gateway without a stage has workers"
    lease = await house.host.place(str(uuid.uuid4()), token_id=None, waiting=True)
    try:
        await compose.carry(wire, lease, offer, m.failure)
    finally:
        await asyncio.shield(house.host.release(lease.session_id))


def _session_id(client: HTTPConnection, house: House) -> str:
    """A worker is told by its gateway."""
    given = client.headers.get(SESSION_HEADER) if house.host is None else None
    return given or str(uuid.uuid4())


# --- over the client's data channel --------------------------------------------------------------------------------
@router.post("/startWebRTCSession", response_model=AnswerReply, responses=rest.faults(400, 422, 429, 503))
@router.post("/StartWebRTCSession", response_model=AnswerReply, responses=rest.faults(400, 422, 429, 503))
async def over_data_channel(request: Request, asked: OfferRequest, house: rest.InHouse) -> Response | AnswerReply:
    """Answer an offer; the session token, sound, commands and replies travel on the client's data channel.

    *Open*: the token is shown on the data channel.
    """
    if asked.type != "offer":
        raise errors.InvalidOffer(reason='type is not "offer"')
    if house.stage is None:
        return await _forward(request, house)
    with ExitStack() as unknown:
        unknown.enter_context(stranger(request, house.limits.retry_s))
        session_id = _session_id(request, house)
        visitor, sdp = await house.stage.welcome(session_id, asked.sdp)
        table = Table(house, house.stage, session_id, visitor, Guest(house, request.headers.get("origin")))
        task = asyncio.create_task(_converse_on_channel(table, unknown.pop_all()), name=f"v1 {session_id}")
        _conversations.add(task)
        task.add_done_callback(_conversations.discard)
    return AnswerReply(sdp=sdp, type="answer")


async def _forward(request: Request, house: House) -> Response:
    """Its worker answers. The place is given back when the worker no longer reports the session."""
    assert house.host is not None, "a gateway without a stage has workers"
    lease = await house.host.place(str(uuid.uuid4()), token_id=None, waiting=True)
    kept = False
    try:
        assert lease.address is not None
        answer = await forward(request, lease.address, headers={SESSION_HEADER: lease.session_id})
        kept = answer.status_code == 200
        return answer
    finally:
        if not kept:
            await asyncio.shield(house.host.release(lease.session_id))


class Channel:
    """The client's data channel as a line: replies go where its last message came from."""

    def __init__(self) -> None:
        self.reply: Callable[[str], None] = lambda _: None

    async def send(self, text: str) -> None:
        """Say something."""
        self.reply(text)

    async def leave(self, goodbye: v2.Goodbye) -> None:
        """Say the last words; the peer is closed afterwards."""
        for text in goodbye.texts:
            self.reply(text)
        await asyncio.sleep(LAST_WORDS_S)


async def _converse_on_channel(table: Table, unknown: ExitStack) -> None:
    line = Channel()
    with unknown:
        try:
            async with _listening(_hear_channels(table.visitor, table.guest, line)):
                await _attend(line, table, unknown)
        except ClientGone:
            return
        except MouthpieceError as fault:
            log.info("v1 session refused: %s", fault)
            await line.leave(m.failure(fault))
        except Exception:
            log.exception("v1 session failed")
            await line.leave(m.failure(MouthpieceError()))
        finally:
            await asyncio.shield(table.visitor.close())


# --- the session ---------------------------------------------------------------------------------------------------
class Line(Protocol):
    """How the server speaks to this client. ``send`` raises ClientGone."""

    async def send(self, text: str) -> None:
        """Say something."""

    async def leave(self, goodbye: v2.Goodbye) -> None:
        """Say the last words."""


@dataclass(frozen=True, slots=True)
class Table:
    """Who meets here: a client, its waiting peer, and the session that it will have."""

    house: House
    stage: Stage
    session_id: str
    visitor: Visitor
    guest: Guest


async def _attend(line: Line, table: Table, unknown: ExitStack) -> None:
    """Token, ACK, START, then talk until one side ends. ``unknown`` is closed when the token is known."""
    claims = await _claims(line, table)
    unknown.close()
    async with _placed(table, claims) as used_s:
        spec = compose.session_spec(claims, table.session_id, table.house.fps)
        session = await table.stage.seat(replace(spec, used_s=used_s))
        reason = EndReason.CLOSED
        try:
            await line.send(m.ACK)
            await line.send(v2.START)
            table.guest.sit(session)
            over = await compose.tell(line, session, obey)
            if over.reason is EndReason.PEER_LOST:
                await table.guest.left_within(compose.LEAVING_S)
            await line.leave(m.ending(over.reason))
        except (ClientGone, MouthpieceError):
            raise
        except Exception:
            reason = EndReason.FAILED
            raise
        finally:
            await asyncio.shield(session.close(reason))


async def _claims(line: Line, table: Table) -> SessionClaims:
    """Wait for the token. Raises what is wrong with it; InvalidSessionToken when none comes."""
    token = table.guest.claims
    limit = table.house.limits.offer_timeout_s
    gone = asyncio.create_task(table.visitor.gone())
    try:
        if not await _first(token, gone, min(REMIND_AFTER_S, limit)):
            await line.send(m.MISSING_TOKEN)
            if not await _first(token, gone, limit - REMIND_AFTER_S):
                raise errors.InvalidSessionToken
        return token.result()
    finally:
        gone.cancel()


async def _first(
    token: asyncio.Future[SessionClaims], gone: asyncio.Task[MouthpieceError | None], seconds: float
) -> bool:
    """Whether the token came in time. Raises why the peer is gone, if that is what came first."""
    either: set[asyncio.Future[Any]] = {token, gone}
    await asyncio.wait(either, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    if not token.done() and gone.done():
        raise gone.result() or ClientGone
    return token.done()


@contextlib.asynccontextmanager
async def _placed(table: Table, claims: SessionClaims) -> AsyncIterator[float]:
    """Count the session, now that its token is known: with the host of this process, or with a worker's gateway.

    Gives the seconds that the token's session had played elsewhere. Raises NoCapacity, Draining.
    """
    host, claim = table.house.host, table.house.claim
    if host is None:
        assert claim is not None, "a worker has its gateway"
        used_s = await claim(table.session_id, claims.token_id)
        if used_s is None:
            raise errors.NoCapacity(retry_s=table.house.limits.retry_s)
        yield used_s
        return
    await host.place(table.session_id, token_id=claims.token_id)
    try:
        yield 0.0
    finally:
        await asyncio.shield(host.release(table.session_id))


# --- listening -----------------------------------------------------------------------------------------------------
@contextlib.asynccontextmanager
async def _listening(*ears: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run the listeners beside the block."""
    tasks = [asyncio.create_task(each) for each in ears]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hear_socket(wire: Wire, guest: Guest) -> None:
    """When the client leaves, the session ends at once."""
    try:
        while True:
            if reply := await guest.hear(await wire.receive()):
                await wire.send(reply)
    except ClientGone:
        await guest.leave(EndReason.CLOSED)
    except Exception:
        log.exception("a client's message failed")
        await guest.leave(EndReason.FAILED)


async def _hear_channels(visitor: Visitor, guest: Guest, line: Channel | None = None) -> None:
    """Until the session has begun; then its own events bring what is said there."""
    while True:
        message, reply = await visitor.message()
        if line is not None:
            line.reply = reply
        if answer := await guest.hear(message):
            reply(answer)
