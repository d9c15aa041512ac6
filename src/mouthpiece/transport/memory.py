"""A peer that keeps what it is sent: the twin of a viewer, for tests and for trying the engine without a network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from mouthpiece.media import EncodedPicture, EncodedSound, Pcm
from mouthpiece.transport.base import PeerListener, VideoCodec

KEPT: Final = 100_000
"""Packets kept of each kind (over half an hour of sound); older ones are forgotten."""


class MemoryPeer:
    """A ``Peer`` without a network. The lower half plays the viewer: each method tells the listener at once."""

    def __init__(
        self, listener: PeerListener, *, video_codec: VideoCodec | None = "h264", wants_sound: bool = True
    ) -> None:
        self._listener = listener
        self._video_codec = video_codec
        self._wants_sound = wants_sound
        self.sounds: deque[EncodedSound] = deque(maxlen=KEPT)
        self.pictures: deque[EncodedPicture] = deque(maxlen=KEPT)
        self.replies: deque[str] = deque(maxlen=KEPT)
        self.closed = False
        self._lost = False

    @property
    def video_codec(self) -> VideoCodec | None:
        """The codec that was agreed on, None when nobody wants pictures."""
        return self._video_codec

    @property
    def wants_sound(self) -> bool:
        """Whether the other side receives sound."""
        return self._wants_sound

    def send_sound(self, packet: EncodedSound) -> None:
        """Keep one packet, unless closed."""
        if self._wants_sound and not self._gone:
            self.sounds.append(packet)

    def send_picture(self, packet: EncodedPicture) -> None:
        """Keep one picture, unless closed."""
        if self._video_codec is not None and not self._gone:
            self.pictures.append(packet)

    async def close(self) -> None:
        """Leave. Idempotent."""
        self.closed = True

    # --- the viewer ------------------------------------------------------------------------------------------------
    def connect(self) -> None:
        """The viewer's connection comes up."""
        self._listener.on_connected()

    def lose(self, reason: str = "the connection was closed") -> None:
        """The viewer goes away; told once, and only if not closed before."""
        if not self._gone:
            self._lost = True
            self._listener.on_lost(reason)

    def request_keyframe(self) -> None:
        """The viewer cannot decode."""
        self._listener.on_keyframe_request()

    def estimate(self, bits_per_second: int) -> None:
        """The viewer estimates what the path carries."""
        self._listener.on_bitrate(bits_per_second)

    def say(self, message: str | bytes) -> None:
        """The viewer sends a data-channel message; the answers are in ``replies``."""
        reply: Callable[[str], None] = self.replies.append
        self._listener.on_message(message, reply)

    def talk(self, pcm: Pcm) -> None:
        """The viewer speaks: 16 kHz mono."""
        self._listener.on_microphone(pcm)

    @property
    def _gone(self) -> bool:
        return self.closed or self._lost
