"""Which faces the API shows: the shipped ones, and for every id of sample code one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mouthpiece.errors import InvalidFace
from mouthpiece.face import catalog
from mouthpiece.simli.base import FaceEntry
from mouthpiece.simli.presets import PRESET_FACES, stand_in

OWNER: Final = "mouthpiece"
SHIPPED_AT: Final = 1_767_225_600.0
"""When the shipped faces count as made (2026-01-01), so that lists do not change from start to start."""


class ShippedFaces:
    """See ``simli.base.Faces``. ``default`` (id or alias) stands in for the legacy default. Raises InvalidFace."""

    def __init__(self, default: str) -> None:
        first = catalog.find(default)
        self._ours = [first.alias, *(face.alias for face in catalog.SHIPPED if face is not first)]

    async def find(self, face_id: str, account: str) -> FaceEntry:
        """By id, alias, or an id of sample code; letters of either case. Raises InvalidFace."""
        wanted = face_id.strip().lower()
        try:
            return _entry(catalog.find(stand_in(wanted, self._ours) if wanted in PRESET_FACES else wanted))
        except InvalidFace:
            raise InvalidFace(face_id=face_id[:100]) from None

    async def all(self, account: str) -> Sequence[FaceEntry]:
        """The shipped faces."""
        return [_entry(face) for face in catalog.SHIPPED]


def _entry(face: catalog.Shipped) -> FaceEntry:
    return FaceEntry(face.face_id, face.face_id, face.name, OWNER, SHIPPED_AT, SHIPPED_AT)
