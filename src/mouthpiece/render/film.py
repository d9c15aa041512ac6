"""A film from a file of sound: the session engine driven without waiting.

The whole sound is there, so the lip sync may hear 220 ms of what follows (a live session: 60 ms), and long pieces at
once, which costs half.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from mouthpiece.codec.mux import Container, Format, Recorder
from mouthpiece.codec.webm import WebmRecorder
from mouthpiece.face.base import FaceRenderer, Hearing
from mouthpiece.face.engines import MouthMaker
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.scenery import EMPTY, Scenery
from mouthpiece.lipsync.articulation import Word, words_of
from mouthpiece.lipsync.base import Weights
from mouthpiece.lipsync.listen import AudioLipSync
from mouthpiece.lipsync.phones import exact_phones
from mouthpiece.lipsync.script import UNKNOWN, Script
from mouthpiece.lipsync.visemes import TimedViseme
from mouthpiece.media import REST, SAMPLE_RATE, Look, MouthPose, Pcm, Picture
from mouthpiece.render.base import Order
from mouthpiece.session.engine import Engine, EngineConfig
from mouthpiece.session.events import Frame, Sound

PIECE: Final = SAMPLE_RATE
"""Samples heard ahead at a time, and given to the engine at a time."""

STRIDE: Final = SAMPLE_RATE // 5
"""Samples between reports of progress."""

LONGEST_TAIL: Final = 2 * SAMPLE_RATE
"""More than any film goes on after its sound: until speech counts as over and the mouth is shut."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is filmed beside the sound. ``script``: what is said, where it is known; ``hears``: as ``EngineConfig``."""

    look: Look
    fps: int = 25
    script: Script = UNKNOWN
    hears: tuple[int, int] = (0, 0)


class Cast(Protocol):
    """Who is filmed: a face, or a face with an engine or pictures of its own."""

    def renderer(self, look: Look) -> FaceRenderer:
        """See ``face.base.Face``."""
        ...


@dataclass(frozen=True, slots=True)
class Props:
    """What a film has beside its face: pictures around it, and who redraws its mouth."""

    scenery: Scenery = EMPTY
    maker: MouthMaker | None = None


@dataclass(frozen=True, slots=True)
class _Dressed:
    """A ``Cast``."""

    face: MeshFace
    props: Props

    def renderer(self, look: Look) -> FaceRenderer:
        if self.props.maker is None:
            return self.face.renderer(look, self.props.scenery)
        self.props.maker.prepare(self.face)
        return self.props.maker.renderer(self.face, look, self.props.scenery)


class Recording(Protocol):
    """Where pictures and sound go: ``codec.mux.Recorder``, ``codec.webm.WebmRecorder``."""

    def picture(self, picture: Picture, sample: int) -> None:
        """The next picture, at media time ``sample``; its data is reused afterwards."""

    def sound(self, pcm: Pcm) -> None:
        """The next samples."""


class _Files(Recording, Protocol):
    def close(self) -> None:
        """There is no more."""


class _Both:
    """Two recordings of the same."""

    def __init__(self, recordings: Sequence[_Files]) -> None:
        self._recordings = recordings

    def picture(self, picture: Picture, sample: int) -> None:
        for each in self._recordings:
            each.picture(picture, sample)

    def sound(self, pcm: Pcm) -> None:
        for each in self._recordings:
            each.sound(pcm)

    def close(self) -> None:
        for each in self._recordings:
            each.close()


class Rehearsed:
    """Lip sync that hears the sound before it is played; see ``lipsync.base.LipSync`` for the contract.

    What is pushed must be the sound given here, then zeros.
    """

    def __init__(self, sound: Pcm, script: Script = UNKNOWN) -> None:
        self._sync = AudioLipSync(patient=True)
        self._sync.cue(script.visemes)
        self._sync.expect(script.words)
        self._ahead = _pieces(sound)
        self._known: deque[tuple[int, MouthPose]] = deque()
        self._played = 0

    @property
    def lookahead(self) -> int:
        """None: the poses are known already."""
        return 0

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        """The poses up to the end of these samples."""
        self._played += len(pcm)
        out: list[tuple[int, MouthPose]] = []
        while True:
            while not self._known:
                self._known.extend(self._sync.push(next(self._ahead)))
            if self._known[0][0] > self._played:
                return out
            out.append(self._known.popleft())

    @property
    def told(self) -> Sequence[Weights]:
        """A film needs none."""
        return ()

    def cue(self, visemes: Sequence[TimedViseme]) -> None:
        """What is known of the sound is known from the beginning."""

    def expect(self, words: Sequence[Word]) -> None:
        """What is known of the sound is known from the beginning."""

    def interrupt(self) -> None:
        """Shut the mouth at once, in all that is known so far."""
        self._sync.interrupt()
        self._known = deque((sample, REST) for sample, _ in self._known)


class _Easel:
    """Draws the pictures of a stride before any is encoded, which spares a tenth: each keeps the cache to itself."""

    def __init__(self, renderer: FaceRenderer) -> None:
        self._renderer = renderer
        self._sheets: list[Picture] = []
        self._samples: list[int] = []

    def draw(self, frame: Frame) -> None:
        if frame.sound is not None and isinstance(self._renderer, Hearing):
            self._renderer.hear(frame.sound)
        drawn = self._renderer.draw(frame.pose, frame.sample / SAMPLE_RATE)
        if len(self._samples) == len(self._sheets):
            self._sheets.append(Picture(drawn.data.copy()))
        else:
            np.copyto(self._sheets[len(self._samples)].data, drawn.data)
        self._samples.append(frame.sample)

    def hand_over(self, recording: Recording) -> None:
        for sheet, sample in zip(self._sheets, self._samples, strict=False):
            recording.picture(sheet, sample)
        self._samples.clear()


def _pieces(sound: Pcm) -> Iterator[Pcm]:
    for at in range(0, len(sound), PIECE):
        yield sound[at : at + PIECE]
    while True:
        yield np.zeros(PIECE, np.int16)


def film(sound: Pcm, scene: Scene, face: Cast, recording: Recording, report: Callable[[float], None]) -> int:
    """Record all of ``sound`` and the moment until the mouth is shut; returns the number of pictures.

    ``report`` is told now and then how much is done, 0..1.
    """
    engine = _engine(sound, scene)
    easel = _Easel(face.renderer(scene.look))
    pieces = range(0, len(sound), PIECE)
    given = 0
    while engine.ended is None:
        while given < len(pieces) and engine.queued < PIECE:
            engine.push(sound[pieces[given] : pieces[given] + PIECE].tobytes())
            given += 1
        if given == len(pieces):
            engine.finish()
        heard: list[Pcm] = []
        for event in engine.advance(engine.now + STRIDE):
            if isinstance(event, Sound):
                heard.append(event.pcm)
            elif isinstance(event, Frame):
                easel.draw(event)
        easel.hand_over(recording)
        recording.sound(np.concatenate(heard) if heard else np.zeros(0, np.int16))
        report(min(1.0, engine.now / max(1, len(sound))))
    return engine.frames


def shoot(
    order: Order,
    sound: Pcm,
    face: MeshFace,
    files: Sequence[tuple[Container, Path]],
    report: Callable[[float], None],
    props: Props = Props(),
) -> int:
    """Render what is ordered into files; returns the number of pictures.

    Raises InvalidEmotion, and OSError when a file cannot be written.
    """
    recording = _recording(order, files)
    hears = (0, 0) if props.maker is None else props.maker.info.hears
    scene = Scene(order.look, order.fps, _script(order, sound), hears)
    pictures = film(sound, scene, _Dressed(face, props), recording, report)
    recording.close()
    return pictures


def _recording(order: Order, files: Sequence[tuple[Container, Path]]) -> _Files:
    form = Format(*order.look.picture_size, order.fps)
    webms = [path for kind, path in files if kind == "webm"]
    others = [(kind, path) for kind, path in files if kind != "webm"]
    recordings: list[_Files] = [WebmRecorder(form, path, transparent=order.look.transparent) for path in webms]
    if others:
        recordings.append(Recorder(form, others))
    return recordings[0] if len(recordings) == 1 else _Both(recordings)


def _script(order: Order, sound: Pcm) -> Script:
    if order.exact:
        return Script.of_phones(exact_phones(order.phones, sound))
    return Script(words=tuple(words_of(order.phones, order.word_starts)))


def _engine(sound: Pcm, scene: Scene) -> Engine:
    whole = len(sound) + LONGEST_TAIL
    rules = EngineConfig(scene.look, scene.fps, max_length=whole, max_idle=whole, backlog=2 * PIECE, hears=scene.hears)
    return Engine(rules, Rehearsed(sound, scene.script))
