"""What sessions are made of, handed to the stage by the app: faces, engines, encoders, the way out, the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mouthpiece.codec.base import VideoEncoder
from mouthpiece.errors import NoLiveKit
from mouthpiece.face.base import Face, FaceRenderer
from mouthpiece.lipsync.base import LipSync
from mouthpiece.live.base import SessionSpec
from mouthpiece.media import EncodedSound, Look, Pcm
from mouthpiece.session.events import EndReason
from mouthpiece.transport.base import DirectPeer, PeerListener, RoomListener, RoomPeer, RoomTicket, VideoCodec


class SoundEncoder(Protocol):
    """One session's Opus encoder."""

    def encode(self, pcm: Pcm, sample: int) -> EncodedSound:
        """One packet from 320 samples, the first at session sample ``sample``."""
        ...


class Ledger(Protocol):
    """Where sessions are written down."""

    async def begin(self, spec: SessionSpec) -> None:
        """A session was opened."""

    async def end(self, spec: SessionSpec, reason: EndReason, frames: int) -> None:
        """It is over, after ``frames`` pictures."""


OpenVideo = Callable[[VideoCodec, Look, int, int], VideoEncoder]
"""(codec, look, pictures a second, bits a second) -> encoder."""

Answer = Callable[[str, PeerListener], Awaitable[tuple[DirectPeer, str]]]
"""(offer SDP, listener) -> (peer, answer SDP). Raises InvalidOffer."""


Prepare = Callable[[Look, str], Awaitable[None]]
"""(look, account): loads what drawing it needs. Raises InvalidFace, NotReady, NotFound (its pictures)."""


async def _nothing(_: Look, __: str) -> None:
    return


def _plain(face: Face, look: Look) -> FaceRenderer:
    return face.renderer(look)


Join = Callable[[RoomTicket, RoomListener], Awaitable[RoomPeer]]
"""(ticket, listener) -> our participant of that room. Raises RoomUnreachable, NoLiveKit."""


async def no_rooms(ticket: RoomTicket, listener: RoomListener) -> RoomPeer:
    """A ``Join`` for studios that enter no rooms. Raises NoLiveKit."""
    raise NoLiveKit(what="LiveKit", remedy="connect peer to peer")


class PlainSound:
    """A ``SoundEncoder`` for ways out that encode by themselves: the samples as PCM16LE."""

    def encode(self, pcm: Pcm, sample: int) -> EncodedSound:
        """The samples, as they are."""
        return EncodedSound(pcm.astype("<i2", copy=False).tobytes(), sample)


@dataclass(frozen=True, slots=True)
class Studio:
    """The parts, each replaceable."""

    face: Callable[[str], Face]  # raises InvalidFace
    lipsync: Callable[[], LipSync]
    video: OpenVideo
    sound: Callable[[], SoundEncoder]
    answer: Answer
    ledger: Ledger
    prepare: Prepare = _nothing
    renderer: Callable[[Face, Look], FaceRenderer] = _plain
    join: Join = no_rooms
    hears: tuple[int, int] = (0, 0)  # samples before and after a picture that its renderer listens to
