"""What a running session is to the rooms above it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mouthpiece.errors import MouthpieceError
from mouthpiece.face.camera import Camera
from mouthpiece.lipsync.script import Script
from mouthpiece.media import Look, Pcm
from mouthpiece.session.events import EndReason
from mouthpiece.transport.base import RoomTicket


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """Everything a worker must know to run a session. Plain and serialisable.

    ``token_id`` (the token's ``jti``) makes a reconnect with the same token take the running session's place.
    ``end_user`` is the caller's own name for whom the session is for; ``key_name`` the API key that paid for it;
    ``call`` what the caller told of the call that it belongs to. Times in seconds. ``used_s`` of ``max_length_s`` were
    played in sessions that this one takes over.
    """

    session_id: str
    account: str
    token_id: str
    look: Look
    fps: int = 25
    handle_silence: bool = True
    max_length_s: float = 3600.0
    max_idle_s: float = 300.0
    used_s: float = 0.0
    end_user: str | None = None
    key_name: str | None = None
    kind: str = "compose"
    call: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Speaking:
    """The avatar begins (``on``) or stops to speak. Strictly alternating, beginning with on."""

    on: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """Audio was refused: more than the allowed backlog is queued. Once per episode."""


@dataclass(frozen=True, slots=True)
class Command:
    """A data-channel message that is not sound: the front end's own grammar reads it; ``reply`` answers there."""

    message: str | bytes
    reply: object  # Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Over:
    """The session ended; the last event. ``frames``: number of the last picture."""

    reason: EndReason
    frames: int


@dataclass(frozen=True, slots=True)
class NotDressed:
    """A picture for a layer (background, foreground) that is not there, or is not the account's."""

    layer: str
    asset_id: str


SessionEvent = NotDressed | Speaking | Backlog | Command | Over


class LiveSession(Protocol):
    """One session on stage. Every method is called on the worker's event loop and returns at once."""

    @property
    def spec(self) -> SessionSpec:
        """What was asked for."""
        ...

    microphone: Callable[[Pcm], None] | None
    """Who listens to the viewer's voice, if anybody."""

    on_played: Callable[[float], None] | None
    """Who is told of each tick that was played, with how open the lips are now (0..1), if anybody."""

    @property
    def queued(self) -> int:
        """Samples that were pushed and are not played yet."""
        ...

    async def answer(self, offer_sdp: str) -> str:
        """Answer a WebRTC offer with complete SDP (all candidates inside). Raises InvalidOffer. Once."""
        ...

    async def add_candidate(self, candidate: str, mid: str | None = None, index: int | None = None) -> bool:
        """One more ICE candidate of the peer that was answered (RFC 8838); False when it is of no use."""
        ...

    def echo(self) -> None:
        """Be a mirror: from now on the peer hears itself, and nothing that is pushed. After ``answer``."""

    async def join(self, ticket: RoomTicket) -> None:
        """Enter a room instead of answering an offer, and publish there. Raises RoomUnreachable, NoLiveKit. Once."""

    def cue(self, script: Script) -> None:
        """What is said in the sound that is pushed next, whichever way it is pushed."""

    def push_audio(self, data: bytes, script: Script | None = None) -> None:
        """Queue PCM16LE at 16 kHz, any length: an odd last byte waits for the next call. ``script``: what it says."""

    def play_immediate(self, data: bytes, script: Script | None = None) -> None:
        """Drop the queue and play this now. ``script``: what it says."""

    def skip(self) -> None:
        """Stop speaking, drop the queue."""

    def finish(self) -> None:
        """Play out what is queued, then end with DONE."""

    def aim(self, camera: Camera, glide_s: float) -> None:
        """Move the camera there within so many seconds; 0: at once."""

    def dress(self, layer: str, asset_id: str) -> None:
        """Another picture behind (``background``) or before the face (``foreground``); empty: its own, or none.

        One that cannot be had is told by ``NotDressed``.
        """

    def events(self) -> AsyncIterator[SessionEvent]:
        """What happens, in order, ending with ``Over``. One consumer."""
        ...

    async def close(self, reason: EndReason = EndReason.CLOSED) -> None:
        """End now; frees the slot before it returns. Idempotent."""
        ...


class Visitor(Protocol):
    """A peer that was answered before its session began."""

    async def message(self) -> tuple[str | bytes, Callable[[str], None]]:
        """The next message of its data channels, and how to reply there."""
        ...

    async def gone(self) -> MouthpieceError | None:
        """Wait until it left, and why; None: it has its session, or was closed by us."""
        ...

    async def close(self) -> None:
        """Let it go, unless it has its session by now. Idempotent."""


class Stage(Protocol):
    """Who is on stage in this worker."""

    async def open(self, spec: SessionSpec) -> LiveSession:
        """Begin a session; one that runs with the same token is taken over first.

        Raises NoCapacity, RateLimited, Draining, InvalidFace, InvalidEmotion.
        """
        ...

    async def welcome(self, session_id: str, offer_sdp: str) -> tuple[Visitor, str]:
        """Answer an offer whose session is not known yet; ``session_id`` is the one that it will have.

        Raises InvalidOffer, NoCapacity, Draining.
        """
        ...

    async def seat(self, spec: SessionSpec) -> LiveSession:
        """Begin the session of the visitor that was welcomed with ``spec.session_id``; see ``open``.

        Raises PeerConnectionLost when it is gone.
        """
        ...

    def running(self, account: str | None = None) -> int:
        """Sessions on stage, of one account or in all."""
        ...
