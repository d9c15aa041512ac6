"""Lip sync from sound: the network's visemes, moved by springs, closed by gates, hushed by silence.

The look-ahead of 60 ms is spent like this, for the pose at sample ``s``: the network tells for good what happens in
the 10 ms from ``s``, and guesses the 40 ms after. Springs lag by some 20 ms and are fed 20 ms early; closures begin
early enough for a picture to show them. Known words, where there are any, correct what the network tells; visemes
that the speaker told exactly take its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.base import POSE_STEP, Weights
from mouthpiece.lipsync.features import HOP, STEP
from mouthpiece.lipsync.hops import Hops
from mouthpiece.lipsync.informed import Informed
from mouthpiece.lipsync.known import Known, Told, gates_of, shape_of
from mouthpiece.lipsync.mouth import Mouth
from mouthpiece.lipsync.neural import Recognizer
from mouthpiece.lipsync.prosody import Tone, Voice
from mouthpiece.lipsync.smooth import Gate, Springs, scale_opening
from mouthpiece.lipsync.steady import Steady
from mouthpiece.lipsync.visemes import TABLE, Heard, TimedViseme, Track
from mouthpiece.media import MouthPose, Pcm

_GATE_FROM, _GATE_RANGE = 0.30, 0.25  # probability at which a closure begins, and from there to complete
_LONGEST_TUCK = 18  # poses: no f or v lasts longer, but a breath can sound like one
_EARLY = 2  # frames that the springs are fed before their time
_GATE_FRAMES = slice(1, 3)  # of closures, from the frame before: the strongest of these counts


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One 10 ms: the sample where it begins, what was heard there, and the pose.

    ``visemes`` (15,) weights in the order of ``VISEMES``; ``closure`` and ``tuck`` probabilities; ``shape`` (6,) in
    the order of ``articulation.ARTICULATORS``; ``presence`` of the voice, 0 to 1.
    """

    sample: int
    visemes: NDArray[np.float32]
    closure: float
    tuck: float
    shape: NDArray[np.float32]
    presence: float
    pose: MouthPose


def track_of(frames: Sequence[Frame]) -> Track:
    """All that was heard in these frames, in arrays."""
    visemes, shapes = (np.array(a, np.float32) for a in zip(*((f.visemes, f.shape) for f in frames), strict=True))
    gates = np.array([(f.closure, f.tuck, f.presence) for f in frames], np.float32)
    return Track(visemes, gates[:, 0], gates[:, 1], shapes, gates[:, 2])


class AudioLipSync:
    """Streaming lip sync of one session from its sound; see ``base.LipSync`` for the contract.

    A ``patient`` one waits 220 ms and hears better: for files.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self._hops = Hops()
        self._step = np.zeros((STEP // HOP, HOP), np.int16)
        self._recognizer = Recognizer(patient=patient)
        self._steady = Steady(self._recognizer.silence)
        self._informed = Informed()
        self._known = Known()
        self._last: list[Weights] = []
        self._told: deque[Heard] = deque()
        self._hear_heard(self._recognizer.silence)
        self._springs, self._closure, self._tuck = Springs(), Gate(), Gate(_LONGEST_TUCK)
        self._voice = Voice(self._recognizer.delay // HOP)
        self._mouth = Mouth()

    @property
    def lookahead(self) -> int:
        """60 ms, or 220 ms of a patient one."""
        return self._recognizer.delay

    def expect(self, words: Sequence[Word]) -> None:
        """Words that will be heard next, after those already expected; where they do not fit they change nothing."""
        self._informed.expect(words)

    def cue(self, visemes: Sequence[TimedViseme]) -> None:
        """Exact visemes of the sound that is pushed next; see ``base.LipSync``."""
        if visemes or self._known.active:
            self._known.cue(self._hops.samples, visemes)

    def push(self, pcm: Pcm) -> Sequence[tuple[int, MouthPose]]:
        """Feed the next samples, any number of them; return the poses that are now complete."""
        frames = self.follow(pcm)
        self._last = [frame.visemes for frame in frames]
        return [(frame.sample, frame.pose) for frame in frames]

    @property
    def told(self) -> Sequence[Weights]:
        """Weights of the visemes of each pose that the last ``push`` returned."""
        return self._last

    def follow(self, pcm: Pcm) -> list[Frame]:
        """As ``push``, with all that was heard for each pose."""
        self._hear_ahead(pcm)
        frames = []
        for hop in self._hops.cut(pcm):
            self._hear(hop)
            if (sample := self._hops.count * POSE_STEP - self.lookahead) >= 0:
                frames.append(self._frame(sample))
        return frames

    def interrupt(self) -> None:
        """Speech was cut off: ease shut from the last pose within 100 ms, whatever was heard so far."""
        self._hops.silence()
        self._step[:] = 0
        self._recognizer.reset()
        self._steady = Steady(self._recognizer.silence)
        self._informed.forget()
        self._known.forget()
        self._hear_heard(self._recognizer.silence)
        self._voice.interrupt()
        self._mouth.interrupt()

    def _hear_ahead(self, pcm: Pcm) -> None:
        """Let the network hear all whole steps of a long piece at once, which is quicker and tells the same."""
        steps = len(pcm) // STEP
        if steps > 1 and self._hops.empty and self._hops.count % len(self._step) == 0:
            self._told.extend(self._recognizer.steps(pcm[: steps * STEP]))

    def _hear(self, hop: Pcm) -> None:
        self._voice.hear(hop)
        place = (self._hops.count - 1) % len(self._step)
        self._step[place] = hop
        if place == len(self._step) - 1:
            before = self._gates[len(self._step)]
            told = self._told.popleft() if self._told else self._recognizer.step(self._step.ravel())
            self._hear_heard(self._informed.step(self._steady.step(told)))
            self._gates[0] = before

    def _hear_heard(self, heard: Heard) -> None:
        self._heard = heard
        self._shapes = (heard.visemes @ TABLE).astype(np.float64)
        shut, tucked = heard.closure.tolist(), heard.tuck.tolist()
        self._gates = [(shut[0], tucked[0]), *zip(shut, tucked, strict=True)]

    def _frame(self, sample: int) -> Frame:
        now, heard, tone = self._hops.count % len(self._step), self._heard, self._voice.now()
        told = self._known.pose(sample, jump=tone.presence == 0.0) if self._known.active else None
        pose = self._pose(now, tone, told)
        visemes, shape = heard.visemes[now], heard.shape[now]
        closure, tuck = float(heard.closure[now]), float(heard.tuck[now])
        if told is not None and told.weight > 0.0:
            known, w = self._known.visemes(sample), told.weight
            shut, tucked = gates_of(known)
            visemes = (visemes * (1 - w) + known * w).astype(np.float32)
            shape = (shape * (1 - w) + shape_of(known) * w).astype(np.float32)
            closure, tuck = closure * (1 - w) + shut * w, tuck * (1 - w) + tucked * w
        return Frame(sample, visemes, closure, tuck, shape, tone.presence, pose)

    def _pose(self, now: int, tone: Tone, told: Told | None) -> MouthPose:
        shapes = self._shapes[now + _EARLY]
        if tone.presence == 0.0:
            self._springs.rest()
            self._closure.rest()
            self._tuck.rest()
            return self._mouth.show(shapes, 0.0, 0.0, tone)
        near = zip(*self._gates[now + _GATE_FRAMES.start : now + _GATE_FRAMES.stop], strict=True)
        closure, tuck = ((max(sure) - _GATE_FROM) / _GATE_RANGE for sure in near)
        shapes = self._springs.step(scale_opening(shapes, tone.gain))
        closure, tuck = self._closure.step(closure), self._tuck.step(tuck)
        if told is not None and told.weight > 0.0:
            w = told.weight
            shapes = shapes * (1 - w) + scale_opening(told.shapes, tone.gain) * w
            closure, tuck = closure * (1 - w) + told.closure * w, tuck * (1 - w) + told.tuck * w
        return self._mouth.show(shapes, closure, tuck, tone)
