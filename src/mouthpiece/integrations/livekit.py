"""An avatar for livekit-agents in the agent's own process: the agent's voice goes straight to a face in its room.

The face joins the room as a participant of its own, as the avatar of the agent. Needs ``mouthpiece[livekit,agents]``.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.avatar import AvatarSession as BaseAvatarSession
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.codec.resample import Resampler
from mouthpiece.codec.video import open_video
from mouthpiece.errors import NoLiveKit
from mouthpiece.face import catalog
from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync import warm as warm_lipsync
from mouthpiece.live.base import SessionSpec
from mouthpiece.live.session import Session
from mouthpiece.live.stage import Stage
from mouthpiece.live.studio import Studio
from mouthpiece.media import SAMPLE_RATE, Look
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings, LiveKitSettings, MediaSettings
from mouthpiece.transport.base import Peer, PeerListener, RoomListener, RoomPeer, RoomTicket
from mouthpiece.transport.grants import Signer
from mouthpiece.transport.livekit import LiveKitPeer, join

IDENTITY = "mouthpiece-avatar"
DAY_S = 86_400.0


class AvatarSession(BaseAvatarSession[Any]):
    """A face for one agent session. ``face``: a name of ``GET /faces``; ``media``: picture rate, codec, bitrates."""

    def __init__(
        self,
        *,
        face: str = "mia",
        emotion: str = "natural",
        size: tuple[int, int] = (512, 512),
        identity: str = IDENTITY,
        media: MediaSettings | None = None,
    ) -> None:
        super().__init__()
        self._look = Look(face, emotion, *size)
        self._identity = identity
        self._media = media or MediaSettings()
        self._stage: Stage | None = None
        self._session: Session | None = None

    @property
    def avatar_identity(self) -> str:
        """Who the avatar is in the room."""
        return self._identity

    @property
    def provider(self) -> str:
        """For the framework's metrics."""
        return "mouthpiece"

    async def start(
        self, agent_session: AgentSession[Any], room: rtc.Room, *, url: str = "", key: str = "", secret: str = ""
    ) -> None:
        """Enter the agent's room and speak for it. ``url``, ``key``, ``secret``: of its LiveKit server.

        Raises NoLiveKit when one of them is missing, InvalidFace, RoomUnreachable.
        """
        if not (url and key and secret):
            raise NoLiveKit(what="the agent's LiveKit server", remedy="give url, key and secret")
        await super().start(agent_session, room)
        await asyncio.to_thread(_warm)
        voice, agent = _Voice(), room.local_participant.identity
        self._stage = Stage(_studio(self._media, voice), self._media, LimitSettings(max_sessions=1))
        await self._stage.start()
        spec = SessionSpec(
            str(uuid.uuid4()), "agent", self._identity, self._look, self._media.fps, max_length_s=DAY_S,
            max_idle_s=DAY_S, kind="livekit-agent",
        )  # fmt: skip
        self._session = await self._stage.open(spec)
        signer = Signer(key, secret)
        token = signer.avatar(room.name, self._identity, time.time(), DAY_S, agent)
        await self._session.join(RoomTicket(url, token, self._look.width, self._look.height, self._media.fps, agent))
        voice.session = self._session
        agent_session.output.replace_audio_tail(voice)

    async def aclose(self) -> None:
        """Leave the room. Idempotent."""
        if self._session is not None:
            await self._session.close(EndReason.CLOSED)
        if self._stage is not None:
            await self._stage.close()
        self._session = self._stage = None
        await super().aclose()


class _Voice(AudioOutput):
    """The agent's voice: what it captures is what the session says, and what was heard is told back."""

    def __init__(self) -> None:
        super().__init__(label="mouthpiece", capabilities=AudioOutputCapabilities(pause=False), sample_rate=SAMPLE_RATE)
        self.session: Session | None = None
        self._resampler: tuple[int, Resampler] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """More of the segment."""
        await super().capture_frame(frame)
        if self.session is not None:
            self.session.on_segment_sound(self._ours(frame))

    def flush(self) -> None:
        """The segment is whole."""
        super().flush()
        if self.session is not None:
            self.session.on_segment_end()

    def clear_buffer(self) -> None:
        """The agent was interrupted."""
        if self.session is not None:
            self.session.on_clear()

    def _ours(self, frame: rtc.AudioFrame) -> bytes:
        sound = np.frombuffer(bytes(frame.data), np.int16).reshape(-1, frame.num_channels)[:, 0]
        if self._resampler is None or self._resampler[0] != frame.sample_rate:
            self._resampler = frame.sample_rate, Resampler(frame.sample_rate)
        return self._resampler[1].push(np.ascontiguousarray(sound)).tobytes()


class _Reporting:
    """Our participant of the room, whose reports go to the agent's voice instead of over the wire."""

    def __init__(self, peer: LiveKitPeer, voice: _Voice) -> None:
        self._peer, self._voice = peer, voice
        self.video_codec, self.wants_sound = peer.video_codec, peer.wants_sound
        self.send_sound, self.send_picture, self.close = peer.send_sound, peer.send_picture, peer.close

    def report_started(self) -> None:
        self._voice.on_playback_started(created_at=time.time())

    def report_played(self, seconds: float, interrupted: bool) -> None:
        self._voice.on_playback_finished(playback_position=seconds, interrupted=interrupted)


class _NoLedger:
    """Sessions of this process are nobody else's affair."""

    async def begin(self, spec: SessionSpec) -> None:
        return

    async def end(self, spec: SessionSpec, reason: EndReason, frames: int) -> None:
        return


def _studio(media: MediaSettings, voice: _Voice) -> Studio:
    async def enter(ticket: RoomTicket, listener: RoomListener) -> RoomPeer:
        return _Reporting(await join(ticket, listener, LiveKitSettings(join_timeout_s=DAY_S), media), voice)

    async def answer(offer: str, listener: PeerListener) -> tuple[Peer, str]:
        raise NoLiveKit(what="WebRTC", remedy="this avatar lives in its agent's room")

    return Studio(
        face=catalog.load,
        lipsync=open_lipsync,
        video=lambda codec, look, fps, bitrate: open_video(
            codec, look.width, look.height, fps, bitrate, media.max_bitrate
        ),
        sound=OpusEncoder,
        answer=answer,
        ledger=_NoLedger(),
        join=enter,
    )


def _warm() -> None:
    catalog.warm()
    warm_lipsync()
