"""Whether sound and picture stay together at the receiver, over minutes.

The sound is a tone whose loudness rises over each second; a twin of the face shows, as brightness, the loudness that
its lip-sync engine heard at the picture's instant. Both carry the time of the second they belong to, so the receiver
compares them to a millisecond, on the clock that the RTCP sender reports give them (RFC 3550, section 6.4.1). Engine,
tick, encoders, transport and clocks are the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtcpSrPacket
from numpy.typing import NDArray

from mouthpiece.bench.report import Cell, Report, at_most
from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.codec.video import open_video
from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.base import Weights
from mouthpiece.lipsync.visemes import TimedViseme
from mouthpiece.live.base import SessionSpec
from mouthpiece.live.stage import Stage
from mouthpiece.live.studio import Studio
from mouthpiece.media import SAMPLE_RATE, Look, MouthPose, Pcm, Picture
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings, MediaSettings, TransportSettings
from mouthpiece.transport.base import Peer, PeerListener
from mouthpiece.transport.p2p import answer

LOW, HIGH = 0.1, 0.9
TONE_HZ = 1000
AUDIO_HZ: Final = 48_000
VIDEO_HZ: Final = 90_000
NTP_SECOND: Final = 2**32


def ramp(seconds: int) -> Pcm:
    """A tone whose amplitude rises from LOW to HIGH over every second."""
    t = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    return ((LOW + (HIGH - LOW) * (t % 1.0)) * 32767 * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.int16)


class MarkLipSync:
    """A lip-sync engine whose jaw is the amplitude at the pose's very instant, with the real look-ahead."""

    lookahead = 960
    told: Sequence[Weights] = ()

    def __init__(self) -> None:
        self._heard = np.zeros(0, np.int16)
        self._next = 0

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        """Poses every 10 ms; the amplitude is the peak of the 2 ms around the instant."""
        self._heard = np.concatenate((self._heard, pcm))
        out = []
        while len(self._heard) >= self.lookahead + 160:
            level = float(np.abs(self._heard[:16].astype(np.int32)).max()) / 32767
            out.append((self._next, MouthPose(jaw_open=level)))
            self._heard = self._heard[160:]
            self._next += 160
        return out

    def cue(self, visemes: Sequence[TimedViseme]) -> None:
        """The amplitude is all that counts."""

    def expect(self, words: Sequence[Word]) -> None:
        """The amplitude is all that counts."""

    def interrupt(self) -> None:
        """Nothing to ease."""


class MarkFace:
    """A face that is one grey: the jaw."""

    face_id = name = "mark"

    def renderer(self, look: Look) -> MarkFace:
        """Itself."""
        return self

    def lively(self, look: Look, seconds: float) -> bool:
        """Never."""
        return False

    def draw(self, pose: MouthPose, seconds: float) -> Picture:
        """A grey of 16 + 219 * jaw."""
        data = np.full((96, 64), 128, np.uint8)
        data[:64] = round(16 + 219 * min(1.0, pose.jaw_open))
        return Picture(data)


class Ledger:
    """Writes nothing down."""

    async def begin(self, spec: SessionSpec) -> None:
        """Nothing."""

    async def end(self, spec: SessionSpec, reason: EndReason, frames: int) -> None:
        """Nothing."""


@dataclass(slots=True)
class Clock:
    """RTP time to wall time, by the latest sender report."""

    rate: int
    ntp: float = 0.0
    rtp: int = 0
    mapper: Any = None  # aiortc's, which counts from the first packet's timestamp

    def wall(self, pts: int) -> float:
        """Sender's wall time, in seconds, of a frame's time stamp."""
        behind: int = (self.mapper._origin + pts - self.rtp + 2**31) % 2**32 - 2**31
        return self.ntp + behind / self.rate


@dataclass(slots=True)
class Receiver:
    """Decodes everything and keeps when, on the sender's wall clock, each mark was."""

    sound: Clock = field(default_factory=lambda: Clock(AUDIO_HZ))
    video: Clock = field(default_factory=lambda: Clock(VIDEO_HZ))
    envelope: list[tuple[float, float]] = field(default_factory=list)
    greys: list[tuple[float, float]] = field(default_factory=list)

    def peer(self) -> RTCPeerConnection:
        """A peer that receives one sound and one video track."""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for kind, clock in (("audio", self.sound), ("video", self.video)):
            _listen(peer.addTransceiver(kind, direction="recvonly").receiver, clock)
        peer.on("track", lambda track: asyncio.ensure_future(self._collect(track)))
        return peer

    async def _collect(self, track: MediaStreamTrack) -> None:
        take = self._hear if track.kind == "audio" else self._see
        try:
            while True:
                take(cast(Any, await track.recv()))
        except MediaStreamError:
            return

    def _hear(self, frame: Any) -> None:  # noqa: ANN401 -- av's frames
        if not self.sound.ntp:
            return
        pcm = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].astype(np.float64)
        for i in range(0, len(pcm) - 95, 96):  # 2 ms, two periods of the tone
            level = float(np.sqrt(2 * (pcm[i : i + 96] ** 2).mean())) / 32767
            self.envelope.append((self.sound.wall(frame.pts + i + 48), level))

    def _see(self, frame: Any) -> None:  # noqa: ANN401 -- av's frames
        if self.video.ntp:
            luma: float = float(frame.reformat(format="gray").to_ndarray()[16:48, 16:48].mean())
            self.greys.append((self.video.wall(frame.pts), luma))

    def offsets(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(wall time, seconds by which the pictures are behind their sound), a row a second of sound."""
        resets = _edges(*np.array(self.envelope).T)
        seen_at, luma = np.array(self.greys).T
        since = ((luma - 16) / 219 - LOW) / (HIGH - LOW)  # what each picture says of the time since its reset
        clear = (since > 0.05) & (since < 0.95)
        at, shown = seen_at[clear], (seen_at - since)[clear]
        rows = [(reset, shown[(at > reset) & (at < reset + 0.9)] - reset) for reset in resets]
        kept = [(reset, float(np.median(behind))) for reset, behind in rows if len(behind) > 10]
        when, offset = np.array(kept).T
        return when, offset


def _edges(at: NDArray[np.float64], level: NDArray[np.float64]) -> list[float]:
    """When the loudness fell from HIGH to LOW."""
    edges: list[float] = []
    for i in np.flatnonzero((level[:-4] > 0.7) & (level[4:] < 0.3)):
        if not edges or at[i] - edges[-1] > 0.5:
            edges.append(float(at[i + 2]))
    return edges


def _listen(receiver: Any, clock: Clock) -> None:  # noqa: ANN401 -- aiortc's receiver has no typed hook for this
    handle = receiver._handle_rtcp_packet
    clock.mapper = receiver._RTCRtpReceiver__timestamp_mapper

    async def note(packet: object) -> None:
        if isinstance(packet, RtcpSrPacket):
            clock.ntp = packet.sender_info.ntp_timestamp / NTP_SECOND
            clock.rtp = packet.sender_info.rtp_timestamp
        await handle(packet)

    receiver._handle_rtcp_packet = note


async def _watch(seconds: int, say: Callable[[str], None]) -> Receiver:
    async def answer_here(offer: str, listener: PeerListener) -> tuple[Peer, str]:
        return await answer(offer, listener, TransportSettings(), host="127.0.0.1")

    studio = Studio(
        face=lambda _: MarkFace(),
        lipsync=MarkLipSync,
        video=lambda codec, look, fps, bitrate: open_video(codec, 64, 64, fps, bitrate, 2 * bitrate),
        sound=OpusEncoder,
        answer=answer_here,
        ledger=Ledger(),
    )
    stage = Stage(studio, MediaSettings(), LimitSettings(backlog_s=seconds + 10))
    await stage.start()
    receiver = Receiver()
    peer = receiver.peer()
    try:
        session = await stage.open(SessionSpec("sync", "bench", "sync", Look("mark", width=64, height=64)))
        await peer.setLocalDescription(await peer.createOffer())
        sdp = await session.answer(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        session.push_audio(ramp(seconds).tobytes())
        for passed in range(0, seconds, 10):
            await asyncio.sleep(min(10, seconds - passed))
            say(f"{passed + 10} s of {seconds}")
    finally:
        await peer.close()
        await stage.close()
    return receiver


def run(seconds: int, say: Callable[[str], None]) -> Report:
    """Measure for ``seconds`` (a minute at least tells of drift)."""
    receiver = asyncio.run(_watch(seconds, say))
    at, offset = receiver.offsets()
    drift = float(np.polyfit(at - at[0], offset, 1)[0]) * 60_000
    ms = offset * 1000
    row: dict[str, Cell] = {
        "seconds": seconds,
        "marks": len(ms),
        "median_ms": round(float(np.median(ms)), 2),
        "p5_ms": round(float(np.percentile(ms, 5)), 2),
        "p95_ms": round(float(np.percentile(ms, 95)), 2),
        "drift_ms_per_min": round(drift, 3),
    }
    worst = float(np.abs(np.percentile(ms, [5, 95])).max())
    aims = [
        at_most("offset of picture and sound, p5..p95, ms", 20.0, worst),
        at_most("drift, ms a minute", 1.0, abs(drift)),
    ]
    notes = ["positive: the picture comes after its sound; the codec's own 6.5 ms delay of sound is in the figure"]
    return Report("sync", [row], aims, notes)
