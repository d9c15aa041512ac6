"""Pictures to make faces of, whose landmarks are known: our own drawn faces, as image files."""

from __future__ import annotations

import io
import json
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mouthpiece.face import catalog

SIDE = 1024


@cache
def drawn(alias: str = "mia") -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A portrait (1024, 1024, 3) and its landmarks (478, 3) in pixels."""
    pack = catalog.load(alias).pack
    share = pack.matte[..., None] / 255
    rgb = (pack.portrait * share + pack.plate * (1 - share)).round().astype(np.uint8)
    return rgb, pack.landmarks.astype(float) * (SIDE / 512)


def file_of(rgb: NDArray[np.uint8], form: str = "PNG", **options: object) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, form, **options)
    return out.getvalue()


def points_json(points: NDArray[np.float64]) -> str:
    """Landmarks as people send them."""
    return json.dumps(points.round(3).tolist())


def picture(alias: str = "mia", form: str = "JPEG") -> tuple[bytes, str]:
    """A picture file and its landmarks as JSON."""
    rgb, points = drawn(alias)
    return file_of(rgb, form), points_json(points)
