"""What one face is measured by: a talking clip, drawn as sessions draw it, and looked at from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face import topology as topo
from mouthpiece.face.inspection import away_from_person, luma, portrait_luma, psnr, renderer, rgb, still
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.study import Looker
from mouthpiece.lipsync import follow_visemes
from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.phones import timed_visemes
from mouthpiece.lipsync.track import LEAD
from mouthpiece.media import SAMPLE_RATE, Look, MouthPose
from mouthpiece.providers.espeak import Speech

FPS: Final = 25
SHUT: Final = 0.3
"""Millimetres of lip gap below which nobody sees one."""
PUPILS: Final = 63.0
"""Millimetres between them, as in ``face.mesh``: what turns pixels into millimetres."""
LAGS: Final = range(-4, 5)

Levels = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clip:
    """A talking mouth at 25 pictures a second, and for each p, b or m the first and last picture that may show it."""

    poses: tuple[MouthPose, ...]
    closures: tuple[tuple[int, int], ...]


def clip_of(speech: Speech, pictures: int) -> Clip:
    """The mouth of a voice that tells its phones: what is measured is the face, and not who listens."""
    visemes = timed_visemes(speech.timed_phones)
    step = SAMPLE_RATE // FPS // POSE_STEP
    poses = tuple(pose for _, pose in follow_visemes(visemes).push(speech.pcm))[::step][:pictures]
    closures = []
    for span in visemes:
        first = round((span.start - LEAD) * FPS / SAMPLE_RATE) - 1
        last = round((span.end - LEAD) * FPS / SAMPLE_RATE) + 1
        if span.viseme == "PP" and first >= 0 and last < len(poses):
            closures.append((first, last))
    return Clip(poses, tuple(closures))


@dataclass(slots=True)
class Measures:
    """The figures of one face; None where it has nothing to measure them on."""

    background: float | None = None  # greatest change of brightness 30 px and more outside the matte
    rest_psnr: float = 0.0  # dB, the face at rest against its portrait
    closures: int = 0
    shut: int = 0  # closures on which the drawn lips met
    sharpness_cv: float = 0.0  # deviation by mean of the sharpness between brows and nose, blinks left out
    gap_correlation: float | None = None  # of the lip gap that a landmarker sees with the one that was drawn
    gap_lag: int | None = None  # pictures
    gaps: list[float] = field(default_factory=list)  # drawn, mm


def measure(face: MeshFace, clip: Clip, looker: Looker | None) -> Measures:
    """Draw the clip and look at it; ``looker`` None: nobody sees the lips from outside. Raises as it does."""
    look = Look(face.face_id, seed=5)
    drawer = face.renderer(look)
    still_background, box = away_from_person(face), _middle_of(face)
    out, sharpness, seen = Measures(closures=len(clip.closures)), list[float](), list[float]()
    out.rest_psnr = psnr(luma(still(renderer(face))), portrait_luma(face))
    first: Levels | None = None
    for k, pose in enumerate(clip.poses):
        picture = drawer.draw(pose, k / FPS)
        levels = luma(picture)
        out.gaps.append(drawer.lip_gap())
        if not face.lively(look, k / FPS):
            sharpness.append(_sharpness(levels[box]))
        if still_background.any():
            first = levels[still_background] if first is None else first
            out.background = max(out.background or 0.0, float(np.abs(levels[still_background] - first).max()))
        if looker is not None:
            seen.append(_seen_gap(rgb(picture), looker))
    out.shut = sum(min(out.gaps[a : b + 1]) < SHUT for a, b in clip.closures)
    out.sharpness_cv = float(np.std(sharpness) / np.mean(sharpness))
    if looker is not None:
        out.gap_correlation, out.gap_lag = best_lag(np.array(seen), np.array(out.gaps))
    return out


def _middle_of(face: MeshFace) -> tuple[slice, slice]:
    """From the brows to the tip of the nose, from temple to temple."""
    points = face.pack.landmarks[:, :2]
    top, bottom = int(points[list(topo.BROWS), 1].min()), int(points[4, 1])
    left, right = sorted((int(points[234, 0]), int(points[454, 0])))
    return slice(max(0, top), bottom), slice(max(0, left), right)


def _sharpness(levels: Levels) -> float:
    """Variance of the Laplacian."""
    middle = levels[1:-1, 1:-1]
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    return float((around - 4 * middle).var())


def _seen_gap(image: NDArray[np.uint8], looker: Looker) -> float:
    """Millimetres between the inner lips as the looker sees them; not a number where it sees no face."""
    faces = looker.look(image).faces
    if not faces:
        return float("nan")
    points = max(faces, key=lambda face: face.height).landmarks[:, :2]
    apart = np.linalg.norm(points[topo.IRIS_LEFT] - points[topo.IRIS_RIGHT])
    return float(np.linalg.norm(points[13] - points[14]) / apart * PUPILS)


def best_lag(seen: Levels, drawn: Levels) -> tuple[float, int] | tuple[None, None]:
    """The greatest correlation of two tracks, and by how many pictures the seen one is late there.

    None where fewer than half of the pictures were seen (not a number: not seen).
    """
    if np.isnan(seen).mean() > 0.5:
        return None, None
    found = []
    for lag in LAGS:
        a, b = seen[max(0, lag) : len(seen) + min(0, lag)], drawn[max(0, -lag) : len(drawn) + min(0, -lag)]
        known = ~np.isnan(a)
        found.append((float(np.corrcoef(a[known], b[known])[0, 1]), lag))
    return max(found)
