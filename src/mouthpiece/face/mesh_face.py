"""The mesh engine behind ``face.base``: a loaded face, and its renderers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from mouthpiece.face import topology as topo
from mouthpiece.face.camera import Camera, camera_of, orbit, view
from mouthpiece.face.idle import VOR, Life, life, moves_fast
from mouthpiece.face.moods import Mood, mood
from mouthpiece.face.pack import Pack, read
from mouthpiece.face.rig import POSE, POSE_SIZE, Canvas, Floats, Scratch
from mouthpiece.face.scenery import EMPTY, Overlay, Scenery, backdrop
from mouthpiece.face.stage import Stage, set_stage
from mouthpiece.face.transparent import Matting, nobody
from mouthpiece.media import MOUTH_SHAPES, REST, Look, MouthPose, Picture

OPEN_LIPS: Final = slice(4, -4)  # columns of the lips that part: the others are the corners
MOUTH_WEIGHTS: Final = 10  # the first fields of MouthPose are the first rows of the basis
IDLE_FPS: Final = 25  # Look.start_frame counts in these
STAGES: Final = 4  # canvas sizes whose textures a face keeps (about 12 MB each at 512 x 512)

# Rows of the basis, see basis.SHAPES, which the runtime cannot import (it needs SciPy).
SHAPES: Final = (
    *MOUTH_SHAPES[:MOUTH_WEIGHTS],
    *("frown", "shift", "blink_r", "blink_l", "squint_r", "squint_l", "wide_r", "wide_l"),
    *("brow_inner_up", "brow_up", "brow_down"),
    *("smile_skew", "brow_skew", "cheek", "sneer", "look_down"),
)
ROW: Final = {name: k for k, name in enumerate(SHAPES)}
TONGUE_UP, TONGUE_OUT = MOUTH_SHAPES.index("tongue_up"), MOUTH_SHAPES.index("tongue_out")

Finish = Callable[[Picture], Picture]
"""A step after drawing; its result is valid until its next call."""


class MeshFace:
    """A face loaded from its pack; see ``face.base.Face``. Immutable but for a small cache of stages."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self._stages: dict[tuple[int, int], Stage] = {}

    @classmethod
    def from_bytes(cls, data: bytes) -> MeshFace:
        """A face from a pack file's bytes; raises BadInput."""
        return cls(read(data))

    @property
    def face_id(self) -> str:
        """The id that requests name."""
        return self.pack.face_id

    @property
    def name(self) -> str:
        """The name for people."""
        return self.pack.name

    def renderer(self, look: Look, scenery: Scenery | None = None) -> MeshRenderer:
        """A renderer for this look. Width and height must be even; raises InvalidEmotion and ValueError."""
        if look.width % 2 or look.height % 2 or min(look.width, look.height) < 32:
            raise ValueError(f"canvas {look.width}x{look.height}: both sides must be even and at least 32")
        return MeshRenderer(self.pack, self._stage(look.width, look.height), look, scenery)

    def lively(self, look: Look, seconds: float) -> bool:
        """Whether a blink or a glance is under way."""
        return moves_fast(look.seed, seconds + look.start_frame / IDLE_FPS, mood(look.emotion).manner)

    def lip_gap(self, pose: MouthPose) -> float:
        """Widest opening between the inner lips of the mesh in mm, without head motion."""
        from mouthpiece.face.placing import deform

        state = np.zeros(len(SHAPES) + POSE_SIZE, np.float32)
        _put_mouth(state, pose)
        return float(deform(self.pack.rig, state, _scratch(self.pack))) / float(self.pack.rig.body[6])

    def _stage(self, width: int, height: int) -> Stage:
        stage = self._stages.pop((width, height), None) or set_stage(self.pack, width, height)
        self._stages[width, height] = stage
        while len(self._stages) > STAGES:
            self._stages.pop(next(iter(self._stages)), None)
        return stage


class MeshRenderer:
    """Draws one session's pictures; see ``face.base.FaceRenderer``."""

    def __init__(self, pack: Pack, stage: Stage, look: Look, scenery: Scenery | None = None) -> None:
        from mouthpiece.face.kernels import paint
        from mouthpiece.face.placing import place

        self._place, self._paint = place, paint
        self._rig = stage.rig
        self._look = look
        self._mood = mood(look.emotion)
        self._rest = _resting(self._mood)
        self._state = self._rest.copy()
        self._canvas, self._finish = _dressed(stage, look, scenery or EMPTY)
        self.retouch: Finish | None = None
        """What is done to each picture of the face before anything is laid over it."""
        self._turn = (0.0, 0.0)
        self._work = _scratch(pack)
        self._work.uv[:] = stage.uv
        self._picture = Picture(self._canvas.out)
        self.aim(camera_of(look.camera))

    def aim(self, camera: Camera) -> None:
        """Look through another camera from the next picture on."""
        look = self._look
        self._canvas.framing[4:10] = view(camera, look.position, look.width, look.height)
        self._turn = orbit(camera)

    def draw(self, pose: MouthPose = REST, seconds: float = 0.0) -> Picture:
        """The face with this mouth at ``seconds`` of its idle life; a view, valid until the next call."""
        look, mood = self._look, self._mood
        now = seconds + look.start_frame / IDLE_FPS
        alive = life(look.seed, now, pose.emphasis, pose.loudness, mood.manner)
        state = self._state
        state[:] = self._rest
        _put_mouth(state, pose)
        _put_life(state, alive, pose)
        k = len(SHAPES)
        yaw, pitch = self._turn
        state[k + POSE.yaw], state[k + POSE.pitch] = alive.yaw + yaw, alive.pitch + mood.pitch + pitch
        state[k + POSE.roll] = alive.roll + mood.roll
        state[k + POSE.x], state[k + POSE.y], state[k + POSE.z] = alive.x, alive.y, alive.z
        state[k + POSE.gaze_x], state[k + POSE.gaze_y] = alive.gaze_x, alive.gaze_y - VOR * mood.pitch
        state[k + POSE.breath] = alive.breath
        self._render(state)
        picture = self._picture if self.retouch is None else self.retouch(self._picture)
        for step in self._finish:
            picture = step(picture)
        return picture

    def lip_gap(self) -> float:
        """Widest opening between the inner lips in the picture drawn last, in mm of the face."""
        up, low = (self._work.points[row, 1] for row in self._rig.lips[:2, OPEN_LIPS])
        return float((low - up).max()) / float(self._rig.body[6])

    def outlines(self) -> tuple[Floats, Floats]:
        """Where the face's oval and the outer lips were in the picture drawn last, canvas pixels (n, 2) each."""
        pos = self._work.pos
        lips = (*topo.UPPER_OUTER, *topo.LOWER_OUTER[::-1])
        return pos[list(topo.OVAL)].copy(), pos[list(lips)].copy()

    def draw_state(self, state: Floats) -> Picture:
        """Draw an explicit state vector (shape weights in SHAPES' order, then ``rig.State``): for tests and sheets."""
        self._render(np.ascontiguousarray(state, np.float32))
        return self._picture

    def _render(self, state: Floats) -> None:
        opened = self._place(self._rig, self._canvas, self._work, state)
        self._paint(self._rig, self._canvas, self._work, state, opened)


def _dressed(stage: Stage, look: Look, scenery: Scenery) -> tuple[Canvas, Sequence[Finish]]:
    """A canvas of one's own with what is behind the person, and what happens to each picture after it is drawn."""
    size = look.width, look.height
    canvas = stage.canvas(nobody(*size) if look.transparent else backdrop(scenery, *size))
    overlay = None if scenery.foreground is None else Overlay(scenery.foreground, *size)
    finish: list[Finish] = [] if overlay is None else [overlay.over]
    if look.transparent:
        finish.append(Matting(canvas.pixels, overlay).apply)
    return canvas, finish


def _resting(mood: Mood) -> Floats:
    state = np.zeros(len(SHAPES) + POSE_SIZE, np.float32)
    for name, weight in mood.shapes.items():
        state[ROW[name]] = weight
    return state


def _put_mouth(state: Floats, pose: MouthPose) -> None:
    """Add the mouth to a state. What a mood does with the lips gives way where they are pressed, rounded or tucked."""
    mouth = pose.array()
    shaped = max(mouth[ROW["press"]], mouth[ROW["pucker"]], mouth[ROW["funnel"]], mouth[ROW["tuck"]], 0.0)
    give = 1.0 - 0.65 * min(1.0, 1.4 * float(shaped))
    state[:MOUTH_WEIGHTS] *= give
    for name in ("frown", "shift", "smile_skew"):
        state[ROW[name]] *= give
    opened = float(mouth[ROW["jaw_open"]])
    state[ROW["press"]] *= max(0.0, 1 - 4 * opened)  # a mouth that speaks is not pressed shut by its mood
    state[:MOUTH_WEIGHTS] += mouth[:MOUTH_WEIGHTS]
    k = len(SHAPES)
    state[k + POSE.tongue_up], state[k + POSE.tongue_out] = mouth[TONGUE_UP], mouth[TONGUE_OUT]


def _put_life(state: Floats, alive: Life, pose: MouthPose) -> None:
    """Add what accompanies the mouth and what moves by itself: cheeks, folds, lids, brows, the uneven side."""
    resting = max(0.0, 1.0 - 4.0 * float(np.abs(pose.array()[:MOUTH_WEIGHTS]).sum()))
    state[ROW["smile"]] += alive.lips
    state[ROW["press"]] += 0.55 * alive.press * resting
    smile, stretch = float(state[ROW["smile"]]), float(state[ROW["stretch"]])
    state[ROW["cheek"]] += 0.45 * max(0.0, smile) + 0.15 * max(0.0, stretch)
    state[ROW["sneer"]] += 0.60 * max(0.0, pose.upper_up) + 0.10 * pose.loudness
    moving = max(0.0, pose.jaw_open) + max(0.0, stretch) + max(0.0, smile)
    state[ROW["smile_skew"]] += alive.skew * min(1.0, 0.25 + moving)
    state[ROW["brow_up"]] += alive.brow
    state[ROW["brow_skew"]] += 0.8 * alive.skew * (0.2 + alive.brow)
    for side in ("r", "l"):
        state[ROW[f"wide_{side}"]] += max(0.0, alive.lids)
        state[ROW[f"squint_{side}"]] += max(0.0, -alive.lids) + 0.10 * max(0.0, pose.emphasis)
        state[ROW[f"blink_{side}"]] = alive.blink
    state[ROW["look_down"]] += alive.gaze_y * (1 - alive.blink)


def _scratch(pack: Pack) -> Scratch:
    total = len(pack.vertices.uv)
    return Scratch(
        points=pack.rig.base.copy(),
        turn=np.zeros((4, 3), np.float32),
        pos=np.zeros((total, 2), np.float32),
        uv=pack.vertices.uv.copy(),
        alpha=pack.vertices.alpha.copy(),
        light=pack.vertices.light.copy(),
    )
