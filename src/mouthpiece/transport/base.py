"""Where a session's pictures and sound leave, and where its viewer's words and voice enter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from mouthpiece.media import EncodedPicture, EncodedSound, Pcm

VideoCodec = Literal["h264", "vp8"]


class PeerListener(Protocol):
    """What a peer tells its session. Called on the event loop; must not block."""

    def on_connected(self) -> None:
        """Media can flow: the session's clock may start. Once."""

    def on_lost(self, reason: str) -> None:
        """The peer never connected or went silent. Once, and only if we did not close it ourselves."""

    def on_keyframe_request(self) -> None:
        """A viewer cannot decode (PLI or FIR)."""

    def on_bitrate(self, bits_per_second: int) -> None:
        """The receiver's estimate of what the path carries (REMB, or our own rule on reported loss)."""

    def on_message(self, message: str | bytes, reply: Callable[[str], None]) -> None:
        """A data-channel message; ``reply`` answers on the same channel."""

    def on_channel(self, label: str, send: Callable[[str], None]) -> None:
        """The viewer opened a data channel of this name; ``send`` writes to it, and drops what nobody reads."""

    def on_microphone(self, pcm: Pcm) -> None:
        """The viewer's voice, 16 kHz mono, as it arrives."""


class Peer(Protocol):
    """One session's way out. Sends never block and never raise; a closed peer ignores them."""

    @property
    def video_codec(self) -> VideoCodec | None:
        """The codec that was agreed on, None when nobody wants pictures."""
        ...

    @property
    def wants_sound(self) -> bool:
        """Whether the other side receives sound."""
        ...

    def send_sound(self, packet: EncodedSound) -> None:
        """Send one 20 ms packet now."""
        ...

    def send_picture(self, packet: EncodedPicture) -> None:
        """Send one picture now."""
        ...

    async def close(self) -> None:
        """Leave. Idempotent."""
        ...


class DirectPeer(Peer, Protocol):
    """A peer whose offer we answered ourselves."""

    def echo(self) -> None:
        """From now on the other side hears itself: its Opus packets go back as they came, stereo and at 48 kHz.

        ``send_sound`` is not to be called any more.
        """

    async def add_candidate(self, candidate: str, mid: str | None = None, index: int | None = None) -> bool:
        """Take one more remote ICE candidate (RFC 8838); False when it is of no use."""
        ...


# --- rooms: the way out is a place that others enter too -----------------------------------------------------------
@dataclass(frozen=True, slots=True)
class RoomTicket:
    """How to enter somebody's room, and what will be shown there.

    ``url``: the server's WebSocket address; ``token``: its access token for us; ``speaker``: identity of the
    participant whose sound we play, None: the sound comes another way. ``width``, ``height`` in pixels.
    """

    url: str
    token: str
    width: int
    height: int
    fps: int = 25
    speaker: str | None = None


class RoomListener(PeerListener, Protocol):
    """What a room tells its session besides: the speaker's sound, in segments."""

    def on_segment_sound(self, data: bytes) -> None:
        """PCM16LE, 16 kHz mono, of the segment that is open."""

    def on_segment_end(self) -> None:
        """What follows belongs to another segment."""

    def on_clear(self) -> None:
        """The speaker was interrupted: fall silent, and forget what is queued."""


class RoomPeer(Peer, Protocol):
    """A peer that is a participant of a room. ``send_sound`` takes PCM16LE: the room's own library encodes it."""

    def report_started(self) -> None:
        """A segment of the speaker's sound begins to be heard."""

    def report_played(self, seconds: float, interrupted: bool) -> None:
        """A segment is over, after so much of it was heard. Once per segment."""
