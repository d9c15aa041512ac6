"""The v2 routes that set sessions up and look back at them: /compose, /faces, /history, /ratelimiter.

Sources: the OpenAPI of Simli v2 and what its clients send; see docs/protocol.md.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException

from mouthpiece.errors import (
    BadInput,
    Draining,
    InvalidApiKey,
    InvalidEmotion,
    MouthpieceError,
    NoCapacity,
    RateLimited,
)
from mouthpiece.face.camera import ORBIT_PITCH, ORBIT_YAW
from mouthpiece.simli import messages, presets, schemas
from mouthpiece.simli.base import Caller, FaceEntry, House, IceServer
from mouthpiece.simli.tokens import SessionClaims, expiry
from mouthpiece.store.history import SessionRecord

FAULTS: dict[int | str, dict[str, object]] = {
    400: {"model": schemas.ErrorReply, "description": "a face or a value that cannot be used"},
    401: {"model": schemas.ErrorReply, "description": "no API key, or one that is unknown"},
    404: {"model": schemas.ErrorReply, "description": "no such thing, or not yet: then Retry-After says how long"},
    413: {"model": schemas.ErrorReply, "description": "a body or a duration is over its limit"},
    403: {"model": schemas.ErrorReply, "description": "a page that may not use this token"},
    422: {"model": schemas.ValidationReply, "description": "the request has the wrong shape"},
    429: {"model": schemas.ErrorReply, "description": "the account is over its limit; Retry-After says how long"},
    501: {"model": schemas.ErrorReply, "description": "the server lacks an extra or a setting, and says which"},
    503: {"model": schemas.ErrorReply, "description": "server overloaded; Retry-After says how long"},
}


def faults(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The error replies of a route, for the OpenAPI."""
    return {status: FAULTS[status] for status in statuses}


# --- who asks ------------------------------------------------------------------------------------------------------
key_header = APIKeyHeader(name="x-simli-api-key", scheme_name="ApiKeyAuth", auto_error=False)


async def caller(request: Request, key: Annotated[str | None, Depends(key_header)]) -> Caller:
    """Who asks. An API key (or page token) is looked for in both headers, then the JSON body, then the query.

    Raises InvalidApiKey.
    """
    house: House = request.app.state.house
    credential = key or request.headers.get("api-key") or await _body_key(request) or query_key(request)
    if not credential:
        raise InvalidApiKey
    return await house.door.admit(credential)


async def _body_key(request: Request) -> str | None:
    if "json" not in request.headers.get("content-type", ""):
        return None
    try:
        return key_in(await request.json())
    except (ValueError, RecursionError):
        return None


def key_in(body: object) -> str | None:
    """The API key in a JSON body."""
    keys = [body.get(name) for name in ("apiKey", "simliAPIKey")] if isinstance(body, dict) else []
    return next((key for key in keys if isinstance(key, str) and key), None)


def query_key(request: Request) -> str | None:
    """The API key in the query."""
    return request.query_params.get("apiKey") or request.query_params.get("api_key")


def in_house(request: Request) -> House:
    """The house behind the front end."""
    house: House = request.app.state.house
    return house


Asking = Annotated[Caller, Depends(caller)]
InHouse = Annotated[House, Depends(in_house)]

router = APIRouter(tags=["Simli v2"])


# --- /compose ------------------------------------------------------------------------------------------------------
@router.post(
    "/compose/token",
    response_model=schemas.TokenReply,
    response_model_exclude_none=True,
    responses=faults(400, 401, 422, 429, 503),
    summary="Compose session token",
)
async def compose_token(asked: schemas.TokenRequest, who: Asking, house: InHouse) -> schemas.TokenReply:
    """Make a token for one avatar session. It may be used again until it expires: clients reconnect with it."""
    return await make_token(asked, who, house)


async def make_token(asked: schemas.TokenRequest, who: Caller, house: House) -> schemas.TokenReply:
    """What the token route of every generation does.

    Raises BadInput, InvalidFace, InvalidEmotion, RateLimited, Unavailable.
    """
    await house.limiter.hit(who.account)
    if asked.audioInputFormat.lower() != "pcm16":
        raise BadInput(reason=f"audioInputFormat {asked.audioInputFormat[:20]} is not supported: send pcm16")
    face, emotion = await face_and_emotion(asked.faceId, who.account, house)
    await room_for_one_more(who.account, house)
    claims = _claims(asked, who, int(house.clock()), (face.face_id, emotion))
    layers, dropped = await layers_of(asked, who.account, house)
    said = [*warnings(asked), *dropped]
    return schemas.TokenReply(session_token=house.tokens.make(replace(claims, **layers)), warnings=said or None)  # type: ignore[arg-type]


async def face_and_emotion(named: str, account: str, house: House) -> tuple[FaceEntry, str]:
    """``faceId`` may be ``face/emotion``, each an id or a name. Raises InvalidFace, InvalidEmotion."""
    face_id, _, emotion_id = named.partition("/")
    face = await house.faces.find(face_id, account)
    emotion = presets.EMOTIONS.get(emotion_id.lower()) if emotion_id else presets.NATURAL
    if emotion is None:
        raise InvalidEmotion(emotion=emotion_id[:100])
    return face, emotion


async def room_for_one_more(account: str, house: House) -> None:
    """Say now what the socket would say: full, or over the account's limit.

    Raises RateLimited, Draining, NoCapacity.
    """
    limits = house.limits
    if await house.history.active(account) >= limits.sessions_per_key:
        raise RateLimited(reason=f"{limits.sessions_per_key} sessions at once", retry_s=limits.retry_s)
    if house.draining():
        raise Draining(retry_s=limits.retry_s)
    if house.host is not None and not any(worker.ready for worker in house.host.workers()):
        raise NoCapacity(retry_s=limits.retry_s)


def _claims(asked: schemas.TokenRequest, who: Caller, now: int, face: tuple[str, str]) -> SessionClaims:
    return SessionClaims(
        account=who.account,
        key_name=who.key_name,
        token_id=str(uuid.uuid4()),
        issued_at=now,
        expires_at=expiry(now, asked.max_length_s),
        face_id=face[0],
        emotion=face[1],
        origins=tuple(asked.originAllowList),
        width=asked.streaming_width,
        height=asked.streaming_height,
        start_frame=asked.startFrame,
        handle_silence=asked.handleSilence,
        max_length_s=asked.max_length_s,
        max_idle_s=asked.max_idle_s,
        end_user=asked.sessionAggregator,
        position=(asked.avatar_position_x, asked.avatar_position_y),
        camera=camera_values(asked.camera),
        transparent=asked.transparent,
    )


def camera_values(camera: schemas.CameraRequest | None) -> tuple[float, ...]:
    """As a look carries them."""
    return () if camera is None else tuple(getattr(camera, name) for name in type(camera).model_fields)


def warnings(asked: schemas.TokenRequest) -> Sequence[str]:
    """What will not be quite as asked for, in words for people."""
    said = camera_warnings(asked.camera)
    for name, given, used in (
        ("maxSessionLength", asked.maxSessionLength, asked.max_length_s),
        ("maxIdleTime", asked.maxIdleTime, asked.max_idle_s),
    ):
        if given != used:
            said.append(f"{name} {given} is over the limit; applied as {used}")
    return said


def camera_warnings(camera: schemas.CameraRequest | None) -> list[str]:
    """What a camera shows otherwise than asked for."""
    said = [f"camera {what}; applied as is" for what in _camera_faults(camera)]
    if camera is not None:
        for name, most in (("orbit_y_off", ORBIT_YAW), ("orbit_x_off", ORBIT_PITCH)):
            if abs(getattr(camera, name)) > most:
                said.append(f"camera {name}: a portrait can be turned by {most:g} degrees; applied as that")
    return said


async def layers_of(asked: schemas.Framed, account: str, house: House) -> tuple[dict[str, str | None], list[str]]:
    """The pictures that are theirs and will be seen, and a warning for each that is not."""
    kept: dict[str, str | None] = {}
    said = []
    for layer, asset_id in (("background", asked.background_id), ("foreground", asked.foreground_id)):
        kept[f"{layer}_id"] = None
        if asset_id in (None, "", messages.NIL_ASSET):
            continue
        if layer == "background" and asked.transparent:
            said.append("background: a transparent picture has none: dropped")
        elif house.assets is not None and await house.assets.owns(account, layer, asset_id):
            kept[f"{layer}_id"] = asset_id.lower()
        else:
            said.append(f"{layer} {asset_id} is not one of your uploaded {layer}s: dropped")
    return kept, said


def _camera_faults(camera: schemas.CameraRequest | None) -> Sequence[str]:
    if camera is None:
        return []
    faults = [
        f"{name} {value} is outside its supported range [{low}, {high}]"
        for name, (low, high) in schemas.CAMERA_RANGES.items()
        if not low <= (value := getattr(camera, name)) <= high
    ]
    if not 0 < camera.zoom <= 4:
        faults.append(f"zoom {camera.zoom} is outside its supported range (0.0, 4.0]")
    return faults


@router.get(
    "/compose/ice",
    response_model=list[schemas.IceServerReply],
    response_model_exclude_none=True,
    responses=faults(401, 422),
    summary="ICE servers",
)
async def compose_ice(request: Request, _: Asking, house: InHouse) -> Sequence[IceServer]:
    """The STUN server of this house, and its TURN server if it has one. Never empty: some clients wait for one."""
    return house.ice(request.url.hostname or "")


# --- faces ---------------------------------------------------------------------------------------------------------
@router.get("/faces", response_model=list[schemas.FaceReply], responses=faults(401), summary="All faces")
async def faces(who: Asking, house: InHouse) -> list[schemas.FaceReply]:
    """Every face that the account may use."""
    return [_face_reply(face) for face in await house.faces.all(who.account)]


def _face_reply(face: FaceEntry) -> schemas.FaceReply:
    return schemas.FaceReply(
        id=face.uuid,
        owner_id=face.owner,
        simli_version=2,
        created_at=_iso(face.created),
        updated_at=_iso(face.updated),
        face_id=face.uuid,
        faceId=face.uuid,
        face_name=face.name,
        name=face.name,
    )


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# --- looking back --------------------------------------------------------------------------------------------------
@router.get(
    "/history/sessions",
    response_model=schemas.HistoryReply,
    response_model_exclude_defaults=True,  # ``call`` has one
    responses=faults(401, 422),
    summary="Session history",
)
async def history(
    who: Asking,
    house: InHouse,
    start: Annotated[float | None, Query(description="unix seconds; also `startTime`")] = None,
    end: Annotated[float | None, Query(description="unix seconds; also `endTime`")] = None,
    startTime: Annotated[float | None, Query()] = None,
    endTime: Annotated[float | None, Query()] = None,
) -> schemas.HistoryReply:
    """The account's sessions that began in a stretch of time, newest first; all of them without bounds."""
    now = house.clock()
    first, last = _first(start, startTime, 0.0), _first(end, endTime, now + 1)
    return schemas.HistoryReply(
        sessions=[_session_reply(each, now) for each in await house.history.between(who.account, first, last)]
    )


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _session_reply(session: SessionRecord, now: float) -> schemas.SessionReply:
    ended = now if session.ended is None else session.ended
    return schemas.SessionReply(
        id=session.id,
        sessionTotalTime=round(max(0.0, ended - session.started), 3),
        startTime=int(session.started),
        endTime=int(ended),
        userId=session.account,
        face_id=session.face_id,
        kind=session.kind,
        endUserAggregator=session.end_user,
        apiKeyName=session.api_key_name,
        sessionTokenId=session.token_id,
        endReason=session.end_reason,
        call=None if session.call is None else json.loads(session.call),
    )


@router.get("/ratelimiter/sessions", response_model=schemas.UsageReply, responses=faults(401), summary="Running now")
async def usage(who: Asking, house: InHouse) -> schemas.UsageReply:
    """How many sessions of the account run now."""
    return schemas.UsageReply(currentUsage=await house.history.active(who.account))


# --- errors --------------------------------------------------------------------------------------------------------
async def on_fault(_: Request, fault: Exception) -> JSONResponse:
    """An error of ours, in the body that every client can read."""
    assert isinstance(fault, MouthpieceError)
    retry = fault.facts.get("retry_s")
    headers = {} if retry is None else {"Retry-After": str(retry)}
    return JSONResponse(messages.body(fault), messages.status(fault), headers)


async def on_bad_shape(_: Request, fault: Exception) -> JSONResponse:
    """A request of the wrong shape: where and why, and never the values, which may be secrets.

    py 2.0 looks for ``session_token`` in whatever is no success, and dies of its absence instead of telling the reason.
    """
    assert isinstance(fault, RequestValidationError)
    detail = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in fault.errors()]
    return JSONResponse({"detail": detail, "session_token": messages.FAIL_TOKEN}, 422)


async def on_http_error(_: Request, fault: Exception) -> JSONResponse:
    """No such route, or not with this method."""
    assert isinstance(fault, HTTPException)
    code = _HTTP_CODES.get(fault.status_code, "INVALID_REQUEST")
    return JSONResponse(messages.failed(str(fault.detail), code), fault.status_code, fault.headers)


_HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}


async def on_bug(_: Request, __: Exception) -> JSONResponse:
    """Our fault, and nothing of it is told; the server logs it."""
    return JSONResponse(messages.body(MouthpieceError()), 500)
