"""One session on stage: the engine, its pictures and its peer, on the worker's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace

from mouthpiece.errors import InvalidOffer, MouthpieceError, PeerConnectionLost
from mouthpiece.face.camera import Camera
from mouthpiece.lipsync.script import Script
from mouthpiece.live.base import Backlog, Command, NotDressed, Over, SessionEvent, SessionSpec, Speaking
from mouthpiece.live.pictures import Pictures
from mouthpiece.live.stats import Stats
from mouthpiece.live.studio import Answer, Join, PlainSound, Prepare, SoundEncoder
from mouthpiece.live.visemes import CHANNEL, VisemeStream
from mouthpiece.live.visitor import Visitor
from mouthpiece.media import SAMPLE_RATE, TICK, EncodedPicture, Pcm
from mouthpiece.session.engine import Engine
from mouthpiece.session.events import (
    Backlogged,
    Ended,
    EndReason,
    Event,
    Frame,
    SegmentPlayed,
    SegmentStarted,
    Silent,
    Sound,
    Spoke,
)
from mouthpiece.transport.base import DirectPeer, Peer, RoomPeer, RoomTicket, VideoCodec

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Crew:
    """What a stage lends to a session."""

    answer: Answer
    join: Join
    sound: SoundEncoder
    pictures: Callable[[Session, VideoCodec], Pictures]  # what draws it, once its codec is known
    on_over: Callable[[Session], None]
    stats: Stats
    prepare: Prepare  # loads what a look needs


class Session:
    """See ``live.base.LiveSession``. The stage calls ``play`` and ``show`` at every tick.

    The clock starts when the peer is connected; what is pushed before waits in the engine's queue.
    """

    def __init__(self, spec: SessionSpec, engine: Engine, crew: Crew) -> None:
        self._spec = spec
        self._engine = engine
        self._crew = crew
        self._stats = crew.stats
        self._sound = crew.sound
        self._peer: Peer | None = None
        self._direct: DirectPeer | None = None
        self._room: RoomPeer | None = None
        self._pictures: Pictures | None = None
        self._start: int | None = None
        self._connected = False
        self._answered_at = 0.0
        self._events: asyncio.Queue[SessionEvent] = asyncio.Queue()
        self._over: Over | None = None
        self._closed = asyncio.Event()
        self._visemes = VisemeStream()
        self._wardrobe: dict[str, str] = {}
        self._dressing: asyncio.Task[None] | None = None
        self.microphone: Callable[[Pcm], None] | None = None
        """Who listens to the viewer's voice, if anybody."""
        self.on_played: Callable[[float], None] | None = None
        """Who is told of each tick that was played, with how open the lips are now (0..1), if anybody."""
        self._openness = 0.0
        self._mirrors = False

    @property
    def spec(self) -> SessionSpec:
        """What was asked for."""
        return self._spec

    @property
    def ready(self) -> bool:
        """Connected, and waiting for its first tick."""
        return self._connected and self._peer is not None and self._start is None and self._over is None

    @property
    def parity(self) -> int | None:
        """Whether its pictures fall on even (0) or odd (1) ticks; None before the first."""
        return None if self._start is None else self._start % 2

    @property
    def over(self) -> Over | None:
        """How it ended, None while it runs."""
        return self._over

    @property
    def used_s(self) -> float:
        """Seconds of its length that are used up: what was played, here and in sessions that this one took over."""
        return self._spec.used_s + self._engine.now / SAMPLE_RATE

    # --- what the front end does ------------------------------------------------------------------------------------
    async def answer(self, offer_sdp: str) -> str:
        """See ``LiveSession``. From here on the peer may connect."""
        if self._peer is not None:
            raise InvalidOffer(reason="this session has its answer already")
        peer, sdp = await self._crew.answer(offer_sdp, self)
        if self._over is not None:
            await peer.close()
            return sdp
        self._direct = peer
        self._lead(peer)
        return sdp

    def adopt(self, visitor: Visitor) -> None:
        """Take over a peer that was answered before this session was. Raises PeerConnectionLost when it is gone."""
        peer = visitor.adopt(self)
        if peer is None:
            raise PeerConnectionLost(reason="it left before its session began")
        self._lead(peer)

    async def add_candidate(self, candidate: str, mid: str | None = None, index: int | None = None) -> bool:
        """See ``LiveSession``."""
        return self._direct is not None and await self._direct.add_candidate(candidate, mid, index)

    def echo(self) -> None:
        """See ``LiveSession``."""
        if self._direct is not None:
            self._mirrors = True
            self._direct.echo()

    async def join(self, ticket: RoomTicket) -> None:
        """See ``LiveSession``. From here on the clock may start."""
        room = await self._crew.join(ticket, self)
        if self._over is not None:
            await room.close()
            return
        self._room, self._sound = room, PlainSound()
        self._lead(room)

    def _lead(self, peer: Peer) -> None:
        self._peer = peer
        self._answered_at = time.monotonic()
        if peer.video_codec is not None:
            self._pictures = self._crew.pictures(self, peer.video_codec)

    def cue(self, script: Script) -> None:
        """See ``LiveSession``."""
        self._engine.cue(script)

    def push_audio(self, data: bytes, script: Script | None = None) -> None:
        """See ``LiveSession``."""
        self._engine.push(data, script)

    def play_immediate(self, data: bytes, script: Script | None = None) -> None:
        """See ``LiveSession``."""
        self._engine.play_immediate(data, script)

    def skip(self) -> None:
        """See ``LiveSession``."""
        self._engine.skip()

    def finish(self) -> None:
        """See ``LiveSession``."""
        self._engine.finish()

    @property
    def queued(self) -> int:
        """See ``LiveSession``."""
        return self._engine.queued

    def aim(self, camera: Camera, glide_s: float) -> None:
        """See ``LiveSession``."""
        if self._pictures is not None:
            self._pictures.aim(camera, glide_s)

    def dress(self, layer: str, asset_id: str) -> None:
        """See ``LiveSession``. Of several changes of one layer the last one counts."""
        self._wardrobe[layer] = asset_id
        if self._dressing is None or self._dressing.done():
            self._dressing = asyncio.get_running_loop().create_task(self._dress())

    async def _dress(self) -> None:
        while self._wardrobe and self._pictures is not None and self._over is None:
            layer, asset_id = self._wardrobe.popitem()
            look = replace(self._pictures.look, **{layer: asset_id})  # type: ignore[arg-type]
            try:
                await self._crew.prepare(look, self._spec.account)
            except MouthpieceError:
                self._events.put_nowait(NotDressed(layer, asset_id))
                continue
            if self._over is None:
                self._pictures.dress(look.background, look.foreground)

    async def events(self) -> AsyncIterator[SessionEvent]:
        """See ``LiveSession``."""
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Over):
                return

    async def close(self, reason: EndReason = EndReason.CLOSED) -> None:
        """See ``LiveSession``."""
        self.end(reason)
        self._closed.set()
        if self._peer is not None:
            await self._peer.close()

    async def linger(self, seconds: float) -> None:
        """Wait until the front end has closed the session, but not for ever, then let the peer go."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)
        if self._peer is not None:
            await self._peer.close()

    def end(self, reason: EndReason) -> None:
        """Be over now. Idempotent."""
        self._engine.end(reason)
        self._tell(self._engine.advance(0), due=0.0)

    # --- what the stage does ----------------------------------------------------------------------------------------
    def begin(self, tick: int) -> None:
        """The session's clock starts at this tick of the worker."""
        self._start = tick
        if self._pictures is not None:
            self._pictures.begin(tick)

    def play(self, tick: int, due: float) -> None:
        """First half of a tick: the sound leaves."""
        if self._start is not None and self._over is None:
            self._tell(self._engine.play((tick + 1 - self._start) * TICK), due)

    def show(self, tick: int, due: float) -> None:
        """Second half: the mouth moves, and pictures that are due go to the painter."""
        if self._start is not None and self._over is None:
            self._tell(self._engine.show(), due)
            if self.on_played is not None:
                self.on_played(self._openness)

    @contextlib.contextmanager
    def contained(self) -> Iterator[None]:
        """A fault in here ends this session and no other."""
        try:
            yield
        except Exception:
            log.exception("session failed", extra={"session": self._spec.session_id})
            self.end(EndReason.FAILED)

    # --- PeerListener -----------------------------------------------------------------------------------------------
    def on_connected(self) -> None:
        """See ``PeerListener``."""
        self._connected = True

    def on_lost(self, reason: str) -> None:
        """See ``PeerListener``."""
        log.info("peer connection lost: %s", reason, extra={"session": self._spec.session_id})
        self.end(EndReason.PEER_LOST)

    def on_keyframe_request(self) -> None:
        """See ``PeerListener``."""
        if self._pictures is not None:
            self._pictures.want_key()

    def on_bitrate(self, bits_per_second: int) -> None:
        """See ``PeerListener``."""
        if self._pictures is not None:
            self._pictures.bitrate(bits_per_second)

    def on_message(self, message: str | bytes, reply: Callable[[str], None]) -> None:
        """See ``PeerListener``."""
        if self._over is None:
            self._events.put_nowait(Command(message, reply))

    def on_channel(self, label: str, send: Callable[[str], None]) -> None:
        """See ``PeerListener``."""
        if label == CHANNEL:
            self._visemes.add(send, self._spec.fps)
            self._engine.tell_visemes = True

    def on_microphone(self, pcm: Pcm) -> None:
        """See ``PeerListener``."""
        if self.microphone is not None:
            self.microphone(pcm)

    # --- RoomListener -----------------------------------------------------------------------------------------------
    def on_segment_sound(self, data: bytes) -> None:
        """See ``RoomListener``."""
        self._engine.push(data)

    def on_segment_end(self) -> None:
        """See ``RoomListener``."""
        self._engine.mark()

    def on_clear(self) -> None:
        """See ``RoomListener``. What was played is told at once, not at the next tick."""
        self._engine.skip()
        self._tell(self._engine.advance(0), due=0.0)

    # --- Outlet -----------------------------------------------------------------------------------------------------
    def picture(self, packet: EncodedPicture) -> None:
        """See ``pictures.Outlet``."""
        if self._answered_at:
            self._stats.first_picture.add(time.monotonic() - self._answered_at)
            self._answered_at = 0.0
        if self._peer is not None:
            self._peer.send_picture(packet)

    def picture_failed(self, error: Exception) -> None:
        """See ``pictures.Outlet``."""
        if self._over is None:
            log.error("the face cannot be drawn", exc_info=error, extra={"session": self._spec.session_id})
            self.end(EndReason.FAILED)

    # ----------------------------------------------------------------------------------------------------------------
    def _tell(self, events: list[Event], due: float) -> None:
        for event in events:
            match event:
                case Sound():
                    self._send_sound(event, due)
                case Frame():
                    self._visemes.tell(event)
                    self._openness = event.pose.jaw_open
                    if self._pictures is not None:
                        self._pictures.frame(event, due)
                case Spoke() | Silent():
                    self._events.put_nowait(Speaking(isinstance(event, Spoke)))
                case SegmentStarted() | SegmentPlayed():
                    self._report(event)
                case Backlogged():
                    self._stats.refused_samples = max(self._stats.refused_samples, event.refused)
                    self._events.put_nowait(Backlog())
                case Ended():
                    self._finish(event)

    def _report(self, event: SegmentStarted | SegmentPlayed) -> None:
        if self._room is None:
            return
        if isinstance(event, SegmentPlayed):
            self._room.report_played(event.samples / SAMPLE_RATE, event.interrupted)
        else:
            self._room.report_started()

    def _send_sound(self, sound: Sound, due: float) -> None:
        if self._peer is not None and self._peer.wants_sound and not self._mirrors:
            self._peer.send_sound(self._sound.encode(sound.pcm, sound.sample))
            self._stats.sounds += 1
            self._stats.sound_lateness.add(max(0.0, time.monotonic() - due))

    def _finish(self, ended: Ended) -> None:
        self._over = Over(ended.reason, max(0, ended.frames - 1))
        if self._pictures is not None:
            self._pictures.close()
        self._crew.on_over(self)
        self._events.put_nowait(self._over)
