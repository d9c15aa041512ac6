"""The landmarker: ``landmarker.py`` in an environment of its own, which uv makes once; and landmarks that people send.

Everything here waits: it runs in the child process that makes a face, or in a command.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mouthpiece.errors import BadInput, NotConfigured, Unavailable
from mouthpiece.face.study import Sighted, Sighting

SCRIPT: Final = Path(__file__).with_name("landmarker.py")
POINTS: Final = 478
TRY: Final = "run `mouthpiece setup faces` while the package index can be reached, or send landmarks along"
_FRACTIONS: Final = 2.0  # coordinates below this are shares of the picture's size


class Landmarker:
    """See ``study.Looker``. Starts the script at the first look; ``close`` ends it.

    ``command``: another program that speaks the script's lines; empty: ours, by uv. ``say`` hears what takes long.
    """

    def __init__(self, command: Sequence[str] = (), say: Callable[[str], None] = lambda _: None) -> None:
        self._command = tuple(command)
        self._say = say
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="mouthpiece-look-")

    def look(self, image: NDArray[np.uint8], *, mirror: bool = False, matte: bool = False) -> Sighting:
        """See ``study.Looker``. Raises NotConfigured, Unavailable."""
        process = self._process or self._start()
        path = Path(self._folder.name) / "image.npy"
        np.save(path, image, allow_pickle=False)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"image": str(path), "mirror": mirror, "matte": matte}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            self.close()
            raise Unavailable(reason=f"the landmarker died: {TRY}") from error
        return _sighting(answer)

    def prepare(self) -> None:
        """Start it, which makes its environment where there is none. Raises NotConfigured."""
        if self._process is None:
            self._start()

    def close(self) -> None:
        """End the script. Idempotent."""
        if self._process is not None:
            process, self._process = self._process, None
            assert process.stdin is not None
            assert process.stdout is not None
            with process:
                process.stdin.close()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[str]:
        if self._command:
            process, said = _begun(self._command)
        else:
            uv = find_uv()
            process, said = _begun(_run(uv, "--offline"))
            if process is None:
                self._say("preparing the landmarker (once; about 100 MB are fetched)")
                process, said = _begun(_run(uv))
        if process is None:
            raise NotConfigured(what="the landmarker", remedy=_remedy(said))
        self._process = process
        return process


def find_uv() -> str:
    """The uv program: of the extra ``faces``, or on the path. Raises NotConfigured."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ModuleNotFoundError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise NotConfigured(what="the landmarker", remedy="pip install 'mouthpiece[faces]' brings uv, which it needs")
    return found


def _run(uv: str, *flags: str) -> tuple[str, ...]:
    return (uv, "run", *flags, "--quiet", "--no-python-downloads", "--no-project", "--script", str(SCRIPT))


def _begun(command: Sequence[str]) -> tuple[subprocess.Popen[str] | None, str]:
    """The running script once it is ready; else None, and what it said."""
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile("w+") as errors:
        try:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True)
        except OSError as error:
            return None, str(error)
        assert process.stdout is not None
        if process.stdout.readline().strip() == "ready":
            return process, ""
        with process:
            process.kill()
        errors.seek(0)
        return None, errors.read()


def _remedy(said: str) -> str:
    last = " ".join(line.strip(" ×╰─▶│├") for line in said.splitlines()[-3:])[-300:].strip()
    if "interpreter" in said.lower():
        return f"it needs Python 3.9 to 3.12 beside this one: `uv python install 3.12` brings it ({last})"
    return f"{TRY} (uv says: {last})" if last else TRY


def _sighting(answer: dict[str, Any]) -> Sighting:
    faces = [
        Sighted(
            landmarks=np.array(face["landmarks"], float),
            mirrored=np.array(face["mirrored"], float) if "mirrored" in face else None,
            score=float(face["score"]),
        )
        for face in answer["faces"]
    ]
    matte = None
    if "matte" in answer:
        matte = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["matte"]))), np.float32) / 255
    return Sighting(faces, matte)


# --- landmarks that people send ------------------------------------------------------------------------------------
def parse_landmarks(text: str | bytes, width: int, height: int) -> NDArray[np.float64]:
    """Landmarks (478, 3) in pixels of a picture from JSON: ``[[x, y, z], …]`` or ``[{"x":…,"y":…,"z":…}, …]``.

    Also inside an object as ``landmarks``; in pixels, or as shares of the width and height (z of the width). Raises
    BadInput.
    """
    try:
        value: Any = json.loads(text)
        value = value["landmarks"] if isinstance(value, dict) else value
        rows = [[p["x"], p["y"], p["z"]] if isinstance(p, dict) else p for p in value]
        points = np.array(rows, float)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadInput(reason=f"the landmarks are not JSON of {POINTS} points x, y, z") from error
    if points.shape != (POINTS, 3) or not np.isfinite(points).all():
        raise BadInput(reason=f"the landmarks must be {POINTS} points of x, y and z, and not {_shape(points)}")
    if np.abs(points[:, :2]).max() < _FRACTIONS:
        points *= [width, height, width]
    return points


def _shape(points: NDArray[np.float64]) -> str:
    return " x ".join(map(str, points.shape))
