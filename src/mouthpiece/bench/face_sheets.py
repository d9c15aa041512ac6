"""Contact sheets of a face, for eyes: the portrait beside what is drawn of it, mouths enlarged, moods, idle life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from mouthpiece.face.inspection import FACES, MOUTHS, portrait, renderer, rgb, still
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.face.moods import MOODS
from mouthpiece.face.pack import resized
from mouthpiece.face.rig import Bytes
from mouthpiece.media import REST, Look

LABEL: Final = 16
"""Pixels above a cell for its name."""
ENLARGED: Final = 3
IDLE_STEP: Final = 0.48
"""Seconds between two pictures of the idle strip: no multiple of anything in idle life."""

Cells = Mapping[str, Bytes]


def write_sheets(face: MeshFace, name: str, folder: Path) -> list[Path]:
    """PNG files ``NAME-source``, ``-mouths``, ``-visemes``, ``-moods`` and ``-idle``; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {
        "source": (_beside_source(face), 4),
        "mouths": (_mouths(face), 4),
        "visemes": (_visemes(face), 7),
        "moods": (_moods(face), 6),
        "idle": (_idle(face), 8),
    }
    paths = []
    for kind, (cells, columns) in sheets.items():
        paths.append(folder / f"{name}-{kind}.png")
        Image.fromarray(arranged(cells, columns)).save(paths[-1], compress_level=1)
    return paths


def arranged(cells: Cells, columns: int) -> Bytes:
    """Cells of one size, row by row, each under its name."""
    height, width = next(iter(cells.values())).shape[:2]
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + LABEL)), (24, 24, 24))
    pen = ImageDraw.Draw(sheet)
    for k, (name, cell) in enumerate(cells.items()):
        x, y = k % columns * width, k // columns * (height + LABEL)
        pen.text((x + 4, y + 2), name, fill=(230, 230, 230))
        sheet.paste(Image.fromarray(cell), (x, y + LABEL))
    return np.array(sheet)


def _beside_source(face: MeshFace) -> Cells:
    drawer = renderer(face)
    smile = rgb(still(drawer, REST, **FACES["smile"]))
    rest, aa = rgb(still(drawer)), rgb(still(drawer, MOUTHS["aa"]))
    return {"source": portrait(face), "at rest": rest, "aa": aa, "smile": smile}


def _mouths(face: MeshFace) -> Cells:
    drawer = renderer(face)
    x0, x1 = face.pack.landmarks[[61, 291], 0]
    width = float(x1 - x0)
    x, y = float(x0 + x1) / 2, float(face.pack.landmarks[13, 1])

    def cut(picture: Bytes) -> Bytes:
        left, top = max(0, int(x - 0.9 * width)), max(0, int(y - 0.6 * width))
        part = picture[top : int(y + 0.9 * width), left : int(x + 0.9 * width)]
        return resized(np.ascontiguousarray(part), ENLARGED * part.shape[1], ENLARGED * part.shape[0])

    return {"source": cut(portrait(face))} | {name: cut(rgb(still(drawer, pose))) for name, pose in MOUTHS.items()}


def _visemes(face: MeshFace) -> Cells:
    drawer = renderer(face)
    mouths = {name: _head(face, rgb(still(drawer, pose))) for name, pose in MOUTHS.items()}
    return mouths | {name: _head(face, rgb(still(drawer, REST, **extra))) for name, extra in FACES.items()}


def _moods(face: MeshFace) -> Cells:
    def drawn() -> Iterator[tuple[str, Bytes]]:
        for what, pose in (("", REST), (" E", MOUTHS["E"])):
            for mood in MOODS:
                look = Look(face.face_id, emotion=mood, seed=3)
                yield mood + what, _head(face, rgb(face.renderer(look).draw(pose, 2.0)))

    return dict(drawn())


def _idle(face: MeshFace) -> Cells:
    drawer = face.renderer(Look(face.face_id, seed=11))
    moments = [IDLE_STEP * k for k in range(32)]
    return {f"{t:.2f} s": _head(face, rgb(drawer.draw(REST, t)))[::2, ::2] for t in moments}


def _head(face: MeshFace, picture: Bytes) -> Bytes:
    x, y = face.pack.landmarks[4, :2].astype(int)
    return np.ascontiguousarray(picture[max(0, y - 160) : y + 160, max(0, x - 140) : x + 140])
