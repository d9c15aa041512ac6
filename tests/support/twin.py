"""A stage whose sessions do what a test says, and write down what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from mouthpiece.cluster.base import WorkerStatus
from mouthpiece.errors import InvalidOffer, MouthpieceError
from mouthpiece.face.camera import Camera
from mouthpiece.lipsync.script import Script
from mouthpiece.live.base import Command, Over, SessionEvent, SessionSpec
from mouthpiece.media import Pcm
from mouthpiece.session.events import EndReason
from mouthpiece.transport.base import RoomTicket

GOOD_OFFER = "v=0 good"
ANSWER = "v=0\r\nanswer with spaces\r\n"


@dataclass
class TwinSession:
    """One scripted session. ``told``: every call, in order."""

    spec: SessionSpec
    stage: TwinStage
    told: list[tuple[str, object]] = field(default_factory=list)
    over: Over | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    microphone: Callable[[Pcm], None] | None = None
    on_played: Callable[[float], None] | None = None
    queued: int = 0
    _events: asyncio.Queue[SessionEvent] = field(default_factory=asyncio.Queue)

    async def answer(self, offer_sdp: str) -> str:
        if isinstance(answer := self.stage.answers.get(offer_sdp), MouthpieceError):
            raise answer
        if answer is None:
            raise InvalidOffer(reason="no audio and no video")
        return answer

    async def add_candidate(self, candidate: str, mid: str | None = None, index: int | None = None) -> bool:
        self._note("candidate", (candidate, mid, index))
        return True

    def echo(self) -> None:
        self._note("echo")

    async def join(self, ticket: RoomTicket) -> None:
        if self.stage.join_fails is not None:
            raise self.stage.join_fails
        self._note("join", ticket)

    def _note(self, what: str, value: object = None) -> None:
        self.told.append((what, value))
        self.changed.set()

    def cue(self, script: Script) -> None:
        self._note("cue", script)

    def push_audio(self, data: bytes, script: Script | None = None) -> None:
        self._note("audio", data)

    def play_immediate(self, data: bytes, script: Script | None = None) -> None:
        self._note("immediate", data)

    def skip(self) -> None:
        self._note("skip")

    def aim(self, camera: Camera, glide_s: float) -> None:
        self._note("aim", (camera, glide_s))

    def dress(self, layer: str, asset_id: str) -> None:
        self._note("dress", (layer, asset_id))

    def finish(self) -> None:
        self._note("finish")

    async def events(self) -> AsyncIterator[SessionEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Over):
                return

    async def close(self, reason: EndReason = EndReason.CLOSED) -> None:
        self.end(reason)

    # --- what a test does ------------------------------------------------------------------------------------------
    def say(self, *events: SessionEvent) -> None:
        for event in events:
            self._events.put_nowait(event)

    def end(self, reason: EndReason, frames: int = 42) -> None:
        if self.over is None:
            self.over = Over(reason, frames)
            self.stage.sessions.pop(self.spec.session_id)
            self.stage.changed.set()
            self.say(self.over)

    def channel(self, message: str | bytes, reply: Callable[[str], None]) -> None:
        self.say(Command(message, reply))

    async def heard(self, count: int) -> list[tuple[str, object]]:
        """What it was told, once it was told so many things."""
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.told


@dataclass
class TwinVisitor:
    """A peer that waits for its session; a test plays its data channel with ``speak``, or lets it go with ``lose``."""

    stage: TwinStage
    session_id: str
    closed: bool = False
    _messages: asyncio.Queue[tuple[str | bytes, Callable[[str], None]]] = field(default_factory=asyncio.Queue)
    _why: asyncio.Future[MouthpieceError | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    async def message(self) -> tuple[str | bytes, Callable[[str], None]]:
        return await self._messages.get()

    async def gone(self) -> MouthpieceError | None:
        return await asyncio.shield(self._why)

    async def close(self) -> None:
        self.closed = True
        self.stage.visitors.pop(self.session_id, None)
        self.stage.changed.set()

    # --- what a test does ------------------------------------------------------------------------------------------
    def speak(self, message: str | bytes, reply: Callable[[str], None]) -> None:
        self._messages.put_nowait((message, reply))

    def lose(self, why: MouthpieceError) -> None:
        self._why.set_result(why)


class TwinStage:
    """Opens scripted sessions. ``refuse`` with an error, or ``load`` the stage, as a test needs it."""

    def __init__(self) -> None:
        self.sessions: dict[str, TwinSession] = {}
        self.opened: list[TwinSession] = []
        self.visitors: dict[str, TwinVisitor] = {}
        self.refuse: MouthpieceError | None = None
        self.join_fails: MouthpieceError | None = None
        self.answers: dict[str, str | MouthpieceError] = {GOOD_OFFER: ANSWER}
        self.changed = asyncio.Event()

    async def open(self, spec: SessionSpec) -> TwinSession:
        if self.refuse is not None:
            raise self.refuse
        for session in list(self.sessions.values()):
            if session.spec.token_id == spec.token_id:
                session.end(EndReason.TAKEN_OVER)
        session = TwinSession(spec, self)
        self.sessions[spec.session_id] = session
        self.opened.append(session)
        self.changed.set()
        return session

    async def welcome(self, session_id: str, offer_sdp: str) -> tuple[TwinVisitor, str]:
        if offer_sdp != GOOD_OFFER:
            raise InvalidOffer(reason="no audio and no video")
        visitor = self.visitors[session_id] = TwinVisitor(self, session_id)
        self.changed.set()
        return visitor, ANSWER

    async def seat(self, spec: SessionSpec) -> TwinSession:
        del self.visitors[spec.session_id]
        return await self.open(spec)

    def running(self, account: str | None = None) -> int:
        return sum(account in (None, session.spec.account) for session in self.sessions.values())

    def status(self) -> WorkerStatus:
        return WorkerStatus(load=0.0, sessions=frozenset(self.sessions))

    async def until(self, running: int, waiting: int = 0) -> None:
        """Wait until so many sessions run, and as many more wait."""
        async with asyncio.timeout(10):
            while len(self.sessions) != running or len(self.visitors) != waiting:
                self.changed.clear()
                await self.changed.wait()
