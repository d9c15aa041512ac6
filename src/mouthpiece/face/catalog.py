"""The shipped faces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from mouthpiece.errors import InvalidFace
from mouthpiece.face.mesh_face import MeshFace
from mouthpiece.media import REST, Look


@dataclass(frozen=True, slots=True)
class Shipped:
    """A face in the package: its stable id, the short alias, and the name for people."""

    face_id: str
    alias: str
    name: str


SHIPPED: Final = (
    Shipped("5b0c9c1e-6d0f-4a8e-9a53-6d6961000001", "mia", "Mia"),
    Shipped("5b0c9c1e-6d0f-4a8e-9a53-6e6f61680002", "noah", "Noah"),
    Shipped("5b0c9c1e-6d0f-4a8e-9a53-616461000003", "ada", "Ada"),
    Shipped("5b0c9c1e-6d0f-4a8e-9a53-77616c740004", "walter", "Walter"),
    Shipped("5b0c9c1e-6d0f-4a8e-9a53-7a6f6c610005", "zola", "Zola"),
    Shipped("5b0c9c1e-6d0f-4a8e-9a53-726176690006", "ravi", "Ravi"),
)


def find(face_id: str) -> Shipped:
    """The shipped face of an id or alias.

    Raises:
        InvalidFace: there is none.
    """
    for face in SHIPPED:
        if face_id in (face.face_id, face.alias):
            return face
    raise InvalidFace(face_id=face_id)


def load(face_id: str) -> MeshFace:
    """A shipped face by id or alias, loaded once. Raises InvalidFace."""
    return _load(find(face_id).alias)


def pack_bytes(face_id: str) -> bytes:
    """The pack file of a shipped face by id or alias. Raises InvalidFace."""
    return (files(__package__) / "packs" / f"{find(face_id).alias}.face").read_bytes()


@lru_cache(maxsize=len(SHIPPED))
def _load(alias: str) -> MeshFace:
    return MeshFace.from_bytes(pack_bytes(alias))


def warm() -> None:
    """Compile the kernels (or read them from the cache: set NUMBA_CACHE_DIR first) and draw a picture.

    After this nothing compiles any more, whatever is drawn.
    """
    load(SHIPPED[0].alias).renderer(Look(face_id=SHIPPED[0].face_id)).draw(REST, 0.0)
