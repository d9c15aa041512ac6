"""Pictures that are not encoded at all, for ways out that take plain pixels."""

from __future__ import annotations

from av import VideoFrame

from mouthpiece.media import EncodedPicture, Picture


class RgbPictures:
    """A ``VideoEncoder`` whose packets are rows of RGB, 8 bits each, without padding: every one is a key frame."""

    def encode(self, picture: Picture, sample: int, *, key: bool = False) -> EncodedPicture:
        """Convert a picture."""
        frame = VideoFrame.from_numpy_buffer(picture.data, format="yuv420p")
        return EncodedPicture(frame.to_ndarray(format="rgb24").tobytes(), sample, key=True)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Nothing is compressed."""

    def close(self) -> None:
        """Nothing is held."""
