"""``WS /api/v1/webrtc/signal``: a socket until it is known what it wants, and where its call lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from typing import Final

from fastapi import APIRouter, WebSocket

from mouthpiece.cluster import pipe
from mouthpiece.cluster.base import SESSION_HEADER, Lease
from mouthpiece.cluster.pipe import PipeEnd
from mouthpiece.cluster.wire import ClientGone, Wire, stranger
from mouthpiece.errors import RateLimited, WorkerLost
from mouthpiece.polyai import messages as m
from mouthpiece.polyai.base import Gateway, Refused, in_words
from mouthpiece.polyai.call import Call
from mouthpiece.polyai.opening import open_call
from mouthpiece.polyai.signaling import Begin, Leave, Newcomer, Resume, Say, unknown

log = logging.getLogger(__name__)

SILENT_S: Final = 600.0
"""How long a socket may say nothing. PolyAI's apps, when they come back, speak only when they have something to say."""

LATER_S: Final = 2.0
"""Beyond ``polyai.resume_s``: after that, a place whose call never began is given back."""

INTERNAL: Final = m.Problem("HANDLER_ERROR", "internal error")

router = APIRouter()


@router.websocket("/api/v1/webrtc/signal")
async def signal(socket: WebSocket) -> None:
    """The signalling of a voice call."""
    gateway: Gateway = socket.app.state.polyai
    await socket.accept()
    wire = Wire(socket, gateway.limits.messages_per_s)
    try:
        with contextlib.ExitStack() as unknown_so_far:
            if gateway.host is not None:
                unknown_so_far.enter_context(stranger(socket, gateway.limits.retry_s))
            await _Reception(wire, gateway, unknown_so_far).meet()
    except ClientGone:
        return
    except RateLimited as fault:
        await wire.leave(m.Goodbye((m.error(m.problem(fault)),), m.UNACCEPTABLE))
    except TimeoutError:
        await wire.leave(m.Goodbye(reason="nothing was said"))
    except Exception:
        log.exception("signalling failed")
        await wire.leave(m.Goodbye((m.error(INTERNAL),), 1011))


class _Reception:
    """Hears a client out until its socket belongs to a call. ``unknown`` ends when it is known who it is."""

    def __init__(self, wire: Wire, gateway: Gateway, unknown_so_far: contextlib.ExitStack) -> None:
        self._wire = wire
        self._gateway = gateway
        self._unknown = unknown_so_far
        self._newcomer = Newcomer()

    async def meet(self) -> None:
        """Until the socket is closed or its call needs it no more. Raises ClientGone, TimeoutError."""
        while True:
            async with asyncio.timeout(SILENT_S):
                message = await self._wire.receive()
            for step in self._newcomer.receive(m.parse(message)):
                if await self._done(step):
                    return

    async def _done(self, step: object) -> bool:
        """Whether nothing more is to be heard here."""
        match step:
            case Say(text):
                await self._wire.send(text)
            case Leave(goodbye):
                await self._wire.leave(goodbye)
                return True
            case Begin(offer, early):
                return await self._begin(offer, early)
            case Resume(session_id, message):
                return await self._resume(session_id, message)
        return False

    async def _refuse(self, problem: m.Problem) -> bool:
        for step in self._newcomer.refuse(problem):
            if await self._done(step):
                return True
        return False

    # --- a new call -------------------------------------------------------------------------------------------------
    async def _begin(self, offer: m.Offer, early: tuple[m.Candidate, ...]) -> bool:
        try:
            lease = await self._place(offer)
            self._unknown.close()
            if lease.address is None:
                await self._open(lease, offer, early)
            else:
                await self._carry(lease, *map(m.candidate, early), m.offer(offer))
        except Refused as refusal:
            return await self._refuse(refusal.problem)
        return True

    async def _place(self, offer: m.Offer) -> Lease:
        """A place for a call that its caller may make. Raises Refused."""
        gateway, socket = self._gateway, self._wire.socket
        if gateway.host is None:  # the gateway has looked
            return Lease(socket.headers.get(SESSION_HEADER) or str(uuid.uuid4()), "", None)
        with in_words():
            guest = await gateway.admit(offer.token, socket.headers.get("origin"), own_origin(socket))
            await gateway.limiter(guest.account)
            return await gateway.host.place(str(uuid.uuid4()), token_id=None)

    async def _open(self, lease: Lease, offer: m.Offer, early: tuple[m.Candidate, ...]) -> None:
        """Begin a call in this process, and serve it. Raises Refused."""
        gateway, socket = self._gateway, self._wire.socket
        try:
            with in_words():
                guest = await gateway.admit(offer.token, socket.headers.get("origin"), own_origin(socket))
            session, sdp, cast = await open_call(gateway, lease.session_id, guest, offer)
        except BaseException:
            if gateway.host is not None:
                await asyncio.shield(gateway.host.release(lease.session_id))
            raise
        call = gateway.calls[lease.session_id] = Call(gateway, guest, session, cast)
        gateway.spawn(call.run())
        await call.greet(self._wire, sdp, early)

    # --- a call that runs -------------------------------------------------------------------------------------------
    async def _resume(self, session_id: str, message: m.ClientMessage) -> bool:
        call = self._gateway.calls.get(session_id)
        if call is not None:
            self._unknown.close()
            await call.attend(self._wire, message)
            return True
        lease = self._gateway.host.find(session_id) if self._gateway.host is not None else None
        if lease is None or lease.address is None:
            return await self._refuse(unknown(session_id))
        self._unknown.close()
        await self._carry(lease, again(message))
        return True

    async def _carry(self, lease: Lease, *texts: str) -> None:
        """The call lives in a worker: pass the socket on, with what was read of it already."""
        gateway, session_id = self._gateway, lease.session_id
        lost = m.Goodbye((m.error(m.problem(WorkerLost(), session_id)), m.close(session_id)), 1011)
        gateway.carried[session_id] += 1
        end = PipeEnd.CLIENT
        try:
            end = await pipe.pipe(
                pipe.replaying(self._wire.socket, *texts),
                lease,
                goodbye=lambda: pipe.Goodbye(lost.texts, lost.code),
                headers={SESSION_HEADER: session_id},
            )
        finally:
            gateway.carried[session_id] -= 1
            if not gateway.carried[session_id]:
                del gateway.carried[session_id]
            later_s = gateway.settings.resume_s + LATER_S if end is PipeEnd.CLIENT else 0.0
            gateway.spawn(_give_back(gateway, session_id, later_s))


async def _give_back(gateway: Gateway, session_id: str, later_s: float) -> None:
    """The place of a call that no socket serves, unless it runs: then its end gives it back."""
    await asyncio.sleep(later_s)
    host = gateway.host
    if host is not None and session_id not in gateway.carried and not host.runs(session_id):
        await host.release(session_id)


def again(message: m.ClientMessage) -> str:
    """A message that was read here, for a worker."""
    match message:
        case m.Candidate():
            return m.candidate(message)
        case m.Close():
            return m.close(message.session_id)
        case _:
            return m.ping(message.session_id)


def own_origin(socket: WebSocket) -> str:
    """The origin of this server, as the client reached it."""
    return str(socket.base_url).rstrip("/").replace("ws", "http", 1)
