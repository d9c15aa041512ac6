"""How good faces are and what they cost: the metrics of the shipped faces, and of a folder of portraits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

from mouthpiece.bench.face_folder import Tried, landmarker_start_cpu_s, portraits_in, rate, try_all
from mouthpiece.bench.face_measures import Clip, Measures, clip_of, measure
from mouthpiece.bench.face_sheets import write_sheets
from mouthpiece.bench.face_speed import WAYS, Speeds, cost_of
from mouthpiece.bench.report import Aim, Cell, Report, at_least, at_most
from mouthpiece.bench.speech import spoken
from mouthpiece.errors import NotConfigured
from mouthpiece.face import catalog
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.providers.landmarks import Landmarker

BUDGET_MS: Final = 2.5
CREATION_CPU_S: Final = 5.0
TIMED: Final = 60
"""Pictures of a timed round."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure. ``pictures`` of the talking clip; ``faces``: shipped, by alias."""

    portraits: Path | None = None
    sheets: Path | None = None
    pictures: int = 150
    landmarker: bool = True
    faces: tuple[str, ...] = tuple(face.alias for face in catalog.SHIPPED)


def run(wanted: Wanted, say: Callable[[str], None]) -> list[Report]:
    """Reports ``face`` (metrics), ``face speed`` and, of a folder, ``face portraits``. Raises InvalidFace."""
    catalog.warm()
    clip = clip_of(spoken(), wanted.pictures)
    tried = [] if wanted.portraits is None else try_all(portraits_in(wanted.portraits), say)
    shipped = {alias: catalog.load(alias) for alias in wanted.faces}
    made = {each.name: MeshFace.from_bytes(each.made.pack) for each in tried if each.made is not None}
    looker, start, notes = _looker(wanted.landmarker)
    with closing(looker or Landmarker()):
        quality = _quality(shipped | made, clip, looker, say)
    quality.notes += notes
    reports = [quality, _speed(shipped, min(TIMED, wanted.pictures // 3), say)]
    if wanted.portraits is not None:
        reports.append(_creation(tried, start))
    if wanted.sheets is not None:
        for name, face in (shipped | made).items():
            write_sheets(face, Path(name).stem, wanted.sheets)
        say(f"contact sheets of {len(shipped | made)} faces are in {wanted.sheets}")
    return reports


def _looker(asked: bool) -> tuple[Landmarker | None, float | None, list[str]]:
    """A landmarker, the CPU-seconds of its start, and what is to be said where there is none."""
    if not asked:
        return None, None, ["no landmarker was asked for: the lip gap was not seen from outside"]
    try:
        start = landmarker_start_cpu_s(Landmarker())
    except NotConfigured as missing:
        return None, None, [f"the lip gap was not seen from outside: {missing}"]
    return Landmarker(), start, []


def _quality(
    faces: Mapping[str, MeshFace], clip: Clip, looker: Landmarker | None, say: Callable[[str], None]
) -> Report:
    report, measured = Report("face"), list[Measures]()
    for name, face in faces.items():
        measured.append(measure(face, clip, looker))
        report.rows.append(_row(name, measured[-1]))
        say(f"{name}: measured")
    report.aims = _aims(measured)
    report.notes.append(
        f"a talking clip of {len(clip.poses)} pictures, 512x512; rest PSNR against the stored portrait:"
    )
    report.notes.append("one that smiles with its teeth is shut at rest, and differs from itself there")
    return report


def _row(name: str, of: Measures) -> dict[str, Cell]:
    return {
        "face": name,
        "background_change": of.background,
        "rest_psnr_db": round(of.rest_psnr, 1),
        "closures": of.closures,
        "closed": of.shut,
        "widest_gap_mm": round(max(of.gaps), 1),
        "sharpness_cv": round(of.sharpness_cv, 3),
        "gap_correlation": None if of.gap_correlation is None else round(of.gap_correlation, 3),
        "gap_lag_pictures": of.gap_lag,
    }


def _aims(measured: Sequence[Measures]) -> list[Aim]:
    """The worst face counts."""
    closed = mean(of.shut / of.closures for of in measured if of.closures)
    aims = [
        at_most("background, greatest change", 0.0, max(of.background or 0.0 for of in measured)),
        at_least("rest against portrait, worst", 38.0, min(of.rest_psnr for of in measured), " dB"),
        at_least("closures closed", 1.0, closed),
        at_most("sharpness, worst deviation by mean", 0.10, max(of.sharpness_cv for of in measured)),
    ]
    seen = [(of.gap_correlation, of.gap_lag) for of in measured if of.gap_correlation is not None]
    if seen:
        aims.append(at_least("seen lip gap with drawn one, worst correlation", 0.93, min(c or 0.0 for c, _ in seen)))
        aims.append(at_most("its lag, pictures", 1, max(abs(lag or 0) for _, lag in seen)))
    return aims


def _speed(faces: Mapping[str, MeshFace], pictures: int, say: Callable[[str], None]) -> Report:
    speeds = Speeds()
    for way in WAYS:
        for face in faces.values():
            speeds.add(way, cost_of(face, way, pictures))
        say(f"{way.name}: {speeds.tight(way):.2f} ms a picture")
    return Report(
        "face speed",
        speeds.rows(),
        [at_most("512x512, mean over shipped faces", BUDGET_MS, speeds.tight(WAYS[0]), " ms")],
        [f"one thread, {len(faces)} shipped faces; caches cold: other memory was walked between two pictures"],
    )


def _creation(tried: Sequence[Tried], start: float | None) -> Report:
    report = Report("face portraits", [each.row() for each in tried], notes=[rate(tried)])
    spent = [each.made.cpu_s for each in tried if each.made is not None]
    if spent:
        report.aims.append(at_most("study and rig, mean CPU-s", CREATION_CPU_S, mean(spent)))
    if start is not None:
        report.notes.append(
            f"of the landmarker's CPU-seconds {start:.2f} are its start, which pictures of one run share"
        )
    return report
