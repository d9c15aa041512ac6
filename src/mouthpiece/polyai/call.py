"""A call that runs: its session, its conversation, and the socket that it has at the moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from mouthpiece.agent.base import ConversationEvent, Fault, Finished, Said, Talk, Turn
from mouthpiece.agent.scribe import Scribe
from mouthpiece.cluster.wire import ClientGone, Wire
from mouthpiece.errors import Unavailable
from mouthpiece.live.base import LiveSession, Over
from mouthpiece.media import Pcm
from mouthpiece.polyai import messages as m
from mouthpiece.polyai.base import Gateway, Guest
from mouthpiece.polyai.opening import Cast
from mouthpiece.polyai.signaling import CallSignaling, HangUp, Leave, Say, Step, Trickle
from mouthpiece.session.events import EndReason

log = logging.getLogger(__name__)

SHORTEST_LOOK_S: Final = 0.05
"""Between two looks at whether a client without a socket is still heard."""

_PROBLEMS: Final = {
    EndReason.PEER_LOST: m.Problem("MEDIA_BRIDGE_FAILURE", "the media connection could not be made, or was lost"),
    EndReason.FAILED: m.Problem("HANDLER_ERROR", "internal error"),
}


class Socket:
    """A socket while it serves a call. ``gone`` is set when the call needs it no more."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.gone = asyncio.Event()


class Call:
    """One call from its answer to its last word."""

    def __init__(self, gateway: Gateway, guest: Guest, session: LiveSession, cast: Cast | None) -> None:
        self.session_id = session.spec.session_id
        self._gateway = gateway
        self._transcribed = guest.transcribed
        self._session = session
        self._cast = cast
        self._talk: Talk | None = None
        self._loop = asyncio.get_running_loop()
        self._signaling = CallSignaling(self.session_id, gateway.settings.resume_s, self._loop.time())
        self._socket: Socket | None = None
        self._news = asyncio.Event()
        conversations = gateway.conversations
        self._scribe = Scribe(conversations, self.session_id) if conversations is not None else None
        self._problem: m.Problem | None = None

    # --- sockets ----------------------------------------------------------------------------------------------------
    async def greet(self, wire: Wire, sdp: str, early: Sequence[m.Candidate]) -> None:
        """Say our answer on the first socket, and serve it as ``attend`` does."""
        await self._serve(wire, self._signaling.answered(sdp, early))

    async def attend(self, wire: Wire, first: m.ClientMessage) -> None:
        """Serve a socket until it leaves, another takes its place, or the call is over. ``first`` came on it."""
        await self._serve(wire, self._signaling.receive(first))

    async def _serve(self, wire: Wire, first: Sequence[Step]) -> None:
        socket = self._take(wire)
        reading = asyncio.create_task(self._read(socket, first))
        parting = asyncio.create_task(socket.gone.wait())
        try:
            await asyncio.wait({reading, parting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, parting):
                task.cancel()
            await asyncio.gather(reading, parting, return_exceptions=True)
            self._drop(socket)

    def _take(self, wire: Wire) -> Socket:
        """From now on this socket is the call's; the one before, which nobody reads any more, is closed."""
        if self._socket is not None:
            self._gateway.spawn(self._socket.wire.leave(m.Goodbye(reason="the call goes on on another socket")))
            self._socket.gone.set()
        self._socket = Socket(wire)
        self._signaling.attached()
        self._news.set()
        return self._socket

    def _drop(self, socket: Socket) -> None:
        if self._socket is socket:
            self._socket = None
            self._signaling.detached(self._loop.time())
            self._news.set()

    async def _read(self, socket: Socket, first: Sequence[Step]) -> None:
        try:
            await self._do(first, socket)
            while True:
                await self._do(self._signaling.receive(m.parse(await socket.wire.receive())), socket)
        except ClientGone:
            return
        except Exception:
            log.exception("a message of a call failed", extra={"session": self.session_id})
            self._problem = _PROBLEMS[EndReason.FAILED]
            await self._session.close(EndReason.FAILED)

    async def _do(self, steps: Sequence[Step], socket: Socket | None = None) -> None:
        for step in steps:
            match step:
                case Say(text) if socket is not None:
                    await socket.wire.send(text)
                case Leave(goodbye) if socket is not None:
                    await socket.wire.leave(goodbye)
                    socket.gone.set()
                case Trickle(candidate):
                    await self._session.add_candidate(candidate.candidate, candidate.mid, candidate.index)
                case HangUp():
                    await self._session.close(EndReason.CLOSED)

    # --- the conversation -------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Talk until the session is over, however that comes; then every word is written and the place is free."""
        chores = [asyncio.create_task(self._watch())]
        if self._scribe is not None:
            chores.append(asyncio.create_task(self._scribe.write()))
        over: Over | None = None
        try:
            await self._begin()
            over = await self._follow()
        except Exception:
            log.exception("a call failed", extra={"session": self.session_id})
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await asyncio.shield(self._end(EndReason.FAILED if over is None else over.reason))

    async def _begin(self) -> None:
        self._session.microphone = self._hear
        if self._cast is None:
            return
        try:
            self._talk = talk = await self._cast.troupe.open(
                self._cast.plan, self._cast.choice, self._session, self._told
            )
            self._session.on_played = talk.played
            await talk.start()
        except Exception as fault:
            log.exception("the agent of a call does not start", extra={"session": self.session_id})
            self._problem = m.Problem("AGENT_FAILURE", f"the agent cannot be reached: {str(fault)[:200]}")
            await self._session.close(EndReason.FAILED)

    def _hear(self, pcm: Pcm) -> None:
        self._signaling.heard(self._loop.time())
        if self._talk is not None:
            self._talk.hear(pcm)

    def _told(self, event: ConversationEvent) -> None:
        match event:
            case Said(line) if self._scribe is not None and self._transcribed:
                self._scribe.keep(line)
            case Turn():
                log.info("turn", extra={"session": self.session_id, **asdict(event)})
            case Fault(stage, reason):
                log.warning("the %s failed: %s", stage, reason, extra={"session": self.session_id})
            case Finished(reason):
                if reason == "failed":
                    self._problem = m.Problem("AGENT_FAILURE", "the agent gave up")
                self._session.finish()
                self._session.skip()
            case _:
                pass

    async def _follow(self) -> Over:
        async for event in self._session.events():
            if isinstance(event, Over):
                return event
        raise AssertionError("events end with Over")

    async def _watch(self) -> None:
        """Give up a call that has lost both its socket and its voice."""
        while True:
            self._news.clear()
            left = self._signaling.patience_s(self._loop.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if left is None else max(left, SHORTEST_LOOK_S)):
                    await self._news.wait()
            await self._do(self._signaling.due(self._loop.time()))

    # --- the end ----------------------------------------------------------------------------------------------------
    async def _end(self, reason: EndReason) -> None:
        self._gateway.calls.pop(self.session_id, None)
        self._session.microphone = self._session.on_played = None
        try:
            await self._put_down()
        finally:
            await self._session.close(EndReason.CLOSED)
            if self._gateway.host is not None:
                await self._gateway.host.release(self.session_id)
            code = m.GOING_AWAY if reason is EndReason.SHUTDOWN else m.NORMAL
            goodbye = self._signaling.over(self._problem or _PROBLEMS.get(reason), code)
            if self._socket is not None:
                await self._do(goodbye, self._socket)

    async def _put_down(self) -> None:
        """The conversation ends, and its last words are written."""
        if self._talk is not None:
            await self._talk.close()
        if self._scribe is not None:
            await self._scribe.flush()
        if self._cast is not None and self._gateway.conversations is not None:
            with contextlib.suppress(Unavailable):
                await self._gateway.conversations.end(self.session_id)
