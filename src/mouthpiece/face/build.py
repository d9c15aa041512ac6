"""Draw the shipped faces and build their packs: ``python -m mouthpiece.face.build [--out FOLDER] [--pictures]``.

Needs the development group (Skia) and the extra ``faces``. The same sources give the same packs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.face.catalog import SHIPPED
from mouthpiece.face.characters import CHARACTERS, Character
from mouthpiece.face.draw_body import BodyArtist, draw_backdrop, draw_glasses
from mouthpiece.face.draw_face import FaceArtist
from mouthpiece.face.draw_hair import HairArtist
from mouthpiece.face.drawing import Painter
from mouthpiece.face.imaging import blur
from mouthpiece.face.pack import Pack, write
from mouthpiece.face.portrait import TEXTURE, build
from mouthpiece.face.proportions import landmarks

DRAWN_AT: Final = 2 * TEXTURE
SPAN: Final = 344.0
"""Millimetres that the picture shows: the face is 0.46 of its height."""
MOUTH_AT: Final = 0.590
"""Height of the mouth in the picture."""
GRAIN: Final = 1.1

Image = NDArray[np.float32]


def draw(person: Character) -> tuple[NDArray[np.floating], Image, Image, NDArray[np.floating]]:
    """Portrait (s, s, 3), backdrop (s, s, 3), matte (s, s) 0..1, and the landmarks in pixels; s = TEXTURE."""
    points = landmarks(person.proportions)
    scale = DRAWN_AT / SPAN
    origin = (DRAWN_AT / 2, MOUTH_AT * DRAWN_AT)
    wall = Painter(DRAWN_AT, scale, origin)
    draw_backdrop(wall, person)
    body = Painter(DRAWN_AT, scale, origin)
    face = FaceArtist(body, person, points)
    hair = HairArtist(body, person, face.head)
    hair.back()
    BodyArtist(body, person).draw()
    face.draw()
    hair.front()
    draw_glasses(body, person, points)
    front, plate = _shrunk(body.rgba()), _shrunk(wall.rgba())[..., :3]
    matte = front[..., 3] / 255
    grain = np.random.default_rng(person.seed).normal(0, 1, (TEXTURE, TEXTURE)).astype(np.float32)
    plate = plate + blur(grain, 0.8)[..., None] * 2 * GRAIN
    image = plate * (1 - matte[..., None]) + front[..., :3]
    pixels = points * (TEXTURE / SPAN)
    pixels[:, :2] += [TEXTURE / 2, MOUTH_AT * TEXTURE]
    return image, plate, matte.astype(np.float32), pixels


def _shrunk(picture: Image) -> Image:
    """Mean of 2 x 2: what was drawn at twice the size."""
    return np.asarray((picture[::2, ::2] + picture[1::2, ::2] + picture[::2, 1::2] + picture[1::2, 1::2]) / 4)


def build_face(alias: str) -> Pack:
    """Draw and build one shipped face."""
    entry = next(face for face in SHIPPED if face.alias == alias)
    image, plate, matte, points = draw(CHARACTERS[alias])
    pixels, behind = (p.round().clip(0, 255).astype(np.uint8) for p in (image, plate))
    return build(pixels, points, matte, face_id=entry.face_id, name=entry.name, plate=behind)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="draw the shipped faces and build their packs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "packs")
    parser.add_argument("faces", nargs="*", default=sorted(CHARACTERS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for alias in args.faces:
        data = write(build_face(alias))
        (args.out / f"{alias}.face").write_bytes(data)
        print(f"{alias}: {len(data) // 1024} KiB")  # noqa: T201 - a command line tool


if __name__ == "__main__":
    main()
