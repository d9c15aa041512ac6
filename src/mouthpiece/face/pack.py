"""Face packs: one file that holds a face, versioned. The only file of this room that imports Pillow.

A pack is a zip of pictures and arrays: ``pack.json`` (version, id, name), ``portrait.webp`` (colours of the person
without background), ``matte.png``, ``plate.webp`` (the background alone), ``atlas.png`` (mouth and lids) and
``rig.npz``. Portrait, matte, plate and landmarks are all that is needed to build the rig again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from mouthpiece.errors import BadInput
from mouthpiece.face.rig import Bytes, Floats, Rig, Vertices

VERSION: Final = 3
SCENE: Final = 512
"""Side of the square scene in which rigs are measured, in pixels."""

HALVES: Final = ("basis", "gain", "weights")  # stored as float16: half the size, errors below 0.02 px


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """A face as stored. Pictures are square; ``landmarks`` (478, 3) in scene pixels."""

    face_id: str
    name: str
    portrait: Bytes  # (t, t, 3)
    matte: Bytes  # (t, t)
    plate: Bytes  # (p, p, 3)
    atlas: Bytes  # (h, w, 4)
    landmarks: Floats
    rig: Rig
    vertices: Vertices
    made_by: Mapping[str, object] = field(default_factory=dict)


def write(pack: Pack) -> bytes:
    """The pack as a file."""
    arrays: dict[str, NDArray[np.generic]] = {"landmarks": pack.landmarks}
    for name, value in pack.rig._asdict().items():
        arrays[f"rig.{name}"] = value.astype(np.float16) if name in HALVES else value
    arrays |= {f"vertices.{name}": value for name, value in pack.vertices._asdict().items()}
    about = {"version": VERSION, "id": pack.face_id, "name": pack.name, "made_by": dict(pack.made_by)}
    rig = io.BytesIO()
    np.savez_compressed(rig, allow_pickle=False, **_compact(arrays))
    files = {
        "pack.json": json.dumps(about, indent=1, sort_keys=True).encode(),
        "portrait.webp": encoded(pack.portrait, "WEBP", quality=95, method=6),
        "matte.png": encoded(pack.matte, "PNG", optimize=True),
        "plate.webp": encoded(pack.plate, "WEBP", quality=95, method=6),
        "atlas.png": encoded(pack.atlas, "PNG", optimize=True),
        "rig.npz": rig.getvalue(),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def read(data: bytes) -> Pack:
    """A pack from a file's bytes.

    Raises:
        BadInput: not a face pack, or one of a version that this release does not know.
    """
    try:
        return _read(data)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise BadInput(reason=f"not a face pack: {error}") from error


def _read(data: bytes) -> Pack:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(files["pack.json"])
    if about["version"] != VERSION:
        raise BadInput(reason=f"face pack version {about['version']} is not {VERSION}: build the face again")
    with np.load(io.BytesIO(files["rig.npz"]), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return Pack(
        face_id=about["id"],
        name=about["name"],
        portrait=decoded(files["portrait.webp"], "RGB"),
        matte=decoded(files["matte.png"], "L"),
        plate=decoded(files["plate.webp"], "RGB"),
        atlas=decoded(files["atlas.png"], "RGBA"),
        landmarks=arrays["landmarks"],
        rig=Rig._make(_working(arrays[f"rig.{name}"]) for name in Rig._fields),
        vertices=Vertices._make(arrays[f"vertices.{name}"] for name in Vertices._fields),
        made_by=about["made_by"],
    )


def _compact(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Indices that fit are stored as 16 bits."""
    return {k: v.astype(np.uint16) if v.dtype == np.int32 and v.max() < 65536 else v for k, v in arrays.items()}


def _working(stored: NDArray[np.generic]) -> NDArray[np.generic]:
    """The renderer's types: float32, int32, uint8."""
    kind = {"f": np.float32, "u": np.int32, "i": np.int32}[stored.dtype.kind]
    return np.ascontiguousarray(stored if stored.dtype == np.uint8 else stored.astype(kind))


def encoded(picture: Bytes, form: str, **options: object) -> bytes:
    """The picture as a file of this form (``PNG``, ``WEBP``, ``JPEG``)."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, form, **options)
    return out.getvalue()


def decoded(data: bytes, mode: str) -> Bytes:
    """The pixels of a picture file, in a mode of Pillow (``RGB``, ``L``, ``RGBA``)."""
    return np.array(Image.open(io.BytesIO(data)).convert(mode))


def resized(picture: Bytes, width: int, height: int) -> Bytes:
    """The picture at another size (Lanczos; (h, w) or (h, w, channels))."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def halved(picture: Bytes, width: int, height: int) -> Bytes:
    """The picture at a smaller size by area averaging."""
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def softened(picture: Bytes, radius: float) -> Bytes:
    """The picture blurred with this standard deviation in pixels."""
    return np.array(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def filled_polygon(outline: NDArray[np.floating], width: int, height: int) -> Bytes:
    """A polygon's inside as 255 on a picture of 0; ``outline`` (n, 2) in pixels."""
    picture = Image.new("L", (width, height))
    ImageDraw.Draw(picture).polygon([tuple(point) for point in outline.tolist()], fill=255)
    return np.array(picture)
