"""What a video encoder offers to the tick and to render jobs."""

from __future__ import annotations

from typing import Protocol

from mouthpiece.media import EncodedPicture, Picture


class VideoEncoder(Protocol):
    """One live video encoder: one picture in, one packet out, at once. Encoding releases the GIL."""

    def encode(self, picture: Picture, sample: int, *, key: bool = False) -> EncodedPicture:
        """Encode a picture whose media time is ``sample``; ``key`` forces a key frame. ``sample`` must increase."""
        ...

    def set_bitrate(self, bits_per_second: int) -> None:
        """Aim at another bitrate from the next picture on, within the ceiling given at opening; forces no key frame."""
        ...

    def close(self) -> None:
        """Free the encoder. Idempotent."""
        ...
