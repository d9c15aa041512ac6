"""Videos as their planes: what is decoded, opacity included."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

OPAQUE = "libvpx-vp9"
"""The decoder that reads VP9's opacity."""


def first_planes(source: Path | bytes, decoder: str | None = None) -> list[NDArray[np.uint8]]:
    """The planes of the first picture: Y, U, V, and opacity where the decoder knows any."""
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "r") as container:
        stream = container.streams.video[0]
        codec = (
            stream.codec_context if decoder is None else cast(VideoCodecContext, av.CodecContext.create(decoder, "r"))
        )
        frame = next(frame for packet in container.demux(stream) for frame in codec.decode(packet))
    return [np.frombuffer(bytes(p), np.uint8).reshape(-1, p.line_size)[:, : p.width] for p in frame.planes]
