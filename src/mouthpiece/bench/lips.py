"""Watches a video stream for an open mouth: each picture is decoded as soon as its last packet is there."""

from __future__ import annotations

import time
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

OPEN: Final = 0.3
"""Of the most that the mouth differs from rest in an answer: what is seen as open."""

REST_S, LOOK_S, EARLY_S = 0.4, 1.0, 0.1


class Unwatched:
    """Takes packets where the WebRTC library keeps its jitter buffer, and forgets them: nothing is decoded."""

    def add(self, packet: object) -> tuple[bool, None]:
        """Called by the library with every packet."""
        return False, None


class LipReader:
    """Stands where the WebRTC library keeps its jitter buffer. Over loopback, packets come in order."""

    def __init__(self) -> None:
        self._codec: Any = None
        self._picture = bytearray()
        self._seen: list[tuple[float, NDArray[np.float32]]] = []

    def add(self, packet: Any) -> tuple[bool, None]:  # noqa: ANN401 -- aiortc's packet, with its payload beside it
        """Called by the library with every packet."""
        self._picture += packet._data
        if packet.marker and self._picture:
            self._decode(bytes(self._picture))
            self._picture.clear()
        return False, None

    def _decode(self, data: bytes) -> None:
        if self._codec is None:
            self._codec = av.CodecContext.create("h264" if data.startswith(b"\x00\x00") else "vp8", "r")
        try:
            frames = self._codec.decode(av.Packet(data))
        except av.FFmpegError:
            return  # until the first key frame
        for frame in frames:
            grey = frame.to_ndarray(format="gray")
            high, wide = grey.shape
            box = grey[round(high * 0.55) : round(high * 0.75), round(wide * 0.36) : round(wide * 0.64)]
            self._seen.append((time.monotonic(), box[::4, ::4].astype(np.float32)))

    def opened(self, before: float, first: float) -> float | None:
        """When the mouth was first open near the first sound ``first``; at rest it was just before ``before``."""
        rest = [box for at, box in self._seen if before - REST_S < at < before]
        near = [(at, box) for at, box in self._seen if first - EARLY_S < at < first + LOOK_S]
        if not rest or not near:
            return None
        calm = np.mean(rest, axis=0)
        differ = [float(np.abs(box - calm).mean()) for _, box in near]
        return next(at for (at, _), much in zip(near, differ, strict=True) if much >= OPEN * max(differ))
