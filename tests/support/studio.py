"""A studio of small twins: everything a live session needs, with real timing rules and no real pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mouthpiece.errors import InvalidFace, InvalidOffer, NotFound
from mouthpiece.face.camera import Camera
from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.base import Weights
from mouthpiece.lipsync.visemes import TimedViseme
from mouthpiece.live.base import SessionSpec
from mouthpiece.live.painter import Canvas, Deliver, Stroke, try_paint
from mouthpiece.live.stats import Stats
from mouthpiece.live.studio import Studio
from mouthpiece.media import (
    REST,
    EncodedPicture,
    EncodedSound,
    Look,
    MouthPose,
    Pcm,
    Picture,
)
from mouthpiece.session.events import EndReason
from mouthpiece.transport.base import DirectPeer, PeerListener, VideoCodec


class TinyLipSync:
    """Jaw open by the peak of each 10 ms, 60 ms look-ahead."""

    lookahead = 960
    told: Sequence[Weights] = ()

    def __init__(self) -> None:
        self._heard = np.zeros(0, np.int16)
        self._next = 0

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        self._heard = np.concatenate((self._heard, pcm))
        out = []
        while len(self._heard) >= self.lookahead + 160:
            peak = int(np.abs(self._heard[:160].astype(np.int32)).max())
            out.append((self._next, MouthPose(jaw_open=peak / 32768) if peak else REST))
            self._heard = self._heard[160:]
            self._next += 160
        return out

    def cue(self, visemes: Sequence[TimedViseme]) -> None:
        self.cued = list(visemes)

    def expect(self, words: Sequence[Word]) -> None:
        self.expected = list(words)

    def interrupt(self) -> None:
        self._heard[:] = 0


@dataclass
class TinyFace:
    """A face of one grey value, which is the jaw; counts who draws it."""

    face_id: str = "mia"
    name: str = "Mia"
    drawn: list[float] = field(default_factory=list)
    fails: bool = False
    cameras: list[Camera] = field(default_factory=list)

    def aim(self, camera: Camera) -> None:
        self.cameras.append(camera)

    def renderer(self, look: Look) -> TinyFace:
        return self

    def lively(self, look: Look, seconds: float) -> bool:
        return False

    def draw(self, pose: MouthPose, seconds: float) -> Picture:
        if self.fails:
            raise RuntimeError("no paint")
        self.drawn.append(seconds)
        return Picture(np.full((3, 2), min(255, int(pose.jaw_open * 255)), np.uint8))


@dataclass
class TinyEncoder:
    """A packet is the grey value; the first of every encoder is a key frame."""

    bitrate: int
    closed: bool = False
    _first: bool = True

    def encode(self, picture: Picture, sample: int, *, key: bool = False) -> EncodedPicture:
        assert not self.closed
        key, self._first = key or self._first, False
        return EncodedPicture(bytes([int(picture.data[0, 0])]), sample, key)

    def set_bitrate(self, bits_per_second: int) -> None:
        self.bitrate = bits_per_second

    def close(self) -> None:
        self.closed = True


class TinySound:
    def encode(self, pcm: Pcm, sample: int) -> EncodedSound:
        return EncodedSound(pcm.tobytes(), sample)


@dataclass
class TinyPeer:
    """Keeps what was sent."""

    listener: PeerListener
    video_codec: VideoCodec | None = "h264"
    wants_sound: bool = True
    sounds: list[EncodedSound] = field(default_factory=list)
    pictures: list[EncodedPicture] = field(default_factory=list)
    candidates: list[tuple[str, str | None, int | None]] = field(default_factory=list)
    echoes: bool = False
    closed: bool = False

    def send_sound(self, packet: EncodedSound) -> None:
        self.sounds.append(packet)

    def send_picture(self, packet: EncodedPicture) -> None:
        self.pictures.append(packet)

    def echo(self) -> None:
        self.echoes = True

    async def add_candidate(self, candidate: str, mid: str | None = None, index: int | None = None) -> bool:
        self.candidates.append((candidate, mid, index))
        return True

    async def close(self) -> None:
        self.closed = True

    @property
    def heard(self) -> Pcm:
        return np.frombuffer(b"".join(p.data for p in self.sounds), np.int16)


class InlineEasel:
    """Paints at once, or when told to, on the caller's thread."""

    def __init__(self, stats: Stats) -> None:
        self.stats = stats
        self.too_late = False
        self.canvases: set[int] = set()

    def paint(self, canvas: Canvas, stroke: Stroke, deliver: Deliver) -> None:
        self.canvases.add(id(canvas))
        deliver(None if self.too_late else try_paint(canvas, stroke, self.stats))

    def discard(self, canvas: Canvas) -> None:
        canvas.close()


@dataclass
class TinyLedger:
    began: list[SessionSpec] = field(default_factory=list)
    ended: list[tuple[str, EndReason, int]] = field(default_factory=list)

    async def begin(self, spec: SessionSpec) -> None:
        self.began.append(spec)

    async def end(self, spec: SessionSpec, reason: EndReason, frames: int) -> None:
        self.ended.append((spec.session_id, reason, frames))


@dataclass
class TinyStudio:
    """The parts, and what they did."""

    face: TinyFace = field(default_factory=TinyFace)
    ledger: TinyLedger = field(default_factory=TinyLedger)
    peers: list[TinyPeer] = field(default_factory=list)
    encoders: list[TinyEncoder] = field(default_factory=list)
    codec: VideoCodec | None = "h264"
    lipsync: Callable[[], TinyLipSync] = TinyLipSync

    def studio(self) -> Studio:
        return Studio(
            self._face, self.lipsync, self._video, TinySound, self._answer, self.ledger, prepare=self._prepare
        )

    async def _prepare(self, look: Look, account: str) -> None:
        if "missing" in (look.background, look.foreground):
            raise NotFound(what="background")

    def _face(self, face_id: str) -> TinyFace:
        if face_id != self.face.face_id:
            raise InvalidFace(face_id=face_id)
        return self.face

    def _video(self, codec: VideoCodec, look: Look, fps: int, bitrate: int) -> TinyEncoder:
        self.encoders.append(TinyEncoder(bitrate))
        return self.encoders[-1]

    async def _answer(self, offer: str, listener: PeerListener) -> tuple[DirectPeer, str]:
        if offer != "offer":
            raise InvalidOffer(reason="not an offer")
        self.peers.append(TinyPeer(listener, self.codec))
        return self.peers[-1], "answer"
