"""Faces of one's own under their v1 names: the same use cases as ``/faces/legacy``."""

from __future__ import annotations

from fastapi import APIRouter, Request

from mouthpiece.errors import NotFound
from mouthpiece.simli.faces import FaceMade, FaceStatus, Image, Name, made_reply, status_reply, upload_of
from mouthpiece.simli.rest import Asking, InHouse, faults

router = APIRouter(tags=["Simli v1"])


@router.post("/generateFaceID", responses=faults(400, 401, 422, 429, 503), summary="Make a face of a picture")
async def generate_face_id(who: Asking, house: InHouse, image: Image, face_name: Name = "untitled_avatar") -> FaceMade:
    """The v1 name of ``POST /faces/legacy``."""
    return await made_reply(house, who, "legacy", face_name, await upload_of(image))


@router.post("/getRequestStatus", responses=faults(401, 404, 422), summary="How far a face is")
async def get_request_status(request: Request, who: Asking, house: InHouse, face_id: str | None = None) -> FaceStatus:
    """The id is in the query, or in a JSON body as ``character_uid`` or ``face_id``."""
    return await status_reply(house, who, face_id or await _body_id(request))


async def _body_id(request: Request) -> str | None:
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        return None
    keys = ("character_uid", "face_id", "faceId", "id", "request_id")
    found = next((body[key] for key in keys if key in body), None) if isinstance(body, dict) else None
    if found is not None and not isinstance(found, str):
        raise NotFound(what="face")
    return found
