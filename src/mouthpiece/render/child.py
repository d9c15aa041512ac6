"""The process that renders jobs: a task is a JSON line on stdin, each bit of its progress one on stdout.

It gives way to everything else on the machine, so live sessions do not notice it, and it ends when stdin does or when
nobody reads its progress any more. The last line of a job is ``{"done": 1.0, "pictures": n}`` or ``{"error": text}``;
``{"note": text}`` is for the log.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from mouthpiece.codec.mux import MOVIE, PLAYLIST, WEBM, Container
from mouthpiece.errors import MouthpieceError, NotConfigured
from mouthpiece.face.engines import Budget, MouthMaker, open_engine
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.scenery import scenery_of
from mouthpiece.render.base import order_of
from mouthpiece.render.film import Props, shoot

NICENESS: Final = 19


def main() -> None:
    """Render what stdin says, job after job."""
    os.nice(NICENESS)
    for line in sys.stdin:
        try:
            _say({"done": 1.0, "pictures": _render(json.loads(line))})
        except MouthpieceError as error:
            _say({"error": str(error)})


def _render(task: dict[str, Any]) -> int:
    order, folder = order_of("", task["request"]), Path(task["folder"])
    face = MeshFace.from_bytes(Path(task["face"]).read_bytes())
    sound = np.asarray(np.memmap(task["sound"], np.int16, "r"))
    files: list[tuple[Container, Path]] = [("mp4", folder / MOVIE), ("hls", folder / PLAYLIST)]
    if order.look.transparent:
        files.append(("webm", folder / WEBM))
    props = Props(scenery_of(_read(task["background"]), _read(task["foreground"])), _maker(**task["engine"]))
    return shoot(order, sound, face, files, lambda done: _say({"done": round(done, 4)}), props)


def _read(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


@cache
def _maker(name: str | None, file: str | None) -> MouthMaker | None:
    """The engine, opened once; none where it cannot be had, which is said."""
    if name is None:
        return None
    try:
        return MouthMaker(open_engine(name, file or ""), Budget(float("inf"), time.perf_counter, _note))
    except NotConfigured as fault:
        _note(f"{fault}; the mesh engine draws every mouth")
        return None


def _note(text: str) -> None:
    _say({"note": text})


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
