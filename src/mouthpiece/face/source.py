"""What a face is made from, kept beside its pack: the cut portrait, its points and its matte.

A pack belongs to one version of the engine; its source outlives that, so a new engine builds the face again.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.errors import BadInput
from mouthpiece.face.pack import SCENE, decoded, encoded

VERSION: Final = 1

SIDE: Final = 2 * SCENE
"""Side of every portrait in pixels."""

DOUBTFUL: Final = 0.035
"""Mirror score above which points are doubtful: good photographs have 0.011..0.027, hidden faces 0.043 and more."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A square picture with its points and its matte, ready for ``portrait.build``; s is ``SIDE``.

    ``warnings``: what is doubtful about it, for people. ``measures``: see ``study``.
    """

    rgb: NDArray[np.uint8]  # (s, s, 3)
    landmarks: NDArray[np.float64]  # (478, 3) in its pixels
    matte: NDArray[np.float32]  # (s, s), 0..1
    warnings: tuple[str, ...] = ()
    measures: tuple[tuple[str, float], ...] = ()


def write_source(portrait: Portrait) -> bytes:
    """The source as a file: about 300 kB."""
    matte = (portrait.matte * 255).round().clip(0, 255).astype(np.uint8)
    return _written(portrait, encoded(portrait.rgb, "WEBP", quality=97, method=2), encoded(matte, "PNG"))


def rewrite_source(data: bytes, portrait: Portrait) -> bytes:
    """The source file with all of ``portrait`` but its pictures, which stay as they are. Raises BadInput."""
    parts = read_parts(data)
    return _written(portrait, parts.portrait, parts.matte)


def _written(portrait: Portrait, picture: bytes, matte: bytes) -> bytes:
    about = {
        "version": VERSION,
        "landmarks": portrait.landmarks.round(3).tolist(),
        "warnings": portrait.warnings,
        "measures": dict(portrait.measures),
    }
    files = {"source.json": json.dumps(about).encode(), "portrait.webp": picture, "matte.png": matte}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def read_source(data: bytes) -> Portrait:
    """The portrait of a source file. Raises BadInput."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            about = json.loads(archive.read("source.json"))
            rgb, matte = decoded(archive.read("portrait.webp"), "RGB"), decoded(archive.read("matte.png"), "L")
        return Portrait(
            rgb=rgb,
            landmarks=np.array(about["landmarks"], float),
            matte=(matte / 255).astype(np.float32),
            warnings=tuple(about["warnings"]),
            measures=tuple(about["measures"].items()),
        )
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise BadInput(reason=f"not a face's source: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A source's files as they are kept: WebP, greyscale PNG, and what was found, without reading the pictures."""

    portrait: bytes
    matte: bytes
    landmarks: NDArray[np.float64]  # (478, 3) in pixels of the portrait
    measures: dict[str, float]


def read_parts(data: bytes) -> Parts:
    """What a source file holds. Raises BadInput."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            about = json.loads(archive.read("source.json"))
            portrait, matte = archive.read("portrait.webp"), archive.read("matte.png")
        return Parts(portrait, matte, np.array(about["landmarks"], float), about["measures"])
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BadInput(reason=f"not a face's source: {error}") from error


def portrait_png(data: bytes) -> bytes:
    """The cut portrait of a source file, as PNG. Raises BadInput."""
    return encoded(read_source(data).rgb, "PNG", compress_level=3)
