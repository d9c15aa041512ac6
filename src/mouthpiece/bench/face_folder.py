"""A folder of portraits made into faces, as uploads are: which are taken, why others are not, and what each costs."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mouthpiece.bench.report import Cell
from mouthpiece.errors import MouthpieceError, NotConfigured
from mouthpiece.providers.landmarks import Landmarker
from mouthpiece.providers.portraits import FaceMaker, Made, Upload
from mouthpiece.settings import FaceSettings

BESIDE: Final = ".json"
"""A file of landmarks may lie beside a portrait, with this ending in place of its own."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One file: the face that was made of it, or why there is none."""

    name: str
    made: Made | None
    reason: str = ""

    @property
    def verdict(self) -> str:
        """What became of it."""
        return "refused" if self.made is None else "doubtful" if self.made.warnings else "taken"

    def row(self) -> dict[str, Cell]:
        """For the report."""
        made = self.made
        return {
            "portrait": self.name,
            "verdict": self.verdict,
            "reason": self.reason or "; ".join(made.warnings if made else ()),
            "face_px": None if made is None else round(made.measures["face_px"]),
            "yaw": None if made is None else round(made.measures["yaw"], 1),
            "study_and_rig_cpu_s": None if made is None else round(made.cpu_s, 2),
            "landmarker_cpu_s": None if made is None else round(made.looker_cpu_s, 2),
        }


def portraits_in(folder: Path) -> list[Path]:
    """Its files in order, but for hidden ones and landmarks."""
    return sorted(p for p in folder.iterdir() if p.is_file() and p.suffix != BESIDE and not p.name.startswith("."))


def try_all(paths: Sequence[Path], say: Callable[[str], None]) -> list[Tried]:
    """Make a face of every file. Raises NotConfigured: what this machine lacks."""

    async def each() -> list[Tried]:
        maker, tried = FaceMaker(FaceSettings()), []
        for path in paths:
            tried.append(await _try(maker, path, _upload(path)))
            say(f"{path.name}: {tried[-1].verdict} {tried[-1].reason}".rstrip())
        return tried

    return asyncio.run(each())


def _upload(path: Path) -> Upload:
    marks = path.with_suffix(BESIDE)
    return Upload(path.read_bytes(), marks.read_text() if marks.exists() else None)


async def _try(maker: FaceMaker, path: Path, upload: Upload) -> Tried:
    try:
        return Tried(path.name, await maker.make(upload, (path.stem, path.stem)))
    except NotConfigured:
        raise
    except MouthpieceError as error:
        return Tried(path.name, None, str(error))


def rate(tried: Sequence[Tried]) -> str:
    """How many became faces, in words."""
    kinds = Counter(each.verdict for each in tried)
    taken = len(tried) - kinds["refused"]
    return f"{taken} of {len(tried)} accepted ({kinds['doubtful']} with a warning), {kinds['refused']} refused"


def landmarker_start_cpu_s(looker: Landmarker) -> float:
    """CPU-seconds from nothing to a landmarker that is ready, once its environment is made; it is closed then.

    Raises NotConfigured.
    """
    before = _children_cpu_s()
    looker.prepare()
    looker.close()
    return _children_cpu_s() - before


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
