"""Faces of one's own: /faces/trinity, its older twin /faces/legacy, and their v1 names.

No source says what a face's creation answers, so every key is there that known clients look for.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from mouthpiece.errors import BadInput
from mouthpiece.face.source import portrait_png
from mouthpiece.providers.portraits import Upload
from mouthpiece.simli.base import Caller, House, Portraits
from mouthpiece.simli.rest import Asking, InHouse, faults
from mouthpiece.store.faces import FaceRecord, FaceState

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

STATUS: Final = {
    FaceState.QUEUED: "processing",
    FaceState.RUNNING: "processing",
    FaceState.READY: "completed",
    FaceState.FAILED: "failed",
}
"""Our states in the words that clients test for."""

router = APIRouter(tags=["Simli v2"])

Image = Annotated[UploadFile, File(description="JPEG, PNG, WebP, GIF, BMP or TIFF with one face, 64 px high at least")]
Name = Annotated[str, Query(max_length=200)]
Landmarks = Annotated[str | None, Form(description="ours: 478 points as JSON, instead of the landmarker")]
Index = Annotated[int | None, Form(description="ours: which face, from the left, counted from 0", ge=0, le=100)]
Matte = Annotated[UploadFile | None, File(description="ours: the outline of a `framed` picture, grey")]
Framed = Annotated[bool, Form(description="ours: the picture is cut already")]


class FaceMade(BaseModel):
    """A face that is being made: its id under every name that clients look for."""

    face_id: str
    faceId: str
    character_uid: str
    id: str
    request_id: str
    status: str
    message: str
    warnings: list[str]


class FaceStatus(BaseModel):
    """How far a face is. ``progress`` in percent; ``state`` is ours: queued, running, ready or failed."""

    face_id: str
    faceId: str
    character_uid: str
    id: str
    status: str
    state: str
    progress: int
    queue_position: int
    message: str
    warnings: list[str]
    error: str | None = None
    code: str | None = None


def _portraits(house: House) -> Portraits:
    assert house.portraits is not None, "the gateway makes faces"
    return house.portraits


async def made_reply(house: House, who: Caller, kind: str, name: str, upload: Upload) -> FaceMade:
    """Begin to make a face; ``kind`` is trinity or legacy."""
    face = await _portraits(house).add(who.account, name.strip() or "untitled_avatar", kind, upload)
    return FaceMade(
        face_id=face.id,
        faceId=face.id,
        character_uid=face.id,
        id=face.id,
        request_id=face.id,
        status=STATUS[face.state],
        message="the face is being made: ask for its status",
        warnings=list(face.warnings),
    )


async def status_reply(house: House, who: Caller, face_id: str | None) -> FaceStatus:
    """How far a face of the caller is; None: the newest."""
    face = await _portraits(house).get(face_id, who.account)
    return FaceStatus(
        face_id=face.id,
        faceId=face.id,
        character_uid=face.id,
        id=face.id,
        status=STATUS[face.state],
        state=face.state.value,
        progress=round(face.progress * 100),
        queue_position=await _portraits(house).ahead(face),
        message=_message(face),
        warnings=list(face.warnings),
        error=face.error,
        code=face.error_code,
    )


def _message(face: FaceRecord) -> str:
    if face.state is FaceState.READY:
        return "the face is ready: name it in a token"
    return face.error or face.stage or "waiting"


async def upload_of(
    image: UploadFile,
    landmarks: str | None = None,
    face_index: int | None = None,
    matte: UploadFile | None = None,
    framed: bool = False,
) -> Upload:
    """The parts of a form as one upload."""
    return Upload(
        data=await image.read(),
        landmarks=landmarks or None,
        face_index=face_index,
        framed=framed,
        matte=None if matte is None else await matte.read(),
    )


# --- v2 ------------------------------------------------------------------------------------------------------------
@router.post("/faces/trinity", responses=faults(400, 401, 422, 429, 503), summary="Make a face of a picture")
async def make(  # noqa: PLR0913, PLR0917 - the parts of one form
    who: Asking,
    house: InHouse,
    image: Image,
    face_name: Name = "untitled_avatar",
    gsVersion: Annotated[str, Query(description="accepted, not used")] = "GSA_1.0",
    landmarks: Landmarks = None,
    face_index: Index = None,
    matte: Matte = None,
    framed: Framed = False,
) -> FaceMade:
    """Begin to make a face; it takes seconds. A file that is no picture is refused at once."""
    upload = await upload_of(image, landmarks, face_index, matte, framed)
    return await made_reply(house, who, "trinity", face_name, upload)


@router.post(
    "/faces/trinity/preprocess",
    responses={**faults(400, 401, 422, 429, 503), 200: {"content": {"image/png": {}}, "description": "the portrait"}},
    response_class=Response,
    summary="See how a picture would be cut",
)
async def preprocess(
    who: Asking,
    house: InHouse,
    image: Image,
    retry: Annotated[bool, Query(description="accepted, not used")] = False,
    landmarks: Landmarks = None,
    face_index: Index = None,
) -> Response:
    """The square portrait that a face would be made of, 1024x1024. What is wrong with the picture is an error here."""
    made = await _portraits(house).study(await upload_of(image, landmarks, face_index))
    notes = " | ".join(made.warnings).encode("ascii", "replace").decode()
    return Response(
        await run_in_threadpool(portrait_png, made.source), media_type="image/png", headers={"x-warnings": notes}
    )


@router.get("/faces/trinity/generation_status", responses=faults(401, 404, 422), summary="How far a face is")
async def generation_status(
    who: Asking, house: InHouse, face_id: Annotated[str | None, Query(description="none: the newest")] = None
) -> FaceStatus:
    """``status`` is processing, completed or failed; ``message`` says what is done, or what was wrong."""
    return await status_reply(house, who, face_id)


@router.delete("/faces/trinity/{id}", status_code=204, responses=faults(400, 401, 404), summary="Delete a face")
async def remove(id: str, who: Asking, house: InHouse) -> None:
    """The face, its portrait and everything made of it."""
    await _delete(id, who, house)


async def _delete(face_id: str, who: Caller, house: House) -> None:
    if UUID.fullmatch(face_id.lower()) is None:
        raise BadInput(reason=f"{face_id[:100]} is not the id of a face")
    if face_id.lower() in {face.uuid for face in await house.faces.all(who.account) if face.owner != who.account}:
        raise BadInput(reason="a shipped face cannot be deleted")
    await _portraits(house).delete(face_id, who.account)


@router.post("/faces/legacy", deprecated=True, responses=faults(400, 401, 422, 429, 503), summary="As trinity")
async def make_legacy(  # noqa: PLR0913, PLR0917 - the parts of one form
    who: Asking,
    house: InHouse,
    image: Image,
    face_name: Name = "untitled_avatar",
    characterVersion: Annotated[str, Query(description="accepted, not used")] = "1.5",
    landmarks: Landmarks = None,
    face_index: Index = None,
) -> FaceMade:
    """The older name of ``POST /faces/trinity``."""
    return await made_reply(house, who, "legacy", face_name, await upload_of(image, landmarks, face_index))


@router.get("/faces/legacy/generation_status", deprecated=True, responses=faults(401, 404, 422), summary="As trinity")
async def legacy_status(who: Asking, house: InHouse, face_id: str | None = None) -> FaceStatus:
    """The older name of ``GET /faces/trinity/generation_status``."""
    return await status_reply(house, who, face_id)


@router.delete(
    "/faces/legacy/{id}", deprecated=True, status_code=204, responses=faults(400, 401, 404), summary="As trinity"
)
async def remove_legacy(id: str, who: Asking, house: InHouse) -> None:
    """The older name of ``DELETE /faces/trinity/{id}``."""
    await _delete(id, who, house)
