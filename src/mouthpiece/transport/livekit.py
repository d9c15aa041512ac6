"""A participant of a LiveKit room: the tick's own pictures go in as they are; LiveKit's library encodes its sound.

Pictures and sound of one moment are handed over in the same tick, under one stream name, so receivers keep them
together. The library's source for sound is used without its queue: it takes halves of a tick, and sends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from livekit import rtc
from livekit.rtc._proto import room_pb2, video_frame_pb2
from livekit.rtc.participant import PublishTrackError

from mouthpiece.errors import RoomUnreachable
from mouthpiece.media import SAMPLE_RATE, TICK, EncodedPicture, EncodedSound
from mouthpiece.settings import LiveKitSettings, MediaSettings
from mouthpiece.transport.base import RoomListener, RoomTicket, VideoCodec
from mouthpiece.transport.bitrate import BitrateRule
from mouthpiece.transport.segments import Segments

log = logging.getLogger(__name__)

STREAM: Final = "avatar"
"""Name under which receivers keep sound and pictures together."""
AUDIO_TOPIC: Final = "lk.audio_stream"
CLEAR: Final = "lk.clear_buffer"
STARTED: Final = "lk.playback_started"
FINISHED: Final = "lk.playback_finished"

SOUNDS: Final = 50
"""Ticks of sound that may wait for the library (it takes one in a millisecond): what a stalled ticker makes up for."""
HALF: Final = TICK // 2
LOOK_EVERY: Final = 5
"""Ticks between looks at what the library's encoder feedback says: a key frame is asked for within 100 ms."""
FIRST_KEYS_S: Final = (0.12, 0.3, 0.6)
"""When a key frame is repeated at the start: the server asks at once, when it may not be ready, and again after 1 s."""
REPORTS: Final = 1_000
"""Reports of played segments that may wait for an agent that does not answer."""
CALL_S: Final = 5.0
TRIES: Final = 10
PAUSE_S: Final = 0.5
"""Between two tries to tell the speaker: either side may be in the middle of a reconnect."""
CONNECT_S: Final = 10.0
CLOSE_S: Final = 3.0

_CODECS: Final = {"h264": video_frame_pb2.VideoCodec.H264, "vp8": video_frame_pb2.VideoCodec.VP8}
_KEY, _DELTA = video_frame_pb2.ENCODED_FRAME_KEY, video_frame_pb2.ENCODED_FRAME_DELTA


async def join(
    ticket: RoomTicket, listener: RoomListener, settings: LiveKitSettings, media: MediaSettings
) -> LiveKitPeer:
    """Enter a room and publish sound, then pictures. Raises RoomUnreachable; nothing is left behind then.

    The listener is told ``on_connected`` when somebody receives what is published, or at once where a speaker is
    named, and ``on_lost`` when the room is closed, or when nobody, or not the speaker, is there any more.
    """
    peer = LiveKitPeer(ticket, listener, settings, media)
    try:
        async with asyncio.timeout(CONNECT_S):
            await peer.enter()
    except (rtc.ConnectError, PublishTrackError, TimeoutError) as error:
        await peer.close()
        raise RoomUnreachable(reason=str(error) or f"no answer within {CONNECT_S:g} s") from error
    except BaseException:
        await peer.close()
        raise
    return peer


class LiveKitPeer:
    """A ``RoomPeer``. Made by ``join``; lives on the event loop that made it."""

    def __init__(
        self, ticket: RoomTicket, listener: RoomListener, settings: LiveKitSettings, media: MediaSettings
    ) -> None:
        self._ticket = ticket
        self._listener = listener
        self._media = media
        self._codec: VideoCodec = "vp8" if media.prefer == "vp8" else "h264"
        self._room = rtc.Room()
        self._picture_source = rtc.EncodedVideoSource(ticket.width, ticket.height)
        self._sound_source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=0)
        self._rule = BitrateRule(media.bitrate, media.min_bitrate, media.max_bitrate)
        self._sounds: asyncio.Queue[bytes] = asyncio.Queue(SOUNDS)
        self._calls: asyncio.Queue[tuple[str, str]] = asyncio.Queue(REPORTS)
        self._segments = Segments(listener, lambda: self.report_played(0.0, True)) if ticket.speaker else None
        self._here = asyncio.Event()  # the speaker can be called
        self._presence = Presence(settings.join_timeout_s, settings.absence_s, self._lost)
        self._origin_us = time.monotonic_ns() // 1000
        self._ticks = 0
        self._needs_key = False
        self._connected = False
        self._over = False
        self._mute = False  # the agent does not want to hear when a segment starts
        self._tasks: list[asyncio.Task[None]] = []
        self._timers: list[asyncio.TimerHandle] = []
        self._closing: asyncio.Task[None] | None = None
        self.sounds_dropped = 0
        self.pictures_dropped = 0

    # --- what a Peer is --------------------------------------------------------------------------------------------
    @property
    def video_codec(self) -> VideoCodec | None:
        """The codec that is published."""
        return self._codec

    @property
    def wants_sound(self) -> bool:
        """Always."""
        return True

    def send_sound(self, packet: EncodedSound) -> None:
        """Send 20 ms of PCM16LE now; ignored before somebody listens, and after the end."""
        if self._over or not self._connected:
            return
        if self._sounds.full():
            self._sounds.get_nowait()
            self.sounds_dropped += 1
        self._sounds.put_nowait(packet.data)
        self._ticks += 1
        if self._ticks % LOOK_EVERY == 0:
            self._look()

    def send_picture(self, packet: EncodedPicture) -> None:
        """Send one picture now. After a refusal, those that cannot be decoded are held back until a key frame."""
        if self._over or not self._connected:
            return
        if self._needs_key and not packet.key:
            self.pictures_dropped += 1
            return
        frame = rtc.EncodedVideoFrame(
            data=bytes(packet.data),
            width=self._ticket.width,
            height=self._ticket.height,
            codec=_CODECS[self._codec],
            frame_type=_KEY if packet.key else _DELTA,
            timestamp_us=self._origin_us + packet.sample * 1_000_000 // SAMPLE_RATE,
        )
        self._needs_key = not self._picture_source.capture_frame(frame)
        if self._needs_key:
            self.pictures_dropped += 1
            self._listener.on_keyframe_request()

    async def close(self) -> None:
        """Leave the room. Idempotent."""
        self._over = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._shut())
        await asyncio.shield(self._closing)

    # --- what a RoomPeer is ----------------------------------------------------------------------------------------
    def report_started(self) -> None:
        """Tell the speaker that a segment begins to be heard, unless it said that it does not want to know."""
        if not self._mute:
            self._report(STARTED, "")

    def report_played(self, seconds: float, interrupted: bool) -> None:
        """Tell the speaker that a segment is over."""
        facts = {"playback_position": seconds, "interrupted": interrupted, "synchronized_transcript": None}
        self._report(FINISHED, json.dumps(facts))

    def _report(self, method: str, payload: str) -> None:
        if self._ticket.speaker and not self._calls.full():
            self._calls.put_nowait((method, payload))

    # --- entering --------------------------------------------------------------------------------------------------
    async def enter(self) -> None:
        """Connect and publish. Raises what LiveKit's library raises."""
        self._listen()
        options = rtc.RoomOptions(auto_subscribe=False, connect_timeout=CONNECT_S)
        await self._room.connect(self._ticket.url, self._ticket.token, options)
        if self._segments is not None:
            self._room.local_participant.register_rpc_method(CLEAR, self._clear)
        await self._publish()
        self._tasks = [asyncio.create_task(self._pump()), asyncio.create_task(self._call())]
        if self._segments is not None:
            self._tasks.append(asyncio.create_task(self._segments.run()))
            self._begin()
        self._presence.start(self._somebody())
        self._look_around()

    async def _publish(self) -> None:
        me, encoding = self._room.local_participant, room_pb2.VideoEncoding
        sound = rtc.LocalAudioTrack.create_audio_track("sound", self._sound_source)
        pictures = rtc.LocalVideoTrack.create_video_track("pictures", self._picture_source)
        source = rtc.TrackSource.SOURCE_MICROPHONE
        await me.publish_track(sound, rtc.TrackPublishOptions(source=source, stream=STREAM, dtx=False, red=False))
        await me.publish_track(
            pictures,
            rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_CAMERA,
                stream=STREAM,
                simulcast=False,
                video_codec=_CODECS[self._codec],
                video_encoder=room_pb2.ENCODER_BACKEND_PRE_ENCODED,
                video_encoding=encoding(max_bitrate=self._media.max_bitrate, max_framerate=self._ticket.fps),
            ),
        )

    def _listen(self) -> None:
        """Hear what happens in the room, before anything can."""
        events: dict[rtc.room.EventTypes, Callable[..., None]] = {
            "local_track_subscribed": self._subscribed,
            "participant_connected": lambda _: self._look_around(),
            "participant_disconnected": lambda _: self._look_around(),
            "reconnected": self._reconnected,
            "disconnected": lambda _: self._lost("the room was closed"),
        }
        for name, heard in events.items():
            self._room.on(name, heard)
        if self._segments is not None:
            self._room.register_byte_stream_handler(AUDIO_TOPIC, self._stream_opened)

    # --- what happens ----------------------------------------------------------------------------------------------
    def _subscribed(self, track: rtc.Track) -> None:
        """Somebody receives a track. Sound comes first; a picture that left then would be shown to nobody."""
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            self._begin()

    def _begin(self) -> None:
        if not (self._connected or self._over):
            self._connected = True
            self._presence.seen(True)  # LiveKit tells up to three seconds later who came
            self._listener.on_connected()
            loop = asyncio.get_running_loop()
            self._timers = [loop.call_later(after, self._listener.on_keyframe_request) for after in FIRST_KEYS_S]

    def _somebody(self) -> bool:
        """Whether the speaker is there, or, where none is named, anybody."""
        there = self._room.remote_participants
        return self._ticket.speaker in there if self._ticket.speaker else bool(there)

    def _look_around(self) -> None:
        """Somebody came or went, or the room was entered."""
        there = self._somebody()
        (self._here.set if there else self._here.clear)()
        self._presence.seen(there)

    def _reconnected(self) -> None:
        self._listener.on_keyframe_request()
        self._look_around()

    def _lost(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._presence.stop()
            self._listener.on_lost(reason)

    def _look(self) -> None:
        """What the library's feedback for encoders says."""
        feedback = self._picture_source.take_feedback()
        if feedback.keyframe_requested:
            self._listener.on_keyframe_request()
        if feedback.rate_control and (rate := self._rule.estimate(feedback.rate_control.target_bitrate_bps)):
            self._listener.on_bitrate(rate)

    # --- the speaker -----------------------------------------------------------------------------------------------
    def _stream_opened(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if self._segments is None or identity != self._ticket.speaker:
            reader.close()
            return
        self._segments.opened(_Pieces(reader), reader.info.attributes or {})

    def _clear(self, call: rtc.RpcInvocationData) -> str:
        if self._segments is None or call.caller_identity != self._ticket.speaker:
            return "reject"
        self._segments.clear()
        return "ok"

    async def _call(self) -> None:
        """Make the speaker's calls one after the other, so that it learns of its segments in their order.

        A speaker that is away is waited for: it may come back, and it counts on each report.
        """
        while True:
            method, payload = await self._calls.get()
            for attempt in range(1, TRIES + 1):
                await self._here.wait()
                if await self._called(method, payload, last=attempt == TRIES):
                    break
                await asyncio.sleep(PAUSE_S)
            self._calls.task_done()

    async def _called(self, method: str, payload: str, *, last: bool) -> bool:
        """Call the speaker; whether that is settled."""
        speaker = self._ticket.speaker or ""
        try:
            await self._room.local_participant.perform_rpc(
                destination_identity=speaker, method=method, payload=payload, response_timeout=CALL_S
            )
        except rtc.RpcError as error:
            if error.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD:
                self._mute = self._mute or method == STARTED
                return method == STARTED or last
            if last:
                log.warning("the agent does not take %s: %s", method, error)
            return error.code == rtc.RpcError.ErrorCode.RESPONSE_TIMEOUT  # it was taken; twice would be once too often
        return True

    async def _pump(self) -> None:
        """Give sound to the library, which takes 10 ms at a time."""
        while True:
            data = await self._sounds.get()
            for half in (data[: 2 * HALF], data[2 * HALF :]):
                await self._sound_source.capture_frame(rtc.AudioFrame(half, SAMPLE_RATE, 1, HALF))

    # --- going away ------------------------------------------------------------------------------------------------
    async def _shut(self) -> None:
        self._presence.stop()
        for timer in self._timers:
            timer.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                if self._tasks and self._room.isconnected() and self._somebody():
                    await self._calls.join()  # what is still to be told goes out while the speaker hears it
                await self._room.disconnect()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sound_source.aclose()
        await self._picture_source.aclose()


class Presence:
    """Notices that those for whom a peer is in a room never came, or left and did not come back."""

    def __init__(self, join_s: float, absence_s: float, lost: Callable[[str], None]) -> None:
        self._join_s, self._absence_s = join_s, absence_s
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    def start(self, there: bool) -> None:
        """The room is entered; whether somebody is there already."""
        self._running = True
        if not there:
            self._wait(self._join_s, f"nobody joined the room within {self._join_s:g} s")

    def seen(self, there: bool) -> None:
        """Somebody came or left; whether somebody is there now."""
        if self._running and there:
            self._cancel()
        elif self._running and self._timer is None:
            self._wait(self._absence_s, f"nobody has been in the room for {self._absence_s:g} s")

    def stop(self) -> None:
        """Watch no more. Idempotent."""
        self._running = False
        self._cancel()

    def _wait(self, seconds: float, reason: str) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._lost, reason)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Pieces:
    """A byte stream that is closed when it is no longer read."""

    def __init__(self, reader: rtc.ByteStreamReader) -> None:
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._reader:
                yield piece
        finally:
            self._reader.close()
