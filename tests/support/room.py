"""A participant of a LiveKit room for tests: a viewer, or an agent that has its voice played by an avatar."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
from livekit import rtc
from tests.support.livekit import KEY, SECRET
from tests.support.peer import Inbox

from mouthpiece.transport.grants import Signer

TIMEOUT = 20.0


def signer() -> Signer:
    return Signer(KEY, SECRET)


def participant_token(room: str, identity: str) -> str:
    """May do everything: what LiveKit's own samples give to everybody."""
    return signer()._sign(
        room, identity, {"canPublish": True, "canSubscribe": True, "canPublishData": True}, time.time(), 600
    )


class Guest:
    """Somebody in a room. ``seen``: (time, mean grey) of every picture; ``heard``: (time, loudness) of every 10 ms."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.seen: list[tuple[float, float]] = []
        self.heard: list[tuple[float, float]] = []
        self.size = (0, 0)
        self.finished: Inbox[tuple[float, float, bool]] = Inbox()
        self.started: Inbox[float] = Inbox()
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def joined(
        cls, url: str, token: str, *, subscribe: bool = True, hears_starts: bool = True
    ) -> AsyncIterator[Guest]:
        guest = cls()
        guest.room.on("track_subscribed", guest._subscribed)
        await guest.room.connect(url, token, rtc.RoomOptions(auto_subscribe=subscribe))
        me = guest.room.local_participant
        me.register_rpc_method("lk.playback_finished", guest._note_finished)
        if hears_starts:
            me.register_rpc_method("lk.playback_started", guest._note_started)
        try:
            yield guest
        finally:
            await guest.room.disconnect()
            for task in guest._tasks:
                task.cancel()
            await asyncio.gather(*guest._tasks, return_exceptions=True)

    async def until(self, true: Callable[[Guest], bool], timeout: float = TIMEOUT) -> None:
        """Wait until something is true of what was seen and heard."""
        async with asyncio.timeout(timeout):
            while not true(self):
                self._changed.clear()
                await self._changed.wait()

    # --- an agent ---------------------------------------------------------------------------------------------------
    async def open_stream(self, to: str, rate: int = 16_000, channels: int = 1) -> rtc.ByteStreamWriter:
        """Begin a segment, as livekit-agents does."""
        return await self.room.local_participant.stream_bytes(
            name="AUDIO",
            topic="lk.audio_stream",
            destination_identities=[to],
            attributes={"sample_rate": str(rate), "num_channels": str(channels)},
        )

    async def clear(self, to: str) -> str:
        return await self.room.local_participant.perform_rpc(
            destination_identity=to, method="lk.clear_buffer", payload=""
        )

    def _note_finished(self, call: rtc.RpcInvocationData) -> str:
        facts = json.loads(call.payload)
        self.finished.add((time.monotonic(), facts["playback_position"], facts["interrupted"]))
        return "ok"

    def _note_started(self, call: rtc.RpcInvocationData) -> str:
        self.started.add(time.monotonic())
        return "ok"

    # --- a viewer ---------------------------------------------------------------------------------------------------
    def _subscribed(self, track: rtc.RemoteTrack, *_: object) -> None:
        look = self._see(track) if track.kind == rtc.TrackKind.KIND_VIDEO else self._hear(track)
        self._tasks.append(asyncio.get_running_loop().create_task(look))

    async def _see(self, track: rtc.RemoteTrack) -> None:
        async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420):
            frame = event.frame
            self.size = (frame.width, frame.height)
            grey = np.frombuffer(frame.data, np.uint8)[: frame.width * frame.height]
            self.seen.append((time.monotonic(), float(grey.mean())))
            self._changed.set()

    async def _hear(self, track: rtc.RemoteTrack) -> None:
        async for event in rtc.AudioStream(track, sample_rate=48_000, num_channels=1):
            pcm = np.frombuffer(event.frame.data, np.int16).astype(np.float64)
            self.heard.append((time.monotonic(), float(np.sqrt((pcm**2).mean()))))
            self._changed.set()
