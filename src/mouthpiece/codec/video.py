"""One way to open a live video encoder, whichever the codec."""

from __future__ import annotations

from typing import Literal

from mouthpiece.codec.base import VideoEncoder
from mouthpiece.codec.h264 import H264Encoder
from mouthpiece.codec.vp8 import Vp8Encoder


def open_video(  # six facts, all plain numbers, that every caller has at hand
    codec: Literal["h264", "vp8"], width: int, height: int, fps: int, bitrate: int, ceiling: int
) -> VideoEncoder:
    """A live encoder of ``width`` x ``height``, aiming at ``bitrate`` bits a second, never over ``ceiling``.

    It adds no delay: each picture gives its packet at once.
    """
    make = H264Encoder if codec == "h264" else Vp8Encoder
    return make((width, height), fps, bitrate, ceiling)
