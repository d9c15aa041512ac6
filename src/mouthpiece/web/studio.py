"""The face studio's API: a picture becomes a draft, its points are moved by hand, and it is saved as a face.

Everything belongs to the account that asks; what is another's is not found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from mouthpiece.errors import BadInput, NotReady
from mouthpiece.face.handles import LINES, Handle, anchors, handles, template
from mouthpiece.face.moods import MOODS
from mouthpiece.face.source import DOUBTFUL, SIDE
from mouthpiece.lipsync.visemes import VISEMES
from mouthpiece.media import Look
from mouthpiece.providers.portraits import Upload
from mouthpiece.store.faces import FaceRecord
from mouthpiece.web.base import ADMITTED, Asking, House
from mouthpiece.web.posters import saying, still

FELT: Final = 0.02
"""Weights below this are left out of the kit: nobody sees a fiftieth of a nudge."""

KEPT: Final = {"cache-control": "private, max-age=600"}
"""For pictures whose address says their version."""

router = APIRouter(tags=["mouthpiece"])


# --- what it says ----------------------------------------------------------------------------------------------------
class HandleReply(BaseModel):
    """A point that a person moves. ``moves``: which points follow, and by how much: pairs of index and weight."""

    name: str
    group: str
    point: int
    whole: bool
    moves: list[tuple[int, float]]


class Kit(BaseModel):
    """What moving points by hand needs.

    ``template``: 478 points of a face in shares of a square around it, to begin from where nothing found the face;
    ``anchors``: what places it. ``lines``: rows of points to be drawn, by group.
    """

    handles: list[HandleReply]
    anchors: list[HandleReply]
    lines: dict[str, list[list[int]]]
    template: list[list[float]]
    visemes: list[str]
    emotions: list[str]


class DraftReply(BaseModel):
    """A draft, or how far it is.

    ``state``: queued, running, ready or failed; ``progress`` in percent. ``landmarks`` (pixels of the portrait, which
    has ``side`` x ``side``) are there once it has a portrait, also while it is made again; ``unsure``: they should be
    checked. ``version`` changes with every change: put it into the address of pictures. ``of``: the face that it was
    begun from.
    """

    id: str
    state: str
    progress: int
    stage: str
    queue_position: int
    warnings: list[str]
    error: str | None = None
    code: str | None = None
    of: str | None = None
    version: str
    unsure: bool = False
    side: int | None = None
    landmarks: list[list[float]] | None = None
    measures: dict[str, float] = {}


class OwnFace(BaseModel):
    """A face of the account. Times in unix seconds."""

    id: str
    name: str
    state: str
    progress: int
    stage: str
    warnings: list[str]
    error: str | None = None
    code: str | None = None
    version: str
    bytes: int
    created: float
    updated: float


class Correction(BaseModel):
    """Points that were moved."""

    model_config = ConfigDict(extra="ignore")

    landmarks: list[list[float]] = Field(
        max_length=1000, description="478 points of x, y and z in pixels of the draft's portrait"
    )


class SaveRequest(BaseModel):
    """How to save a draft: under a name, or into the face that it was begun from."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field("", max_length=200, description="what it is called; a token may name it so")
    face_id: str | None = Field(None, max_length=64, description="the face that the draft was begun from")


class ErrorReply(BaseModel):
    """What was wrong."""

    detail: Any = None
    error: str | None = None
    code: str | None = None


SAYS: Final = {
    400: "the input, and why",
    401: "no good key",
    404: "not there, not yours, or not ready",
    413: "too large, or too many",
    422: "the shape",
    429: "too much at once",
    503: "not now, or not set up here",
}


def _faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorReply, "description": SAYS[status]} for status in statuses}


Viseme = Annotated[str, Query(description="the mouth", json_schema_extra={"enum": list(VISEMES)})]
Emotion = Annotated[str, Query(description="the mood", json_schema_extra={"enum": list(MOODS)})]


# --- routes ----------------------------------------------------------------------------------------------------------
@router.get("/studio/kit", dependencies=[ADMITTED], responses=_faults(401), summary="Handles for moving points by hand")
async def kit() -> Kit:
    """The same for every face."""
    return _kit()


@router.post(
    "/studio/drafts", status_code=201, responses=_faults(400, 401, 404, 413, 422, 429, 503), summary="Begin a draft"
)
async def begin(
    who: Asking,
    house: House,
    image: Annotated[UploadFile | None, File(description="a picture, as for POST /faces/trinity")] = None,
    face_id: Annotated[str | None, Form(description="instead of a picture: a face of yours", max_length=64)] = None,
    landmarks: Annotated[str | None, Form(description="478 points as JSON, instead of the landmarker")] = None,
    face_index: Annotated[int | None, Form(description="which face, from the left, from 0", ge=0, le=100)] = None,
) -> DraftReply:
    """Study a picture, in the background; or open a face again. A draft that is left alone is deleted after a day."""
    if (image is None) == (face_id is None):
        raise BadInput(reason="send either a picture as image, or the id of a face of yours as face_id")
    if image is None:
        return await _draft(house, await house.drafts.copy(who.account, str(face_id)))
    upload = Upload(await image.read(), landmarks=landmarks or None, face_index=face_index)
    return await _draft(house, await house.drafts.begin(who.account, upload))


@router.get("/studio/drafts/{id}", responses=_faults(401, 404), summary="A draft, or how far it is")
async def draft(id: str, who: Asking, house: House) -> DraftReply:
    """Ask again while ``state`` is queued or running."""
    return await _draft(house, await house.drafts.get(who.account, id))


@router.get(
    "/studio/drafts/{id}/portrait",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}, "description": "1024x1024"}, **_faults(401, 404)},
    summary="The square portrait of a draft",
)
async def portrait(id: str, who: Asking, house: House) -> Response:
    """What the face is made of."""
    parts = await house.drafts.parts(await house.drafts.get(who.account, id))
    return Response(parts.portrait, media_type="image/webp", headers=KEPT)


@router.get(
    "/studio/drafts/{id}/matte",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "1024x1024, grey"}, **_faults(401, 404)},
    summary="The outline of the person in a draft",
)
async def matte(id: str, who: Asking, house: House) -> Response:
    """White where the person is."""
    parts = await house.drafts.parts(await house.drafts.get(who.account, id))
    return Response(parts.matte, media_type="image/png", headers=KEPT)


@router.put(
    "/studio/drafts/{id}/landmarks", responses=_faults(400, 401, 404, 422, 503), summary="Move the points of a draft"
)
async def correct(id: str, moved: Correction, who: Asking, house: House) -> DraftReply:
    """The draft is made again with these points, in the background. What makes no face is refused at once."""
    if {len(row) for row in moved.landmarks} != {3}:
        raise BadInput(reason="landmarks must be 478 points of x, y and z")
    return await _draft(house, await house.drafts.correct(who.account, id, np.array(moved.landmarks, float)))


@router.post("/studio/drafts/{id}/save", responses=_faults(400, 401, 404, 413, 422), summary="Save a draft as a face")
async def save(id: str, asked: SaveRequest, who: Asking, house: House) -> OwnFace:
    """The draft becomes a face of that id and name; or the face that it was begun from is made again like it."""
    if asked.face_id is not None:
        return _own(await house.drafts.save_into(who.account, id, asked.face_id))
    if not asked.name.strip():
        raise BadInput(reason="the face needs a name")
    return _own(await house.drafts.save(who.account, id, asked.name.strip()))


@router.delete("/studio/drafts/{id}", status_code=204, responses=_faults(401, 404), summary="Delete a draft")
async def discard(id: str, who: Asking, house: House) -> None:
    """The draft and everything of it."""
    await house.drafts.discard(who.account, id)


@router.get("/studio/faces", responses=_faults(401), summary="Your own faces, in whatever state")
async def own_faces(who: Asking, house: House) -> Sequence[OwnFace]:
    """Newest first."""
    return [_own(face) for face in await house.drafts.faces(who.account)]


@router.get(
    "/studio/preview/{id}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "square"}, **_faults(400, 401, 404, 422)},
    summary="A face or draft of yours, drawn with any mouth and mood",
)
async def preview(  # noqa: PLR0913, PLR0917 - a parameter is a part of the query
    id: str,
    who: Asking,
    house: House,
    viseme: Viseme = "sil",
    emotion: Emotion = "natural",
    weight: Annotated[float, Query(ge=0, le=1, description="how much of the mouth's full shape")] = 1.0,
    size: Annotated[int, Query(ge=64, le=1024, multiple_of=2, description="side in pixels")] = 512,
) -> Response:
    """As a session would draw it."""
    pose = saying(viseme, weight)
    if emotion not in MOODS:
        raise BadInput(reason=f"no emotion {emotion[:20]}: give one of {', '.join(MOODS)}")
    face = await house.drafts.face(who.account, id)
    async with house.drawing:
        jpeg = await run_in_threadpool(lambda: still(face, Look(id, emotion, size, size), pose))
    return Response(jpeg, media_type="image/jpeg", headers=KEPT)


# --- replies ---------------------------------------------------------------------------------------------------------
async def _draft(house: House, face: FaceRecord) -> DraftReply:
    more: Mapping[str, Any] = {}
    try:
        parts = await house.drafts.parts(face)
        doubt = parts.measures.get("mirror", 0.0) > DOUBTFUL
        more = {"landmarks": parts.landmarks.tolist(), "measures": parts.measures, "unsure": doubt, "side": SIDE}
    except NotReady:
        pass
    return DraftReply(
        id=face.id,
        state=face.state.value,
        progress=round(face.progress * 100),
        stage=face.stage,
        queue_position=await house.drafts.ahead(face),
        warnings=list(face.warnings),
        error=face.error,
        code=face.error_code,
        of=None if "of" not in face.options else str(face.options["of"]),
        version=_version(face),
        **more,
    )


def _own(face: FaceRecord) -> OwnFace:
    return OwnFace(
        id=face.id,
        name=face.name,
        state=face.state.value,
        progress=round(face.progress * 100),
        stage=face.stage,
        warnings=list(face.warnings),
        error=face.error,
        code=face.error_code,
        version=_version(face),
        bytes=face.bytes,
        created=face.created,
        updated=face.updated,
    )


def _version(face: FaceRecord) -> str:
    return f"{face.version}-{face.updated:.3f}"


@cache
def _kit() -> Kit:
    return Kit(
        handles=[_handle(each) for each in handles()],
        anchors=[_handle(each) for each in anchors()],
        lines={group: [list(row) for row in rows] for group, rows in LINES.items()},
        template=template().round(5).tolist(),
        visemes=list(VISEMES),
        emotions=list(MOODS),
    )


def _handle(handle: Handle) -> HandleReply:
    felt = [(k, round(float(weight), 3)) for k, weight in enumerate(handle.moves) if abs(weight) > FELT]
    return HandleReply(name=handle.name, group=handle.group, point=handle.point, whole=handle.whole, moves=felt)
