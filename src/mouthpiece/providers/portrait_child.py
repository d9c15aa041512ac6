"""The child of ``portraits``: one picture to a face, in a folder, with progress on stdout as JSON lines.

``task.json`` says what to do; ``image.npy`` (and ``alpha.npy``, ``matte.npy``) are the decoded picture, or
``source.zip`` is what it was made from before, perhaps with ``corrected`` points in the task. It leaves
``source.zip``, and ``face.pack`` when the task names a face.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from mouthpiece.errors import MouthpieceError, NotConfigured

NICENESS: Final = 15
MEMORY: Final = 4 << 30


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _tell(progress: float, stage: str) -> None:
    _say(progress=progress, stage=stage)


def _portrait(folder: Path, task: dict[str, Any]) -> Any:  # noqa: ANN401 - imported late
    from mouthpiece.face.source import write_source
    from mouthpiece.face.study import Picture, study
    from mouthpiece.providers.landmarks import Landmarker, parse_landmarks

    if (folder / "source.zip").exists():
        return _again(folder, task.get("corrected"))
    rgb = np.load(folder / "image.npy", allow_pickle=False)
    planes = {name: folder / f"{name}.npy" for name in ("alpha", "matte")}
    given = task.get("landmarks")
    picture = Picture(
        rgb=rgb,
        landmarks=None if given is None else parse_landmarks(given, rgb.shape[1], rgb.shape[0]),
        face_index=task.get("face_index"),
        framed=bool(task.get("framed")),
        **{name: np.load(path, allow_pickle=False) if path.exists() else None for name, path in planes.items()},
    )
    looker = None if given is not None else Landmarker(task.get("command", ()), lambda what: _tell(0.05, what))
    try:
        portrait = study(picture, looker, _tell)
    finally:
        if looker is not None:
            looker.close()
    (folder / "source.zip").write_bytes(write_source(portrait))
    return portrait


def _again(folder: Path, points: str | None) -> Any:  # noqa: ANN401 - imported late
    """The portrait that was kept; with ``points`` (JSON) in the place of its own, and kept so."""
    from mouthpiece.face.source import read_source, rewrite_source
    from mouthpiece.face.study import corrected
    from mouthpiece.providers.landmarks import parse_landmarks

    source = (folder / "source.zip").read_bytes()
    portrait = read_source(source)
    if points is None:
        return portrait
    side = portrait.rgb.shape[0]
    portrait = corrected(portrait, parse_landmarks(points, side, side))
    (folder / "source.zip").write_bytes(rewrite_source(source, portrait))
    return portrait


def _make(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    from mouthpiece.face import pack
    from mouthpiece.face.portrait import build

    portrait = _portrait(folder, task)
    if task.get("face_id"):
        _tell(0.6, "building the face")
        made = build(portrait.rgb, portrait.landmarks, portrait.matte, face_id=task["face_id"], name=task["name"])
        _tell(0.9, "packing it")
        (folder / "face.pack").write_bytes(pack.write(made))
    return {"warnings": portrait.warnings, "measures": dict(portrait.measures), "version": pack.VERSION}


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Do the task of the folder that the first argument names."""
    folder = Path(sys.argv[1])
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        task = json.loads((folder / "task.json").read_text())
        made = _make(folder, task)
        _say(made=made | {"cpu_s": round(time.process_time(), 3), "looker_cpu_s": round(_children_cpu_s(), 3)})
    except ModuleNotFoundError as missing:
        fault = NotConfigured(what=f"making faces ({missing.name})", remedy="pip install 'mouthpiece[faces]'")
        _say(fault=fault.code, facts=fault.facts)
    except MouthpieceError as fault:
        _say(fault=fault.code, facts=fault.facts)


if __name__ == "__main__":
    main()
