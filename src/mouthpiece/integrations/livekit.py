"""An avatar for livekit-agents in the agent's own process: the agent's voice goes straight to a face in its room.

The face joins the room as a participant of its own, as the avatar of the agent. Needs ``mouthpiece[livekit,agents]``.
"""

from __future__ import annotations

import time
from typing import Any

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.avatar import AvatarSession as BaseAvatarSession
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from mouthpiece.codec.resample import Downmix
from mouthpiece.errors import NoLiveKit
from mouthpiece.integrations.solo import DAY_S, Solo
from mouthpiece.live.session import Session
from mouthpiece.media import SAMPLE_RATE, Look
from mouthpiece.settings import LiveKitSettings, MediaSettings
from mouthpiece.transport.base import RoomListener, RoomPeer, RoomTicket
from mouthpiece.transport.grants import Signer
from mouthpiece.transport.livekit import LiveKitPeer, join

IDENTITY = "mouthpiece-avatar"


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
        self._solo: Solo | None = None

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
        voice, agent, media = _Voice(), room.local_participant.identity, self._media

        async def enter(ticket: RoomTicket, listener: RoomListener) -> RoomPeer:
            return _Reporting(await join(ticket, listener, LiveKitSettings(join_timeout_s=DAY_S), media), voice)

        self._solo = await Solo.open(self._look, media, enter, "livekit-agent")
        token = Signer(key, secret).avatar(room.name, self._identity, time.time(), DAY_S, agent)
        await self._solo.enter(url, token, agent)
        voice.session = self._solo.session
        agent_session.output.replace_audio_tail(voice)

    async def aclose(self) -> None:
        """Leave the room. Idempotent."""
        if self._solo is not None:
            await self._solo.close()
        self._solo = None
        await super().aclose()


class _Voice(AudioOutput):
    """The agent's voice: what it captures is what the session says, and what was heard is told back."""

    def __init__(self) -> None:
        super().__init__(label="mouthpiece", capabilities=AudioOutputCapabilities(pause=False), sample_rate=SAMPLE_RATE)
        self.session: Session | None = None
        self._ear: Downmix | None = None  # of the segment that is open

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """More of the segment."""
        await super().capture_frame(frame)
        if self._ear is None:
            self._ear = Downmix(frame.sample_rate, frame.num_channels)
        if self.session is not None:
            self.session.on_segment_sound(self._ear.hear(bytes(frame.data)))

    def flush(self) -> None:
        """The segment is whole."""
        super().flush()
        ear, self._ear = self._ear, None
        if self.session is not None:
            self.session.on_segment_sound(ear.rest() if ear else b"")
            self.session.on_segment_end()

    def clear_buffer(self) -> None:
        """The agent was interrupted."""
        self._ear = None
        if self.session is not None:
            self.session.on_clear()


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
