"""Whether sound and picture stay together at the receiver, over minutes.

The sound is a tone whose loudness rises over each second; a twin of the face shows, as brightness, the loudness that
its lip-sync engine heard at the picture's instant. Both carry the time of the second they belong to, so the receiver
compares them to a millisecond, on the clock that the RTCP sender reports give them (RFC 3550, section 6.4.1). Engine,
tick, encoders, transport and clocks are the real ones.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtcpSrPacket
from numpy.typing import NDArray

from mouthpiece.bench.guest import in_room
from mouthpiece.bench.marks import HIGH, LOW, Ledger, MarkFace, MarkLipSync, ramp
from mouthpiece.bench.report import Cell, Report, at_most
from mouthpiece.bench.rooms import LiveKit, Rooms, rooms
from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.codec.video import open_video
from mouthpiece.errors import Unavailable
from mouthpiece.live.base import SessionSpec
from mouthpiece.live.session import Session
from mouthpiece.live.stage import Stage
from mouthpiece.live.studio import Answer, Join, Studio
from mouthpiece.media import Look
from mouthpiece.settings import LimitSettings, LiveKitSettings, MediaSettings, TransportSettings
from mouthpiece.transport.base import DirectPeer, PeerListener, RoomListener, RoomPeer, RoomTicket
from mouthpiece.transport.grants import Signer
from mouthpiece.transport.p2p import answer

SIDE: Final = 64
DAY_S: Final = 86_400.0
WAIT_S: Final = 3.0
"""How long the avatar is alone in its room: its clock must not begin before somebody is there."""
AUDIO_HZ: Final = 48_000
VIDEO_HZ: Final = 90_000
NTP_SECOND: Final = 2**32

Meet = Callable[[Session, "Receiver"], AbstractAsyncContextManager[None]]
"""Brings a session's media to a receiver, until the block ends."""


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
    _tasks: list[asyncio.Future[None]] = field(default_factory=list)

    def listen(self, kind: str, receiver: Any) -> None:  # noqa: ANN401 -- aiortc's receiver has no typed hooks
        """Follow one track of one kind and its clock."""
        _follow(receiver, self.sound if kind == "audio" else self.video)
        self._tasks.append(asyncio.ensure_future(self._collect(receiver.track)))

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
        """(wall time, seconds by which the pictures are behind their sound), a row a second of sound.

        Raises Unavailable when too little was received to tell.
        """
        if not (self.envelope and self.greys):
            raise Unavailable(reason="no sound or no pictures with a clock arrived: give it more seconds")
        resets = _edges(*np.array(self.envelope).T)
        seen_at, luma = np.array(self.greys).T
        since = ((luma - 16) / 219 - LOW) / (HIGH - LOW)  # what each picture says of the time since its reset
        clear = (since > 0.05) & (since < 0.95)
        at, shown = seen_at[clear], (seen_at - since)[clear]
        rows = [(reset, shown[(at > reset) & (at < reset + 0.9)] - reset) for reset in resets]
        kept = [(reset, float(np.median(behind))) for reset, behind in rows if len(behind) > 10]
        if not kept:
            raise Unavailable(reason="no second of sound came with enough pictures: give it more seconds")
        when, offset = np.array(kept).T
        return when, offset


def _edges(at: NDArray[np.float64], level: NDArray[np.float64]) -> list[float]:
    """When the loudness fell from HIGH to LOW."""
    edges: list[float] = []
    for i in np.flatnonzero((level[:-4] > 0.7) & (level[4:] < 0.3)):
        if not edges or at[i] - edges[-1] > 0.5:
            edges.append(float(at[i + 2]))
    return edges


def _follow(receiver: Any, clock: Clock) -> None:  # noqa: ANN401 -- aiortc's receiver has no typed hook for this
    handle = receiver._handle_rtcp_packet
    clock.mapper = receiver._RTCRtpReceiver__timestamp_mapper

    async def note(packet: object) -> None:
        if isinstance(packet, RtcpSrPacket):
            clock.ntp = packet.sender_info.ntp_timestamp / NTP_SECOND
            clock.rtp = packet.sender_info.rtp_timestamp
        await handle(packet)

    receiver._handle_rtcp_packet = note


def _stage(way: Answer, join: Join, seconds: int) -> Stage:
    studio = Studio(
        face=lambda _: MarkFace(),
        lipsync=MarkLipSync,
        video=lambda codec, look, fps, bitrate: open_video(codec, SIDE, SIDE, fps, bitrate, 2 * bitrate),
        sound=OpusEncoder,
        answer=way,
        ledger=Ledger(),
        join=join,
    )
    return Stage(studio, MediaSettings(), LimitSettings(backlog_s=seconds + 10))


@asynccontextmanager
async def _peer_to_peer(session: Session, receiver: Receiver) -> AsyncIterator[None]:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        for kind in ("audio", "video"):
            peer.addTransceiver(kind, direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        sdp = await session.answer(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        for transceiver in peer.getTransceivers():
            receiver.listen(transceiver.kind, transceiver.receiver)
        yield
    finally:
        await peer.close()


def _by_room(rooms: Rooms) -> Meet:
    @asynccontextmanager
    async def meet(session: Session, receiver: Receiver) -> AsyncIterator[None]:
        signer, room, now = Signer(rooms.key, rooms.secret), f"sync-{uuid.uuid4()}", time.time()
        await session.join(RoomTicket(rooms.url, signer.avatar(room, "avatar", now, DAY_S), SIDE, SIDE))
        await asyncio.sleep(WAIT_S)
        async with in_room(rooms.url, signer.viewer(room, "viewer", now, DAY_S), receiver.listen):
            yield

    return meet


async def _watch(seconds: int, rooms: Rooms | None, say: Callable[[str], None]) -> Receiver:
    async def answer_here(offer: str, listener: PeerListener) -> tuple[DirectPeer, str]:
        return await answer(offer, listener, TransportSettings(), host="127.0.0.1")

    async def join_there(ticket: RoomTicket, listener: RoomListener) -> RoomPeer:
        from mouthpiece.transport.livekit import join

        return await join(ticket, listener, LiveKitSettings(), MediaSettings())

    meet = _by_room(rooms) if rooms else _peer_to_peer
    stage, receiver = _stage(answer_here, join_there, seconds), Receiver()
    await stage.start()
    try:
        spec = SessionSpec("sync", "bench", "sync", Look("mark", width=SIDE, height=SIDE), max_length_s=DAY_S)
        session = await stage.open(spec)
        async with meet(session, receiver):
            session.push_audio(ramp(seconds).tobytes())
            for passed in range(0, seconds, 10):
                await asyncio.sleep(min(10, seconds - passed))
                say(f"{min(passed + 10, seconds)} s of {seconds}")
    finally:
        await stage.close()
    return receiver


def run(seconds: int, livekit: LiveKit | None, say: Callable[[str], None]) -> Report:
    """Measure for ``seconds`` (a minute at least tells of drift), peer to peer or through a LiveKit server.

    Raises NotConfigured, Unavailable without one.
    """
    if livekit is None:
        return _report(seconds, asyncio.run(_watch(seconds, None, say)), "p2p")
    with rooms(livekit) as house:
        return _report(seconds, asyncio.run(_watch(seconds, house, say)), "livekit")


def _report(seconds: int, receiver: Receiver, transport: str) -> Report:
    at, offset = receiver.offsets()
    drift = slope(at, offset) * 60_000
    ms = offset * 1000
    row: dict[str, Cell] = {
        "transport": transport,
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


def slope(at: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Values gained per unit of ``at``: the median over all pairs (Theil-Sen), which one picture that was left out
    does not bend. Both (n,), n >= 2.
    """
    first, second = np.triu_indices(len(at), 1)
    return float(np.median((values[second] - values[first]) / (at[second] - at[first])))
