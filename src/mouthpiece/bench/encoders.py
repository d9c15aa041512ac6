"""The bare encoders: what video and sound cost with nothing around them, the floor that the benches compare with."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.codec.video import open_video
from mouthpiece.face.catalog import load
from mouthpiece.lipsync import open_lipsync
from mouthpiece.media import TICK, Look, Pcm, Picture, frame_sample
from mouthpiece.session.engine import Engine, EngineConfig
from mouthpiece.session.events import Frame

FPS = 25
SECONDS = 8


@dataclass(frozen=True, slots=True)
class Floor:
    """CPU-seconds a second of media."""

    video: float
    sound: float

    @property
    def both(self) -> float:
        """Video and sound together."""
        return self.video + self.sound


def talking_pictures(pcm: Pcm, seconds: int = SECONDS) -> list[Picture]:
    """The pictures of a talking session, drawn beforehand."""
    look = Look("mia")
    renderer = load(look.face_id).renderer(look)
    engine = Engine(EngineConfig(look, FPS), open_lipsync())
    engine.push(pcm.tobytes())
    events = engine.advance(seconds * 16_000)
    frames = [event for event in events if isinstance(event, Frame)]
    return [Picture(renderer.draw(frame.pose, frame.sample / 16_000).data.copy()) for frame in frames]


def measure_floor(pcm: Pcm) -> Floor:
    """Encode the pictures and the sound of one talking session in a tight loop, on one thread."""
    pictures = talking_pictures(pcm)
    video, sound = open_video("h264", 512, 512, FPS, 500_000, 1_500_000), OpusEncoder()
    started = time.thread_time()
    for n, picture in enumerate(pictures):
        video.encode(picture, frame_sample(n, FPS))
    drawn = time.thread_time()
    whole = len(pcm) // TICK * TICK
    for sample in range(0, whole, TICK):
        sound.encode(pcm[sample : sample + TICK], sample)
    done = time.thread_time()
    return Floor((drawn - started) * FPS / len(pictures), (done - drawn) * 16_000 / whole)
