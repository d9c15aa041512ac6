"""A real WebRTC viewer for tests: offers, receives, decodes, and can talk back.

async with Viewer() as viewer:
    peer, sdp = await answer(await viewer.offer(), listener, settings, host="127.0.0.1")
    await viewer.accept(sdp)
    await viewer.connected()
    ...                                   # send through ``peer``
    pictures = await viewer.pictures.take(10)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Generic, TypeVar

import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcicetransport import RTCIceGatherer
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.settings import TransportSettings
from mouthpiece.transport.ice import arrange

TIMEOUT = 20.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard:
    """20 ms of decoded sound: ``seconds`` of media time since the first packet; int16 at 48 kHz, one channel."""

    seconds: float
    pcm: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Seen:
    """A decoded picture: ``seconds`` of media time since the first one, ``luma`` uint8 (height, width)."""

    seconds: float
    luma: NDArray[np.uint8]


class Inbox(Generic[T]):
    """What has come in so far, and a way to wait for more."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self._waiting: list[tuple[Callable[[list[T]], bool], asyncio.Future[None]]] = []

    def add(self, item: T) -> None:
        self.items.append(item)
        for enough, waiter in self._waiting:
            if not waiter.done() and enough(self.items):
                waiter.set_result(None)

    async def until(self, enough: Callable[[list[T]], bool], timeout: float = TIMEOUT) -> list[T]:
        """Everything, as soon as ``enough`` says so. Raises TimeoutError."""
        if not enough(self.items):
            entry = (enough, asyncio.get_running_loop().create_future())
            self._waiting.append(entry)
            try:
                await asyncio.wait_for(entry[1], timeout)
            finally:
                self._waiting.remove(entry)
        return list(self.items)

    async def take(self, count: int, timeout: float = TIMEOUT) -> list[T]:
        """Everything, as soon as there are ``count``. Raises TimeoutError."""
        return await self.until(lambda items: len(items) >= count, timeout)


class Viewer:
    """An aiortc peer that only watches, listens, and talks back if asked to.

    ``host``: the address it binds, as for the server; None leaves aiortc's own way (all but loopback). ``codecs``
    limits what it offers for video, by MIME type, in order. ``config`` may name ICE servers.
    """

    def __init__(self, host: str | None = "127.0.0.1", config: RTCConfiguration | None = None) -> None:
        self.pc = RTCPeerConnection(config or RTCConfiguration(iceServers=[]))
        self.sounds: Inbox[Heard] = Inbox()
        self.pictures: Inbox[Seen] = Inbox()
        self.messages: Inbox[str | bytes] = Inbox()
        self._states: Inbox[str] = Inbox()
        self._host = host
        self._tasks: list[asyncio.Task[None]] = []
        self.pc.on("track", self._track)
        self.pc.on("connectionstatechange", lambda: self._states.add(self.pc.connectionState))

    async def __aenter__(self) -> Viewer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def receive(self, kind: str, *mime: str, direction: str = "recvonly") -> None:
        """Offer to receive ``audio`` or ``video``; ``mime`` limits the codecs, e.g. ``video/VP8``."""
        transceiver = self.pc.addTransceiver(kind, direction=direction)
        if mime:
            known = RTCRtpSender.getCapabilities(kind).codecs
            transceiver.setCodecPreferences([c for m in mime for c in known if c.mimeType.lower() == m.lower()])

    def talk(self, pcm: Pcm) -> None:
        """Offer a microphone that says ``pcm`` (16 kHz mono) in real time and then ends."""
        self.pc.addTrack(Microphone(pcm))

    def channel(self, label: str = "datachannel") -> RTCDataChannel:
        """Open a data channel; what comes back is in ``messages``."""
        channel = self.pc.createDataChannel(label)
        channel.on("message", self.messages.add)
        return channel

    async def offer(self) -> str:
        """The offer with all candidates; audio and video to receive unless something was asked for before."""
        if not self.pc.getTransceivers() and self.pc.sctp is None:
            self.receive("audio")
            self.receive("video")
        if self._host is not None:
            for transport in self._ice():
                arrange(transport._connection, self._host, TransportSettings())
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def accept(self, sdp: str) -> None:
        """Take the answer."""
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def connected(self) -> None:
        """Wait until media can flow. Raises TimeoutError."""
        await self._states.until(lambda states: "connected" in states)

    async def disconnected(self) -> None:
        """Wait until the other side has closed. Raises TimeoutError."""
        await self._states.until(lambda states: states[-1:] == ["closed"])

    def vanish(self) -> None:
        """Be gone without a word, like a phone in a tunnel."""
        for gatherer in self._ice():
            for protocol in gatherer._connection._protocols:
                protocol.transport.abort()

    async def close(self) -> None:
        """Leave."""
        await self.pc.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ice(self) -> set[RTCIceGatherer]:
        found = {t.receiver.transport.transport.iceGatherer for t in self.pc.getTransceivers()}
        return found | ({self.pc.sctp.transport.transport.iceGatherer} if self.pc.sctp else set())

    def _track(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.ensure_future(self._collect(track)))

    async def _collect(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, AudioFrame):
                    self.sounds.add(Heard(_seconds(frame), frame.to_ndarray().astype(np.int16).reshape(-1, 2)[:, 0]))
                elif isinstance(frame, VideoFrame):
                    self.pictures.add(Seen(_seconds(frame), frame.to_ndarray(format="gray").astype(np.uint8)))


class Microphone(MediaStreamTrack):
    """Says ``pcm`` in real time, 20 ms a frame, and then ends."""

    kind = "audio"

    def __init__(self, pcm: Pcm) -> None:
        super().__init__()
        self._pcm = pcm
        self._at = 0
        self._started: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._started = self._started if self._started is not None else loop.time()
        await asyncio.sleep(self._started + self._at / SAMPLE_RATE - loop.time())
        part = self._pcm[self._at : self._at + 320]
        if part.size < 320:
            self.stop()
            raise MediaStreamError
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(part)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._at, Fraction(1, SAMPLE_RATE)
        self._at += 320
        return frame


def _seconds(frame: AudioFrame | VideoFrame) -> float:
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)
