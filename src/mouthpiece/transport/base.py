"""Where a session's pictures and sound leave, and where its viewer's words and voice enter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from mouthpiece.media import EncodedPicture, EncodedSound, Pcm

VideoCodec = Literal["h264", "vp8"]


class PeerListener(Protocol):
    """What a peer tells its session. Called on the event loop; must not block."""

    def on_connected(self) -> None:
        """Media can flow: the session's clock may start. Once."""

    def on_lost(self, reason: str) -> None:
        """The peer never connected or went silent. Once, and only if we did not close it ourselves."""

    def on_keyframe_request(self) -> None:
        """A viewer cannot decode (PLI or FIR)."""

    def on_bitrate(self, bits_per_second: int) -> None:
        """The receiver's estimate of what the path carries (REMB, or our own rule on reported loss)."""

    def on_message(self, message: str | bytes, reply: Callable[[str], None]) -> None:
        """A data-channel message; ``reply`` answers on the same channel."""

    def on_channel(self, label: str, send: Callable[[str], None]) -> None:
        """The viewer opened a data channel of this name; ``send`` writes to it, and drops what nobody reads."""

    def on_microphone(self, pcm: Pcm) -> None:
        """The viewer's voice, 16 kHz mono, as it arrives."""


class Peer(Protocol):
    """One session's way out. Sends never block and never raise; a closed peer ignores them."""

    @property
    def video_codec(self) -> VideoCodec | None:
        """The codec that was agreed on, None when nobody wants pictures."""
        ...

    @property
    def wants_sound(self) -> bool:
        """Whether the other side receives sound."""
        ...

    def send_sound(self, packet: EncodedSound) -> None:
        """Send one 20 ms packet now."""
        ...

    def send_picture(self, packet: EncodedPicture) -> None:
        """Send one picture now."""
        ...

    async def close(self) -> None:
        """Leave. Idempotent."""
        ...
