"""A session's end of a peer connection for tests: records what the listener hears, and plays a marked clip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from tests.support.peer import TIMEOUT, Inbox

from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.codec.video import open_video
from mouthpiece.media import SAMPLE_RATE, TICK, Pcm, Picture
from mouthpiece.transport.base import Peer

PICTURE_TICKS = 2


class Listening:
    """A ``PeerListener`` that keeps everything; each list can be waited for."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.lost: Inbox[str] = Inbox()
        self.keys: Inbox[None] = Inbox()
        self.rates: Inbox[int] = Inbox()
        self.messages: Inbox[str | bytes] = Inbox()
        self.voice: Inbox[Pcm] = Inbox()
        self.channels: list[str] = []

    def on_connected(self) -> None:
        self.connected.set()

    def on_lost(self, reason: str) -> None:
        self.lost.add(reason)

    def on_keyframe_request(self) -> None:
        self.keys.add(None)

    def on_bitrate(self, bits_per_second: int) -> None:
        self.rates.add(bits_per_second)

    def on_message(self, message: str | bytes, reply: Callable[[str], None]) -> None:
        self.messages.add(message)
        reply(f"heard {message!r}")

    def on_channel(self, label: str, send: Callable[[str], None]) -> None:
        self.channels.append(label)

    def on_microphone(self, pcm: Pcm) -> None:
        self.voice.add(pcm)


def tone(seconds: float, hertz: float = 440.0, start: float = 0.0) -> Pcm:
    """A sine at a third of full scale."""
    at = start + np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (10_000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def grey(level: int, width: int = 128, height: int = 128) -> Picture:
    """A picture of one grey, 16 (black) to 235 (white)."""
    data = np.full((height * 3 // 2, width), 128, np.uint8)
    data[:height] = level
    return Picture(data)


class Show:
    """Sends a tone and pictures of slowly rising brightness on a true 20 ms clock, until stopped.

    Picture ``n`` has brightness ``60 + 3 * n``, up to 180. ``keys`` counts the key frames that were sent.
    Pictures leave ``late_ticks`` after the sound of their moment, with their true times.
    """

    def __init__(self, peer: Peer, listening: Listening, *, start: int = 0, late_ticks: int = 0) -> None:
        self._peer, self._listening = peer, listening
        self._sound = OpusEncoder()
        self._video = open_video(peer.video_codec, 128, 128, 25, 300_000, 1_000_000) if peer.video_codec else None
        self._start, self._late = start, late_ticks
        self._answered = 0
        self.keys = 0
        self.tick = 0

    async def __aenter__(self) -> Show:
        await asyncio.wait_for(self._listening.connected.wait(), TIMEOUT)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._video is not None:
            self._video.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            self.step()
            await asyncio.sleep(begun + self.tick * TICK / SAMPLE_RATE - loop.time())

    def step(self) -> None:
        """One tick: a packet of sound, and every second time a picture."""
        sample = self._start + self.tick * TICK
        self._peer.send_sound(self._sound.encode(tone(0.02, start=self.tick * 0.02), sample))
        moment = self.tick - self._late
        if self._video is not None and moment >= 0 and moment % PICTURE_TICKS == 0:
            number = moment // PICTURE_TICKS
            sample = self._start + moment * TICK
            asked = len(self._listening.keys.items)
            packet = self._video.encode(grey(60 + 3 * number % 120), sample, key=asked > self._answered)
            self._answered = asked
            self.keys += packet.key
            self._peer.send_picture(packet)
        self.tick += 1
