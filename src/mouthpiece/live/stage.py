"""Who is on stage in this worker: opening, admission, taking over, the tick, and the end of all."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Final
from weakref import WeakValueDictionary

from mouthpiece.errors import Draining, NoCapacity, PeerConnectionLost, RateLimited, Unavailable
from mouthpiece.live.base import SessionSpec
from mouthpiece.live.idle import IdleShare
from mouthpiece.live.painter import Canvas, Easel, Painter
from mouthpiece.live.pictures import Costume, Pictures
from mouthpiece.live.session import Crew, Session
from mouthpiece.live.stats import Stats
from mouthpiece.live.studio import Studio
from mouthpiece.live.ticker import TICK_S, Ticker
from mouthpiece.live.visitor import Visitor
from mouthpiece.media import SAMPLE_RATE, Look
from mouthpiece.session.engine import Engine, EngineConfig
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings, MediaSettings
from mouthpiece.transport.base import VideoCodec

FULL_AT: Final = 0.9
"""Fraction of one core that a worker gives to sessions before it takes no more."""

TALKING_COST: Final = 0.11
"""CPU-seconds a second of a talking session (512x512 at 25 fps, all stages): what a new one is expected to need."""

MAX_VISITORS: Final = 64
"""Peers that may wait for their session; each holds a socket or two and no more."""

LINGER_S: Final = 2.0
"""How long the peer of a session that is over stays open, for the front end to say goodbye."""


class Stage:
    """See ``live.base.Stage``. Everything runs on one event loop but the painter."""

    def __init__(
        self, studio: Studio, media: MediaSettings, limits: LimitSettings, *, easel: Easel | None = None
    ) -> None:
        self.stats = Stats()
        self.ticker = Ticker(self.tick)
        self._studio = studio
        self._media = media
        self._limits = limits
        self._easel = easel
        self._painter: Painter | None = None
        self._sessions: dict[str, Session] = {}
        self._visitors: dict[str, Visitor] = {}
        self._shares: WeakValueDictionary[object, IdleShare] = WeakValueDictionary()
        self._meter = LoadMeter()
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to tick on the running loop."""
        if self._easel is None:
            self._easel = self._painter = Painter(asyncio.get_running_loop().call_soon_threadsafe, self.stats)
        self.ticker.start()

    async def close(self, reason: EndReason = EndReason.SHUTDOWN) -> None:
        """End every session and stop. Idempotent."""
        self.drain()
        for visitor in list(self._visitors.values()):
            visitor.dismiss(Draining(retry_s=self._limits.retry_s))
        await asyncio.gather(*(s.close(reason) for s in list(self._sessions.values())))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ticker.stop()
        if self._painter is not None:
            await asyncio.to_thread(self._painter.close)
            self._painter = None

    def drain(self) -> None:
        """Open nothing new from now on."""
        self._draining = True

    # --- live.base.Stage --------------------------------------------------------------------------------------------
    async def open(self, spec: SessionSpec) -> Session:
        """Begin a session; one that runs with the same token is taken over first, and its length goes on."""
        await self._studio.prepare(spec.look, spec.account)
        self._studio.face(spec.look.face_id)  # a face that is not there fails here, before anybody is taken over
        if self._draining:
            raise self._refuse(Draining(retry_s=self._limits.retry_s))
        spec = replace(spec, used_s=spec.used_s + await self._take_over(spec.token_id))
        self._admit(spec.account)
        engine = Engine(self._rules(spec), self._studio.lipsync())
        studio = self._studio
        crew = Crew(
            answer=studio.answer,
            join=studio.join,
            sound=studio.sound(),
            pictures=self._pictures,
            on_over=self._on_over,
            stats=self.stats,
            prepare=studio.prepare,
        )
        session = Session(spec, engine, crew)
        self._sessions[spec.session_id] = session
        self.stats.started += 1
        try:
            await self._studio.ledger.begin(spec)
        except Exception:
            session.end(EndReason.FAILED)
            raise
        return session

    async def welcome(self, session_id: str, offer_sdp: str) -> tuple[Visitor, str]:
        """Answer an offer whose session is not known yet. Its place is found when ``seat`` begins the session."""
        if self._draining:
            raise self._refuse(Draining(retry_s=self._limits.retry_s))
        if len(self._visitors) >= MAX_VISITORS:
            raise self._refuse(NoCapacity(retry_s=self._limits.retry_s))
        visitor = Visitor(session_id, self._see_off)
        self._visitors[session_id] = visitor
        try:
            peer, sdp = await self._studio.answer(offer_sdp, visitor)
        except BaseException:
            await visitor.close()
            raise
        visitor.answered(peer)
        return visitor, sdp

    def _see_off(self, visitor: Visitor) -> None:
        self._visitors.pop(visitor.visitor_id, None)

    async def seat(self, spec: SessionSpec) -> Session:
        """Begin the session of a visitor, which is on stage from then on."""
        visitor = self._visitors.get(spec.session_id)
        session = await self.open(spec)
        try:
            if visitor is None:
                raise PeerConnectionLost(reason="it left before its session began")
            session.adopt(visitor)
        except PeerConnectionLost:
            session.end(EndReason.PEER_LOST)
            raise
        return session

    def running(self, account: str | None = None) -> int:
        """Sessions on stage, of one account or in all."""
        return sum(account in (None, s.spec.account) for s in self._sessions.values())

    @property
    def sessions(self) -> frozenset[str]:
        """Ids of the sessions on stage, and of those whose visitors wait to be seated."""
        return frozenset(self._sessions) | frozenset(self._visitors)

    @property
    def accepting(self) -> bool:
        """Whether one more would be opened."""
        return not self._draining and not self._full()

    @property
    def load(self) -> float:
        """Fraction of one core that the sessions use now."""
        return self._meter.load

    # --- the tick ---------------------------------------------------------------------------------------------------
    def tick(self, k: int, due: float) -> None:
        """Sound of every session first, then mouths and pictures, then faces at rest."""
        started = time.thread_time()
        sessions = list(self._sessions.values())
        self._begin_ready(k, sessions)
        for session in sessions:
            with session.contained():
                session.play(k, due)
        sounded = time.thread_time()
        for session in sessions:
            with session.contained():
                session.show(k, due)
        for share in list(self._shares.values()):
            share.tick(k, due)
        self._account(started, sounded)

    def _begin_ready(self, k: int, sessions: list[Session]) -> None:
        """Start the clocks of connected sessions, so that as many draw on even ticks as on odd ones."""
        here = sum(s.parity == k % 2 for s in sessions)
        there = sum(s.parity == 1 - k % 2 for s in sessions)
        for session in sessions:
            if session.ready and here <= there:
                session.begin(k)
                here += 1

    def _account(self, started: float, sounded: float) -> None:
        stats, done = self.stats, time.thread_time()
        stats.ticks += 1
        stats.skipped_ticks = self.ticker.skipped
        stats.sound_s += sounded - started
        stats.show_s += done - sounded
        self._meter.tick(stats.sound_s + stats.show_s + stats.draw_s + stats.encode_s)

    # --- opening ----------------------------------------------------------------------------------------------------
    async def _take_over(self, token_id: str) -> float:
        """End the session that runs with this token; seconds of its length that are used up."""
        for session in list(self._sessions.values()):
            if session.spec.token_id == token_id:
                return await self.give_way(session.spec.session_id)
        return 0.0

    async def give_way(self, session_id: str) -> float:
        """End a session whose token is used again; seconds of its length that are used up."""
        if visitor := self._visitors.get(session_id):
            visitor.dismiss(PeerConnectionLost(reason="its token is used elsewhere"))
        session = self._sessions.get(session_id)
        if session is None:
            return 0.0
        await session.close(EndReason.TAKEN_OVER)
        return session.used_s

    def _admit(self, account: str) -> None:
        limits = self._limits
        if self.running(account) >= limits.sessions_per_key:
            reason = f"{limits.sessions_per_key} sessions at once"
            raise self._refuse(RateLimited(reason=reason, retry_s=limits.retry_s))
        if self._full():
            raise self._refuse(NoCapacity(retry_s=limits.retry_s))

    def _full(self) -> bool:
        """By the setting if there is one; else by what is used, with room for those that do not talk yet."""
        if self._limits.max_sessions is not None:
            return len(self._sessions) >= self._limits.max_sessions
        used = max(self._meter.load, len(self._sessions) * TALKING_COST / 2)
        return used + TALKING_COST > FULL_AT

    def _refuse(self, error: Unavailable) -> Unavailable:
        self.stats.refused[error.code] += 1
        return error

    def _rules(self, spec: SessionSpec) -> EngineConfig:
        return EngineConfig(
            look=spec.look,
            fps=spec.fps,
            handle_silence=spec.handle_silence,
            max_length=round((spec.max_length_s - spec.used_s) * SAMPLE_RATE),
            max_idle=round(spec.max_idle_s * SAMPLE_RATE),
            backlog=round(self._limits.backlog_s * SAMPLE_RATE),
            hears=self._studio.hears,
        )

    def _pictures(self, session: Session, codec: VideoCodec) -> Pictures:
        """What draws a session."""
        easel = self._easel
        assert easel is not None, "the stage was started"
        return Pictures(
            session.spec.look, lambda look: self._costume(session.spec, codec, look), easel, session, self.stats
        )

    def _costume(self, spec: SessionSpec, codec: VideoCodec, look: Look) -> Costume:
        """How a look is drawn. Looks that start at a chosen picture live their own life and are not shared."""
        studio, easel = self._studio, self._easel
        assert easel is not None, "the stage was started"
        face = studio.face(look.face_id)
        private = spec.session_id if look.start_frame else None

        def canvas() -> Canvas:
            return Canvas(
                lambda: studio.renderer(face, look),
                lambda bitrate: studio.video(codec, look, spec.fps, bitrate),
                self._media.bitrate,
            )

        share = self._shares.get((look, codec, private))
        if share is None:
            share = IdleShare(canvas, lambda seconds: face.lively(look, seconds), easel, self.stats)
            share.private = private is not None
            self._shares[(look, codec, private)] = share
        return Costume(canvas, share)

    # --- ending -----------------------------------------------------------------------------------------------------
    def _on_over(self, session: Session) -> None:
        """The slot is free at once; the peer stays a moment longer, so that the front end can say why."""
        over = session.over
        if over is None or self._sessions.pop(session.spec.session_id, None) is None:
            return
        self.stats.ended[over.reason] += 1
        self._spawn(session)

    def _spawn(self, session: Session) -> None:
        task = asyncio.get_running_loop().create_task(self._bury(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bury(self, session: Session) -> None:
        over = session.over
        assert over is not None, "only sessions that are over are buried"
        await self._studio.ledger.end(session.spec, over.reason, over.frames)
        await session.linger(LINGER_S)


class LoadMeter:
    """CPU-seconds a second, averaged over about a second of ticks."""

    def __init__(self) -> None:
        self.load = 0.0
        self._last = 0.0

    def tick(self, cpu_s: float) -> None:
        """``cpu_s``: CPU-seconds used since the worker began."""
        self.load += 0.02 * ((cpu_s - self._last) / TICK_S - self.load)
        self._last = cpu_s
