"""What the pages need of the house, as the composition root hands it over, and who is asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import numpy as np
from fastapi import Depends, Request
from numpy.typing import NDArray

from mouthpiece.errors import InvalidApiKey
from mouthpiece.face.base import Face
from mouthpiece.face.source import Parts
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.providers.portraits import Upload
from mouthpiece.store.faces import FaceRecord


class Visitor(Protocol):
    """Who asks."""

    @property
    def account(self) -> str:
        """The account's id."""
        ...


class Drafts(Protocol):
    """What the studio works on: faces that are not saved yet, and the saved ones. All raise NotFound for another's."""

    async def begin(self, account: str, upload: Upload) -> FaceRecord:
        """Begin a draft from a picture. Raises InvalidPortrait (no picture), TooLarge, RateLimited, NotConfigured."""
        ...

    async def copy(self, account: str, face_id: str) -> FaceRecord:
        """Begin a draft from a face, which stays as it is. Raises NotReady."""
        ...

    async def get(self, account: str, draft_id: str) -> FaceRecord:
        """A draft."""
        ...

    async def ahead(self, face: FaceRecord) -> int:
        """How many are made before this one begins."""
        ...

    async def parts(self, face: FaceRecord) -> Parts:
        """Its portrait, outline and points. Raises NotReady."""
        ...

    async def correct(self, account: str, draft_id: str, points: NDArray[np.float64]) -> FaceRecord:
        """Make it again with other points (478, 3) in pixels of its portrait. Raises BadInput, NotReady."""
        ...

    async def save(self, account: str, draft_id: str, name: str) -> FaceRecord:
        """The draft becomes a face. Raises NotReady, TooLarge."""
        ...

    async def save_into(self, account: str, draft_id: str, face_id: str) -> FaceRecord:
        """The face that a draft was begun from gets the draft's points, and is made again; the draft goes.

        Raises NotReady.
        """
        ...

    async def discard(self, account: str, draft_id: str) -> None:
        """Delete a draft."""

    async def faces(self, account: str) -> Sequence[FaceRecord]:
        """The account's own faces, newest first, in whatever state."""
        ...

    async def face(self, account: str, face_id: str) -> Face:
        """A face or draft, loaded. Raises NotReady."""
        ...


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages need of the house. ``admit`` raises InvalidApiKey; ``face`` raises InvalidFace.

    ``framers`` says which pages may show a room in a frame, by its token.
    """

    admit: Callable[[str], Awaitable[Visitor]]
    face: Callable[[str], Face]
    voice: EspeakVoice
    drafts: Drafts
    framers: Callable[[str], Sequence[str]] = lambda _: ()
    posters: dict[str, bytes] = field(default_factory=dict)  # drawn at first use
    drawing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # sessions need the cores


def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


House = Annotated[Pages, Depends(_pages)]


async def _visitor(request: Request, pages: House) -> Visitor:
    credential = request.headers.get("x-simli-api-key") or request.headers.get("api-key")
    if not credential:
        raise InvalidApiKey
    return await pages.admit(credential)


Asking = Annotated[Visitor, Depends(_visitor)]
ADMITTED = Depends(_visitor)
