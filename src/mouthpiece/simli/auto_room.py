"""The rooms of voice agents: the page's own socket, and the socket for a caller who sends the avatar's speech.

Room socket, JSON text both ways. In: the WebRTC offer, then ``{"type":"interrupt"}`` and ``{"type":"end"}``. Out:
``welcome`` (ICE servers, face, limits), the answer, then ``state``, ``caption``, ``said``, ``turn``, ``fault``, and
``over`` with a reason at the end. A refusal is one line, ``ERROR`` and a code, as on the avatar sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, WebSocket

from mouthpiece import errors
from mouthpiece.agent.base import (
    Caption,
    ConversationEvent,
    Fault,
    Finished,
    Line,
    Plan,
    Said,
    StateChanged,
    Talk,
    Turn,
)
from mouthpiece.agent.scribe import Scribe
from mouthpiece.cluster import pipe
from mouthpiece.cluster.base import SESSION_HEADER, Lease
from mouthpiece.cluster.wire import ClientGone, Wire
from mouthpiece.live.base import LiveSession, Over, SessionSpec, Speaking
from mouthpiece.media import Look
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages as m
from mouthpiece.simli.auto_base import Running, Salon, salon_of, troupe_of
from mouthpiece.simli.auto_tokens import RoomClaims, check_origin
from mouthpiece.simli.base import House
from mouthpiece.simli.socket import act, carry, first_offer, serve
from mouthpiece.store.conversations import ConversationRecord

log = logging.getLogger(__name__)

UNSENT: Final = 1_000
"""Messages that may wait for a slow page; captions after that are lost to it, not to the transcript."""

WAIT_S: Final = 300.0
"""How long whoever sends the avatar's speech may wait for the first viewer."""

_FINAL: Final = (EndReason.IDLE, EndReason.MAX, EndReason.DONE)

router = APIRouter()


@router.websocket("/auto/room")
async def room(socket: WebSocket) -> None:
    """One viewer's conversation."""
    await serve(socket, _join)


@router.websocket("/auto/audio")
async def audio(socket: WebSocket) -> None:
    """The avatar's speech from whoever started the conversation: PCM and commands as on the avatar sockets."""
    await serve(socket, _speak_for)


# --- who it is -----------------------------------------------------------------------------------------------------
def _claims(wire: Wire, house: House, role: str) -> RoomClaims:
    """Raises InvalidSessionToken, SessionTokenExpired, OriginNotAllowed, NotConfigured."""
    socket = wire.socket
    claims = salon_of(house).tokens.open_room(socket.query_params.get("token") or "", house.clock())
    if claims.role != role:
        raise errors.InvalidSessionToken
    if role == "viewer":
        check_origin(claims.origins, socket.headers.get("origin"), _own_origin(socket))
    return claims


def _own_origin(socket: WebSocket) -> str:
    return str(socket.base_url).rstrip("/").replace("ws", "http", 1)


async def _join(wire: Wire, house: House) -> None:
    salon, claims = salon_of(house), _claims(wire, house, "viewer")
    record = await salon.conversations.find(claims.conversation)
    left_s = await _left(salon, house, record)
    if house.host is not None:
        await wire.send(_welcome(wire, house, record))
    offer = await first_offer(wire, house)
    async with _place(wire, house, salon, claims) as lease:
        if lease.address is None:
            await _converse(wire, house, _spec(house, claims, record, (lease.session_id, left_s)), offer)
        else:
            await carry(wire, lease, offer, m.failure)


async def _left(salon: Salon, house: House, record: ConversationRecord) -> float:
    """Seconds that the conversation may still last. Raises ConversationOver."""
    length = float(record.plan["max_length_s"])
    left = length if record.started is None else record.started + length - house.clock()
    if record.ended is not None or left <= 0:
        raise errors.ConversationOver
    return left


def _welcome(wire: Wire, house: House, record: ConversationRecord) -> str:
    ice = [dict(server) for server in house.ice(wire.socket.url.hostname or "")]
    facts = {"ice": ice, "face": record.plan["face"], "language": record.plan["language"]}
    return _json("welcome", session=record.id, transcribed=record.transcribed, **facts)


def _json(kind: str, **facts: Any) -> str:  # noqa: ANN401 -- whatever JSON can hold
    return json.dumps({"type": kind, **facts}, separators=m.JSON_SEPARATORS)


@contextlib.asynccontextmanager
async def _place(wire: Wire, house: House, salon: Salon, claims: RoomClaims) -> AsyncIterator[Lease]:
    """A place while the viewer stays. A viewer that comes back goes where its conversation is. Raises NoCapacity."""
    if house.host is None:
        yield Lease(wire.socket.headers.get(SESSION_HEADER) or str(uuid.uuid4()), "", None)
        return
    lease = await house.host.place(str(uuid.uuid4()), token_id=claims.conversation)
    await _note(salon, claims.conversation, lease)
    try:
        yield lease
    finally:
        if salon.leases.get(claims.conversation) is lease:
            del salon.leases[claims.conversation]
        await asyncio.shield(house.host.release(lease.session_id))


async def _note(salon: Salon, conversation: str, lease: Lease) -> None:
    async with salon.news:
        salon.leases[conversation] = lease
        salon.news.notify_all()


def _spec(house: House, claims: RoomClaims, record: ConversationRecord, place: tuple[str, float]) -> SessionSpec:
    session_id, left_s = place
    return SessionSpec(
        session_id=session_id,
        account=claims.account,
        token_id=claims.conversation,
        look=Look(face_id=record.plan["face"], emotion=record.plan["emotion"]),
        fps=house.fps,
        max_length_s=left_s,
        max_idle_s=left_s + 1,  # the conversation itself knows who spoke last
        key_name=claims.key_name,
        kind="auto",
    )


# --- the conversation ----------------------------------------------------------------------------------------------
async def _converse(wire: Wire, house: House, spec: SessionSpec, offer: m.Offer) -> None:
    """Answer, then talk until one side ends. The slot is free, and every word written, when this returns."""
    assert house.stage is not None, "sessions that are placed here have a stage here"
    salon, claims = salon_of(house), _claims(wire, house, "viewer")
    if (before := salon.running.get(claims.conversation)) is not None:
        await before.session.close(EndReason.TAKEN_OVER)
        await before.left.wait()
    record = await salon.conversations.find(claims.conversation)
    session = await house.stage.open(spec)
    running = salon.running[claims.conversation] = Running(session)
    meeting = Meeting(wire, salon, record, session)
    try:
        await salon.conversations.start(record.id)
        await wire.send(m.answer(await session.answer(offer.sdp)))
        async with salon.news:
            salon.news.notify_all()
        await meeting.hold(claims)
    finally:
        await asyncio.shield(_part(salon, running, meeting))


async def _part(salon: Salon, running: Running, meeting: Meeting) -> None:
    """Every word is written, the slot is free, and whoever waits may come."""
    try:
        await meeting.close()
    finally:
        if salon.running.get(meeting.record.id) is running:
            del salon.running[meeting.record.id]
        for queue in running.audio:
            queue.put_nowait(None)
        running.left.set()


class Meeting:
    """One viewer and one avatar: what the conversation tells goes to the page and into the transcript."""

    def __init__(self, wire: Wire, salon: Salon, record: ConversationRecord, session: LiveSession) -> None:
        self.record = record
        self._wire = wire
        self._salon = salon
        self._session = session
        self._talk: Talk | None = None
        self._unsent: asyncio.Queue[str] = asyncio.Queue(UNSENT)
        self._scribe = Scribe(salon.conversations, record.id)
        self._reason: str | None = None

    async def hold(self, claims: RoomClaims) -> None:
        """Talk until the session is over, however that comes."""
        plan = await self._plan()
        troupe = troupe_of(self._salon)
        self._talk = talk = await troupe.open(plan, claims.choice, self._session, self._told)
        self._session.microphone, self._session.on_played = talk.hear, talk.played
        chores = [asyncio.create_task(work) for work in (self._listen(), self._send(), self._scribe.write())]
        try:
            await talk.start()
            over = await self._follow()
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
        await self._say_goodbye(over)

    async def close(self) -> None:
        """The conversation ends, its last words are written, and the session is over. Idempotent."""
        self._session.microphone = self._session.on_played = None
        try:
            if self._talk is not None:
                await self._talk.close()
            await self._scribe.flush()
        finally:
            await self._session.close(EndReason.CLOSED)

    async def _plan(self) -> Plan:
        told, history = self.record.plan, tuple(await self._history())
        return Plan(
            session_id=self.record.id,
            instructions=told["prompt"],
            first_message=told["first"] or None,
            language=told["language"],
            notices=tuple(told["notices"]) if not history else (),
            history=history,
            max_idle_s=float(told["max_idle_s"]),
        )

    async def _history(self) -> list[Line]:
        if not self.record.transcribed:
            return self._salon.memory.get(self.record.id)
        said = await self._salon.conversations.transcript(self.record.id)
        return [Line("user" if s.role == "user" else "assistant", s.content, s.said, s.interrupted) for s in said]

    # --- what the conversation tells --------------------------------------------------------------------------------
    def _told(self, event: ConversationEvent) -> None:
        match event:
            case Said(line):
                self._keep(line)
                self._queue(_json("said", **asdict(line)))
            case Caption():
                self._queue(_json("caption", **asdict(event)))
            case StateChanged():
                self._queue(_json("state", **asdict(event)))
            case Turn():
                log.info("turn", extra={"session": self.record.id, **asdict(event)})
                self._queue(_json("turn", **asdict(event)))
            case Fault(stage, reason):
                log.warning("the %s failed: %s", stage, reason, extra={"session": self.record.id})
                self._queue(_json("fault", stage=stage))
            case Finished():
                self._end("idle")

    def _keep(self, line: Line) -> None:
        if self.record.transcribed:
            self._scribe.keep(line)
        else:
            self._salon.memory.add(self.record.id, line)

    def _queue(self, text: str) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._unsent.put_nowait(text)

    def _end(self, reason: str) -> None:
        """It is over for good; the session's end, which is noticed elsewhere, brings everything else."""
        self._reason = self._reason or reason
        self._session.finish()
        self._session.skip()

    # --- chores -----------------------------------------------------------------------------------------------------
    async def _listen(self) -> None:
        """Page to conversation. When the page leaves, the session ends at once."""
        try:
            while True:
                await self._obey(await self._wire.receive())
        except ClientGone:
            await self._session.close(EndReason.CLOSED)
        except Exception:
            log.exception("a page's message failed", extra={"session": self.record.id})
            await self._session.close(EndReason.FAILED)

    async def _obey(self, message: str | bytes) -> None:
        try:
            content = json.loads(message)
        except ValueError:
            return
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "interrupt" and self._talk is not None:
            self._talk.interrupt()
        elif kind == "end":
            self._end("ended")

    async def _send(self) -> None:
        with contextlib.suppress(ClientGone):  # the listener notices too, and ends it
            while True:
                await self._wire.send(await self._unsent.get())

    async def _follow(self) -> Over:
        running = self._salon.running.get(self.record.id)
        async for event in self._session.events():
            match event:
                case Speaking(on):
                    for queue in running.audio if running is not None else ():
                        queue.put_nowait(m.speaking(on))
                case Over():
                    return event
                case _:
                    pass
        raise AssertionError("events end with Over")

    async def _say_goodbye(self, over: Over) -> None:
        if self._reason is not None or over.reason in _FINAL:
            await self._salon.conversations.end(self.record.id)
            self._salon.memory.forget(self.record.id)
        if self._talk is not None:
            await self._talk.close()  # the last words belong to the page too
        while not self._unsent.empty():
            with contextlib.suppress(ClientGone):
                await self._wire.send(self._unsent.get_nowait())
        reason = self._reason or over.reason.value
        code = m.GOING_AWAY if over.reason is EndReason.SHUTDOWN else m.NORMAL
        await self._wire.leave(m.Goodbye((_json("over", reason=reason),), code))


# --- a caller who speaks for the avatar ------------------------------------------------------------------------------
async def _speak_for(wire: Wire, house: House) -> None:
    salon, claims = salon_of(house), _claims(wire, house, "audio")
    try:
        async with asyncio.timeout(WAIT_S), salon.news:
            while claims.conversation not in salon.running and _elsewhere(salon, claims) is None:
                await salon.news.wait()
    except TimeoutError:
        raise errors.NotReady(what="the room", retry_s=house.limits.retry_s) from None
    running, lease = salon.running.get(claims.conversation), _elsewhere(salon, claims)
    if running is not None:
        await _feed(wire, running)
    elif lease is not None:
        lost = m.failure(errors.WorkerLost())
        goodbye = pipe.Goodbye(lost.texts, lost.code)
        await pipe.pipe(wire.socket, lease, goodbye=lambda: goodbye, headers={SESSION_HEADER: lease.session_id})


def _elsewhere(salon: Salon, claims: RoomClaims) -> Lease | None:
    """Where the conversation runs, if it is in another process."""
    lease = salon.leases.get(claims.conversation)
    return lease if lease is not None and lease.address is not None else None


async def _feed(wire: Wire, running: Running) -> None:
    """Client to the avatar's mouth, until either is gone."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    running.audio.add(queue)
    telling = asyncio.create_task(_report(wire, queue))
    try:
        await wire.send(m.START)
        while True:
            if reply := act(running.session, m.parse(await wire.receive())):
                await wire.send(reply)
    finally:
        running.audio.discard(queue)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _report(wire: Wire, queue: asyncio.Queue[str | None]) -> None:
    while (text := await queue.get()) is not None:
        await wire.send(text)
    await wire.leave(m.Goodbye((m.STOP,), m.NORMAL))
