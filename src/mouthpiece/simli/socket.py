"""The v2 avatar sockets: ``/compose/webrtc/p2p`` and its two aliases.

A socket is accepted first and refused afterwards, in words: a refused handshake hides the reason from browsers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol, cast

from fastapi import APIRouter, WebSocket

from mouthpiece import errors
from mouthpiece.cluster import pipe
from mouthpiece.cluster.base import SESSION_HEADER, Lease
from mouthpiece.cluster.wire import ClientGone, Wire, stranger
from mouthpiece.errors import MouthpieceError
from mouthpiece.live.base import Backlog, Command, LiveSession, NotDressed, Over, SessionSpec, Speaking
from mouthpiece.media import Look
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages as m
from mouthpiece.simli.base import House
from mouthpiece.simli.tokens import SessionClaims, origin_allowed

log = logging.getLogger(__name__)

LEAVING_S: Final = 1.0
"""A client that hangs up closes its peer first and its socket a moment later; that is not worth an error."""

OFFERING_S: Final = 1.0
"""A refused client may finish its offer first: told to leave while it makes one, simli-client 3 hangs for ever."""

_TOKEN_NAMES: Final = ("session_token", "compose_session_token")

router = APIRouter()


@router.websocket("/compose/webrtc/p2p")
@router.websocket("/compose/webrtc/peer_to_peer")
@router.websocket("/peer-to-peer")
async def p2p(socket: WebSocket) -> None:
    """One avatar session over WebRTC, peer to peer. ``enableSFU`` is accepted and changes nothing."""
    await serve(socket, _converse)


async def serve(
    socket: WebSocket,
    converse: Callable[[Wire, House], Awaitable[None]],
    refusal: Callable[[MouthpieceError], m.Goodbye] = m.refusal,
) -> None:
    """Accept a socket and hold one conversation on it; what ends it early is said in the words of ``refusal``."""
    house: House = socket.app.state.house
    await socket.accept()
    wire = Wire(socket, house.limits.messages_per_s)
    try:
        await converse(wire, house)
    except ClientGone:
        return
    except MouthpieceError as fault:
        log.info("socket refused: %s", fault)
        await wire.leave(refusal(fault))
    except Exception:
        log.exception("socket failed")
        await wire.leave(refusal(MouthpieceError()))


# --- who it is, and what it wants ----------------------------------------------------------------------------------
async def _converse(wire: Wire, house: House) -> None:
    claims = await identify(wire, house)
    offer = await first_offer(wire, house)
    async with place(wire, house, claims) as lease:
        if lease.address is None:
            await _perform(wire, house, session_spec(claims, lease.session_id, house.fps), offer)
        else:
            await carry(wire, lease, offer, m.failure)


async def identify(wire: Wire, house: House) -> SessionClaims:
    """The claims of the token in the query, a header, or the first message. Raises Denied, RateLimited."""
    socket = wire.socket
    origin = socket.headers.get("origin")
    token = next(filter(None, (socket.query_params.get(name) for name in _TOKEN_NAMES)), None)
    token = token or socket.headers.get("session-token")
    if not token:
        return open_token(await _token_message(wire, house), origin, house)
    try:
        return open_token(token, origin, house)
    except errors.Denied:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OFFERING_S):
                await wire.receive()
        raise


def open_token(token: str, origin: str | None, house: House) -> SessionClaims:
    """The claims of a token that a page of ``origin`` shows. Raises Denied."""
    claims = house.tokens.open(token.strip(), house.clock())
    if not origin_allowed(claims, origin):
        raise errors.OriginNotAllowed(origin=(origin or "none")[:100])
    return claims


async def _token_message(wire: Wire, house: House) -> str:
    try:
        with stranger(wire.socket, house.limits.retry_s):
            async with asyncio.timeout_at(wire.opened + house.limits.offer_timeout_s):
                message = await wire.receive()
    except TimeoutError:
        raise errors.InvalidSessionToken from None
    return message if isinstance(message, str) else ""


async def first_offer(wire: Wire, house: House) -> m.Offer:
    """The offer must come soon after the socket was opened; only pings, and a token, may come before it.

    Raises OfferTimeout, InvalidOffer.
    """
    seconds = house.limits.offer_timeout_s
    try:
        async with asyncio.timeout_at(wire.opened + seconds):
            while isinstance(message := m.parse(await wire.receive()), m.Ping):
                await wire.send(m.pong(message))
    except TimeoutError:
        raise errors.OfferTimeout(seconds=seconds) from None
    if not isinstance(message, m.Offer):
        reason = message.reason if isinstance(message, m.Unknown) else "the first message must be the offer"
        raise errors.InvalidOffer(reason=reason)
    return message


def session_spec(claims: SessionClaims, session_id: str, fps: int) -> SessionSpec:
    """What a worker must know to run the session of these claims."""
    look = Look(
        face_id=claims.face_id,
        emotion=claims.emotion,
        width=claims.width,
        height=claims.height,
        start_frame=claims.start_frame,
        position=claims.position,
        camera=claims.camera,
        background=claims.background_id or "",
        foreground=claims.foreground_id or "",
        transparent=claims.transparent,
    )
    return SessionSpec(
        session_id=session_id,
        account=claims.account,
        token_id=claims.token_id,
        look=look,
        fps=fps,
        handle_silence=claims.handle_silence,
        max_length_s=claims.max_length_s,
        max_idle_s=claims.max_idle_s,
        end_user=claims.end_user,
        key_name=claims.key_name,
    )


# --- where it lives ------------------------------------------------------------------------------------------------
@contextlib.asynccontextmanager
async def place(wire: Wire, house: House, claims: SessionClaims) -> AsyncIterator[Lease]:
    """A place for as long as the conversation lasts. A worker has been given it by its gateway. Raises NoCapacity."""
    if house.host is None:
        yield Lease(wire.socket.headers.get(SESSION_HEADER) or str(uuid.uuid4()), "", None)
        return
    lease = await house.host.place(str(uuid.uuid4()), token_id=claims.token_id)
    try:
        yield lease
    finally:
        await asyncio.shield(house.host.release(lease.session_id))


async def carry(wire: Wire, lease: Lease, offer: m.Offer, failure: Callable[[MouthpieceError], m.Goodbye]) -> None:
    """The session lives in a worker: pipe the socket there, the offer first. ``failure`` words the worker's death."""
    goodbye = failure(errors.WorkerLost())
    await pipe.pipe(
        pipe.replaying(wire.socket, m.offer(offer)),
        lease,
        goodbye=lambda: pipe.Goodbye(goodbye.texts, goodbye.code),
        headers={SESSION_HEADER: lease.session_id},
    )


# --- the session ---------------------------------------------------------------------------------------------------
async def _perform(wire: Wire, house: House, spec: SessionSpec, offer: m.Offer) -> None:
    """Answer, START, then talk until one side ends. The slot is free when this returns, however it does."""
    assert house.stage is not None, "sessions that are placed here have a stage here"
    session = await house.stage.open(spec)
    reason = EndReason.CLOSED
    try:
        await wire.send(m.answer(await session.answer(offer.sdp)))
        await wire.send(m.START)
        await wire.send(m.destination(house.worker_id, spec.session_id))
        await wire.send(m.video_metadata(spec.fps, *spec.look.picture_size))
        await talk(wire, session)
    except (ClientGone, MouthpieceError):
        raise
    except Exception:
        reason = EndReason.FAILED
        raise
    finally:
        await asyncio.shield(session.close(reason))


Act = Callable[[LiveSession, m.ClientMessage], str | None]
"""Does what a client's message asks; returns the reply."""


def _ending(over: Over) -> m.Goodbye:
    return m.ending(over.reason, over.frames)


async def talk(
    wire: Wire, session: LiveSession, ending: Callable[[Over], m.Goodbye] = _ending, obey: Act | None = None
) -> None:
    """Listen and tell until one side ends, then say the last words. ``obey`` does what messages ask."""
    obey = obey or act
    listening = asyncio.create_task(_listen(wire, session, obey))
    try:
        over = await tell(wire, session, obey)
        if over.reason is EndReason.PEER_LOST:
            await asyncio.wait({listening}, timeout=LEAVING_S)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    await wire.leave(ending(over))


async def _listen(wire: Wire, session: LiveSession, obey: Act) -> None:
    """Client to session. When the client leaves, the session ends at once."""
    try:
        while True:
            if reply := obey(session, m.parse(await wire.receive())):
                await wire.send(reply)
    except ClientGone:
        await session.close(EndReason.CLOSED)
    except Exception:
        log.exception("a client's message failed", extra={"session": session.spec.session_id})
        await session.close(EndReason.FAILED)


class Line(Protocol):
    """A way to speak to a client. ``send`` raises ClientGone."""

    async def send(self, text: str) -> None:
        """Say something."""


async def tell(wire: Line, session: LiveSession, obey: Act) -> Over:
    """Session to client. Returns how it ended. ``obey`` does what comes on data channels."""
    async for event in session.events():
        match event:
            case Speaking(on):
                await wire.send(m.speaking(on))
            case Backlog():
                await wire.send(m.BACKLOG_FULL)
            case NotDressed(layer, asset_id):
                await wire.send(m.not_yours(layer, asset_id))
            case Command(message, reply):
                if answer := obey(session, m.parse(message)):
                    cast("Callable[[str], None]", reply)(answer)
            case Over():
                return event
    raise AssertionError("events end with Over")


def act(session: LiveSession, message: m.ClientMessage) -> str | None:
    """Do what a client's message asks; returns the reply, which goes back the way the message came."""
    match message:
        case m.Audio(pcm):
            session.push_audio(pcm)
        case m.PlayImmediate(pcm):
            session.play_immediate(pcm)
        case m.Said(script):
            session.cue(script)
        case m.Skip():
            session.skip()
        case m.Done():
            session.finish()
        case m.Ping():
            return m.pong(message)
        case m.Offer():
            return m.error(errors.InvalidOffer(reason="this session has its answer already"))
        case m.Camera() if message.valid:
            session.aim(message.camera, message.glide_s or 0.0)
        case m.Ground(layer, str(asset_id)):
            session.dress(layer, "" if asset_id == m.NIL_ASSET else asset_id.lower())
        case _:
            return m.notice(message)
    return None
