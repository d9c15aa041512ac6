"""What a video costs: seconds of MP4 and HLS a CPU-second, stage by stage, and against its encoders alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from mouthpiece.bench.report import Report, at_least
from mouthpiece.bench.speech import speech
from mouthpiece.codec.mux import MOVIE, PLAYLIST, Container, Format, Recorder
from mouthpiece.face import catalog
from mouthpiece.face.base import FaceRenderer
from mouthpiece.lipsync.listen import AudioLipSync
from mouthpiece.media import SAMPLE_RATE, Look, MouthPose, Pcm, Picture
from mouthpiece.render.film import Scene, film

AIM: Final = 8.0
LOOK: Final = Look("mia")
FORM: Final = Format(LOOK.width, LOOK.height)


@dataclass(slots=True)
class Costs:
    """CPU-seconds of this thread, where they are spent."""

    draw: float = 0.0
    video: float = 0.0
    sound: float = 0.0
    close: float = 0.0
    total: float = 0.0
    pictures: int = 0
    kept: list[tuple[Picture, int]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Of video."""
        return self.pictures / FORM.fps

    @property
    def mouth(self) -> float:
        """The rest: lip sync and session engine."""
        return self.total - self.draw - self.video - self.sound - self.close


class Watched:
    """A face, its renderer, and a recording in one, that look at the clock."""

    def __init__(self, recorder: Recorder, *, keep: bool) -> None:
        self.costs = Costs()
        self._face = catalog.load(LOOK.face_id)
        self._recorder = recorder
        self._keep = keep

    face_id = LOOK.face_id
    name = "watched"

    def renderer(self, look: Look) -> FaceRenderer:
        """See ``face.base.Face``."""
        self._renderer = self._face.renderer(look)
        return self

    def lively(self, look: Look, seconds: float) -> bool:
        """See ``face.base.Face``."""
        return self._face.lively(look, seconds)

    def draw(self, pose: MouthPose, seconds: float) -> Picture:
        """See ``face.base.FaceRenderer``."""
        began = time.thread_time()
        picture = self._renderer.draw(pose, seconds)
        self.costs.draw += time.thread_time() - began
        return picture

    def picture(self, picture: Picture, sample: int) -> None:
        """See ``render.film.Recording``."""
        if self._keep:
            self.costs.kept.append((Picture(picture.data.copy()), sample))
        began = time.thread_time()
        self._recorder.picture(picture, sample)
        self.costs.video += time.thread_time() - began

    def sound(self, pcm: Pcm) -> None:
        """See ``render.film.Recording``."""
        began = time.thread_time()
        self._recorder.sound(pcm)
        self.costs.sound += time.thread_time() - began


def run(rounds: int, say: Callable[[str], None]) -> Report:
    """Render the bench's speech to MP4, and to MP4 and HLS at once, as jobs do; the cheapest of ``rounds``."""
    catalog.warm()
    AudioLipSync(patient=True)
    pcm = speech()
    once = rendered(pcm, ("mp4",), keep=True)
    floor = min(encoded(once.kept, pcm) for _ in range(rounds))
    say(f"encoders alone: {floor / once.seconds:.4f} CPU-s a second of video")
    both: tuple[tuple[Container, ...], ...] = (("mp4",), ("mp4", "hls"))
    best = [min((rendered(pcm, kinds) for _ in range(rounds)), key=lambda costs: costs.total) for kinds in both]
    rows = [_row("+".join(kinds), costs, floor) for kinds, costs in zip(both, best, strict=True)]
    aims = [at_least("seconds of MP4 a CPU-second", AIM, best[0].seconds / best[0].total)]
    notes = [
        f"512x512 at 25 pictures a second, {best[0].seconds:.1f} s of speech, one thread; CPU-s a second of video:",
        "mouth: lip sync and session engine; video and sound: encoding and muxing; close: the index to the front",
    ]
    return Report("render", rows, aims, notes)


def rendered(pcm: Pcm, kinds: tuple[Container, ...], *, keep: bool = False) -> Costs:
    """One film."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(FORM, [(kind, Path(folder) / (MOVIE if kind == "mp4" else PLAYLIST)) for kind in kinds])
        watched = Watched(recorder, keep=keep)
        began = time.thread_time()
        watched.costs.pictures = film(pcm, Scene(LOOK, FORM.fps), watched, watched, lambda _: None)
        filmed = time.thread_time()
        recorder.close()
        watched.costs.close = time.thread_time() - filmed
        watched.costs.total = time.thread_time() - began
        return watched.costs


def encoded(pictures: list[tuple[Picture, int]], pcm: Pcm) -> float:
    """CPU-seconds of encoding pictures that are drawn already, and their sound, into an MP4."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(FORM, [("mp4", Path(folder) / MOVIE)])
        began = time.thread_time()
        for picture, sample in pictures:
            recorder.picture(picture, sample)
        for at in range(0, len(pcm), SAMPLE_RATE // 5):
            recorder.sound(np.asarray(pcm[at : at + SAMPLE_RATE // 5]))
        recorder.close()
        return time.thread_time() - began


def _row(what: str, costs: Costs, floor: float) -> dict[str, str | int | float | None]:
    each = costs.seconds
    return {
        "files": what,
        "s_per_cpu_s": round(each / costs.total, 2),
        "x_encoders": round(costs.total / floor, 2),
        "cpu_s_per_s": round(costs.total / each, 4),
        "draw": round(costs.draw / each, 4),
        "mouth": round(costs.mouth / each, 4),
        "video": round(costs.video / each, 4),
        "sound": round(costs.sound / each, 4),
        "close": round(costs.close / each, 4),
    }
