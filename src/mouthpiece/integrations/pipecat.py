"""A face for Pipecat in the pipeline's own process: speech in, the same speech and its pictures out.

Stands between the voice (TTS) and the output of a pipeline. Needs ``mouthpiece[pipecat]``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.ai_service import AIService
from pipecat.services.settings import ServiceSettings

from mouthpiece.codec.raw import RgbPictures
from mouthpiece.codec.resample import Downmix
from mouthpiece.face import catalog
from mouthpiece.integrations.solo import Solo
from mouthpiece.live.base import Backlog, Over
from mouthpiece.live.session import Session
from mouthpiece.media import SAMPLE_RATE, EncodedPicture, EncodedSound, Look
from mouthpiece.settings import MediaSettings
from mouthpiece.transport.base import RoomListener, RoomPeer, RoomTicket, VideoCodec

WAITING: Final = 100
"""Pieces of sound and pictures that may wait for the pipeline (over a second); of more the oldest are dropped."""


class MouthpieceVideoService(AIService):
    """A talking face. ``face``: a name of ``GET /faces``; ``media``: picture rate.

    It takes ``TTSAudioRawFrame`` of any rate, and gives them back as they are played, at 16 kHz mono in pieces of
    20 ms, followed by the ``OutputImageRawFrame`` (RGB) of their moment; ``pts`` is the face's own clock.
    ``TTSStoppedFrame`` and ``EndFrame`` wait until all sound before them was played. ``InterruptionFrame`` silences
    it at once. Raises InvalidFace.
    """

    def __init__(
        self,
        *,
        face: str = "mia",
        emotion: str = "natural",
        size: tuple[int, int] = (512, 512),
        media: MediaSettings | None = None,
    ) -> None:
        super().__init__(settings=ServiceSettings(model=None))
        catalog.find(face)
        self._look = Look(face, emotion, *size)
        self._media = media or MediaSettings()
        self._solo: Solo | None = None
        self._ear: tuple[int, int, Downmix] | None = None  # rate, channels, and what makes ours of them
        self._open = False  # the segment that comes in has sound
        self._behind: deque[list[Frame]] = deque()  # what waits for the end of each segment that is not played yet
        self._played = asyncio.Event()
        self._early: list[Callable[[Session], None]] = []
        self._out: deque[Frame | asyncio.Event] = deque()  # an event is set when all before it was pushed
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.dropped = 0
        """Frames that the pipeline did not take in time."""

    async def stop(self, frame: EndFrame) -> None:
        """Play out what is queued, then leave."""
        await super().stop(frame)
        self._end_segment([])
        while self._behind:
            self._played.clear()
            await self._played.wait()
        if self._tasks:
            pushed = asyncio.Event()
            self._put(pushed)
            await pushed.wait()
        await self._leave()

    async def cancel(self, frame: CancelFrame) -> None:
        """Leave now."""
        await super().cancel(frame)
        await self._leave()

    async def cleanup(self) -> None:
        """Leave, if that was forgotten."""
        await super().cleanup()
        await self._leave()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """See the class."""
        await super().process_frame(frame, direction)
        match frame:
            case TTSAudioRawFrame():
                self._hear(frame)
                return
            case TTSStoppedFrame() if self._end_segment([frame]):
                return
            case InterruptionFrame():
                self._hush()
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame) and not self._tasks:
            self._tasks = [self.create_task(self._live()), self.create_task(self._push())]

    # --- in ---------------------------------------------------------------------------------------------------------
    def _hear(self, frame: TTSAudioRawFrame) -> None:
        form = frame.sample_rate, frame.num_channels
        if self._ear is None or self._ear[:2] != form:
            self._say(self._ear[2].rest() if self._ear else b"")
            self._ear = *form, Downmix(*form)
        self._say(self._ear[2].hear(frame.audio))

    def _say(self, data: bytes) -> None:
        if data:
            self._open = True
            self._ask(lambda session: session.on_segment_sound(data))

    def _end_segment(self, frames: list[Frame]) -> bool:
        """Whether these frames have to wait until something was played."""
        ear, self._ear = self._ear, None
        self._say(ear[2].rest() if ear else b"")
        if self._open:
            self._open = False
            self._ask(lambda session: session.on_segment_end())
            self._behind.append(frames)
            return True
        if self._behind:
            self._behind[-1].extend(frames)
        return bool(self._behind)

    def _hush(self) -> None:
        """Interrupted: nothing that is queued is wanted any more, in here or on its way out."""
        self._ear, self._open = None, False
        self._behind.clear()
        self._out = deque(one for one in self._out if isinstance(one, asyncio.Event))
        self._early.clear()
        self._ask(lambda session: session.on_clear())
        self._played.set()

    def _ask(self, what: Callable[[Session], None]) -> None:
        """Of the session; what is asked before the face is loaded waits."""
        if self._solo is None:
            self._early.append(what)
        else:
            what(self._solo.session)

    # --- out --------------------------------------------------------------------------------------------------------
    async def _live(self) -> None:
        """Load the face, which takes a while the first time, and tell what happens to it."""
        solo = await Solo.open(self._look, self._media, self._enter, "pipecat", lambda *_: RgbPictures())
        self._solo = solo
        await solo.enter()
        for what in self._early:
            what(solo.session)
        self._early.clear()
        async for event in solo.session.events():
            match event:
                case Backlog():
                    await self.push_error("more speech is queued than is kept: the rest of it is left out")
                case Over() if self._solo is solo:
                    self._behind.clear()
                    self._played.set()
                    await self.push_error(f"the face ended: {event.reason}")

    async def _enter(self, ticket: RoomTicket, listener: RoomListener) -> RoomPeer:
        listener.on_connected()
        return _Screen(self, (ticket.width, ticket.height))

    def show(self, picture: EncodedPicture, size: tuple[int, int]) -> None:
        """A picture is due: RGB."""
        image = OutputImageRawFrame(picture.data, size, "RGB")
        image.pts = _nanoseconds(picture.sample)
        image.sync_with_audio = True  # an output that is behind with the sound shows it as late
        self._put(image)

    def play(self, sound: EncodedSound) -> None:
        """20 ms of sound are due. Silence at rest is nobody's speech."""
        if self._solo is not None and (self._solo.session.queued or any(sound.data)):
            frame = TTSAudioRawFrame(sound.data, SAMPLE_RATE, 1)
            frame.pts = _nanoseconds(sound.sample)
            self._put(frame)

    def segment_played(self) -> None:
        """What waited for the end of the oldest segment goes on."""
        for frame in self._behind.popleft() if self._behind else ():
            self._put(frame)
        self._played.set()

    def _put(self, frame: Frame | asyncio.Event) -> None:
        if len(self._out) >= WAITING:
            media = (TTSAudioRawFrame, OutputImageRawFrame)
            self._out = deque(kept for n, kept in enumerate(self._out) if n or not isinstance(kept, media))
            self.dropped += 1
        self._out.append(frame)
        self._more.set()

    async def _push(self) -> None:
        while True:
            while self._out:
                frame = self._out.popleft()
                if isinstance(frame, asyncio.Event):
                    frame.set()
                else:
                    await self.push_frame(frame)
            self._more.clear()
            await self._more.wait()

    async def _leave(self) -> None:
        solo, self._solo = self._solo, None
        if solo is not None:
            await solo.close()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            await self.cancel_task(task)


def _nanoseconds(sample: int) -> int:
    return sample * 1_000_000_000 // SAMPLE_RATE


class _Screen:
    """A ``RoomPeer`` that leads into the pipeline. The codec is a name only: pictures are RGB."""

    video_codec: VideoCodec | None = "h264"
    wants_sound = True

    def __init__(self, service: MouthpieceVideoService, size: tuple[int, int]) -> None:
        self._service, self._size = service, size

    def send_sound(self, packet: EncodedSound) -> None:
        self._service.play(packet)

    def send_picture(self, packet: EncodedPicture) -> None:
        self._service.show(packet, self._size)

    def report_started(self) -> None:
        return

    def report_played(self, seconds: float, interrupted: bool) -> None:
        self._service.segment_played()

    async def close(self) -> None:
        return
