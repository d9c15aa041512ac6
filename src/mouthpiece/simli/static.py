"""Films by HTTP: POST /static/audio and /static/text order one, GET /static/hls and /static/mp4 deliver it.

Sources: the OpenAPI of Simli v2; /static/text is ours. See docs/render.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from mouthpiece.codec.decode import AudioKind, AudioSource
from mouthpiece.codec.mux import MOVIE, PLAYLIST, WEBM
from mouthpiece.errors import Draining, InvalidApiKey, NotConfigured
from mouthpiece.media import Look
from mouthpiece.providers.espeak import EspeakVoice, Manner
from mouthpiece.render.base import Order
from mouthpiece.render.delivery import Asked
from mouthpiece.render.desk import RenderDesk
from mouthpiece.render.intake import NotJson
from mouthpiece.simli import schemas
from mouthpiece.simli.base import Caller, House
from mouthpiece.simli.rest import (
    Asking,
    InHouse,
    camera_values,
    camera_warnings,
    face_and_emotion,
    faults,
    key_header,
    key_in,
    layers_of,
    query_key,
)

FILE_FIELD: Final = "audioBase64"
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schemas.AudioRequest.model_json_schema()}},
    }
}

router = APIRouter(tags=["Simli v2"])


def films_of(house: InHouse) -> RenderDesk:
    """Where films are ordered. Raises NotConfigured."""
    if house.films is None:
        raise NotConfigured(what="rendering", remedy="ask the server itself, not one of its workers")
    return house.films


def voice_of(house: InHouse) -> EspeakVoice:
    """The embedded voice. Raises NotConfigured."""
    if house.voice is None:
        raise NotConfigured(what="the voice", remedy="ask the server itself, not one of its workers")
    return house.voice


Films = Annotated[RenderDesk, Depends(films_of)]
Voice = Annotated[EspeakVoice, Depends(voice_of)]


# --- ordering ------------------------------------------------------------------------------------------------------
@router.post(
    "/static/audio",
    response_model=schemas.FilmReply,
    response_model_exclude_none=True,
    responses=faults(400, 401, 413, 422, 429, 503),
    summary="Film of a sound file",
    openapi_extra=_BODY,
)
async def static_audio(
    request: Request, house: InHouse, films: Films, key: Annotated[str | None, Depends(key_header)] = None
) -> schemas.FilmReply:
    """Render a talking video of a sound file. Answers as soon as the sound is read; the video is made meanwhile."""
    return urls(request, await order_file(request, house, films, key))


@dataclass(frozen=True, slots=True)
class Ordered:
    """A film that is being made: where, whether with its opacity, and what is not quite as asked for."""

    destination: str
    transparent: bool = False
    warnings: Sequence[str] = ()


async def order_file(request: Request, house: House, films: RenderDesk, key: str | None) -> Ordered:
    """Order what the body says (an ``AudioRequest``). The body has not been read before.

    Raises InvalidApiKey, InvalidFace, InvalidEmotion, InvalidAudio, TooLarge, RateLimited, QueueFull, StorageFull,
    RequestValidationError.
    """
    who = await _early_caller(request, house, key)
    try:
        async with films.receive(request.stream(), FILE_FIELD) as body:
            who = who or await _late_caller(request, house, body.fields)
            await admit(who, house)
            asked = _checked(body.fields)
            look, said = await _look(asked, who, house)
            kind = cast("AudioKind", asked.audioFormat.lower())
            source = AudioSource(kind, asked.audioSampleRate, asked.audioChannelCount, base64=True)
            order = Order(who.account, look, house.fps)
            return Ordered(await films.order_sound(order, body.file, source), look.transparent, said)
    except NotJson as error:
        raise RequestValidationError([_fault(("body",), f"JSON decode error: {error}", "json_invalid")]) from None


async def _early_caller(request: Request, house: House, key: str | None) -> Caller | None:
    """Who asks, if it is said before the body: then the body of a stranger is not received. Raises InvalidApiKey."""
    credential = key or request.headers.get("api-key") or query_key(request)
    return await house.door.admit(credential) if credential else None


async def _late_caller(request: Request, house: House, fields: object) -> Caller:
    credential = key_in(fields)
    if credential is None:
        raise InvalidApiKey
    return await house.door.admit(credential)


def _checked(fields: dict[str, object]) -> schemas.AudioRequest:
    try:
        return schemas.AudioRequest.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(
            [_fault(("body", *each["loc"]), each["msg"], each["type"]) for each in error.errors()]
        ) from None


def _fault(loc: tuple[str | int, ...], msg: str, kind: str) -> dict[str, object]:
    return {"loc": loc, "msg": msg, "type": kind}


@router.post(
    "/static/text",
    tags=["mouthpiece"],
    response_model=schemas.FilmReply,
    response_model_exclude_none=True,
    responses=faults(400, 401, 413, 422, 429, 503),
    summary="Film of a text",
)
async def static_text(
    request: Request, asked: schemas.TextRequest, who: Asking, house: InHouse, films: Films, voice: Voice
) -> schemas.FilmReply:
    """Render a talking video of a text, spoken by the embedded voice. Not part of Simli's API."""
    await admit(who, house)
    look, said = await _look(asked, who, house)
    speech = await voice.speak(asked.text, Manner(asked.voice, asked.rate, asked.pitch))
    destination = await films.order_speech(Order(who.account, look, house.fps), speech)
    return urls(request, Ordered(destination, look.transparent, said))


async def admit(who: Caller, house: House) -> None:
    """Whether one more film may be ordered now. Raises RateLimited, Draining."""
    await house.limiter.hit(who.account)
    if house.draining():
        raise Draining(retry_s=house.limits.retry_s)


async def _look(
    asked: schemas.AudioRequest | schemas.TextRequest, who: Caller, house: House
) -> tuple[Look, Sequence[str]]:
    """What is filmed, and what of it is not quite as asked for; as in a session's token."""
    face, emotion = await face_and_emotion(asked.faceId, who.account, house)
    layers, dropped = await layers_of(asked, who.account, house)
    look = Look(
        face.face_id,
        emotion,
        asked.streaming_width,
        asked.streaming_height,
        start_frame=asked.videoStartingFrame,
        position=(asked.avatar_position_x, asked.avatar_position_y),
        camera=camera_values(asked.camera),
        background=layers["background_id"] or "",
        foreground=layers["foreground_id"] or "",
        transparent=asked.transparent,
    )
    return look, [*camera_warnings(asked.camera), *dropped]


def urls(
    request: Request, ordered: Ordered, routes: tuple[str, str] = ("static_hls", "static_mp4")
) -> schemas.FilmReply:
    """Absolute, by the name under which the caller reached us. ``routes``: names of the routes that deliver."""

    def url(route: str, file: str) -> str:
        return str(request.url_for(route, destination=ordered.destination, file=file))

    return schemas.FilmReply(
        hls_url=url(routes[0], PLAYLIST),
        mp4_url=url(routes[1], MOVIE),
        webm_url=url("static_webm", WEBM) if ordered.transparent else None,
        warnings=list(ordered.warnings) or None,
    )


# --- delivering ----------------------------------------------------------------------------------------------------
_HLS_TYPES: Final[dict[str, dict[str, str]]] = {"application/x-mpegURL": {}, "video/MP2T": {}}


@router.get(
    "/static/hls/{destination}/{file}",
    response_class=Response,
    responses={200: {"content": _HLS_TYPES}, **faults(404, 422)},
    summary="HLS playlist or segment",
)
async def static_hls(request: Request, destination: str, file: str, films: Films) -> Response:
    """`output.m3u8` grows while the video is rendered; its segments stand beside it. Waits for the first segment."""
    return await deliver(request, films, destination, file)


@router.get(
    "/static/mp4/{destination}/{file}",
    response_class=Response,
    responses={200: {"content": {"video/mp4": {}}}, 206: {"description": "a range"}, **faults(404, 422)},
    summary="MP4",
)
async def static_mp4(request: Request, destination: str, file: str, films: Films) -> Response:
    """`output.mp4`, ranges too. Waits for it for up to 30 s, then answers 404 with Retry-After."""
    return await deliver(request, films, destination, file)


@router.get(
    "/static/webm/{destination}/{file}",
    tags=["mouthpiece"],
    response_class=Response,
    responses={200: {"content": {"video/webm": {}}}, 206: {"description": "a range"}, **faults(404, 422)},
    summary="WebM of a transparent film",
)
async def static_webm(request: Request, destination: str, file: str, films: Films) -> Response:
    """`output.webm`: VP9 with its opacity inside. Waits as for the MP4. Not part of Simli's API."""
    return await deliver(request, films, destination, file)


router.head("/static/hls/{destination}/{file}", include_in_schema=False, name="hls_head")(static_hls)
router.head("/static/mp4/{destination}/{file}", include_in_schema=False, name="mp4_head")(static_mp4)
router.head("/static/webm/{destination}/{file}", include_in_schema=False, name="webm_head")(static_webm)


async def deliver(request: Request, films: RenderDesk, destination: str, file: str) -> Response:
    """A file of a film, or the part of it that is asked for. Raises NotFound, RenderFailed, NotReady."""
    asked = Asked(request.headers.get("range"), request.headers.get("if-range"))
    found = await films.fetch(destination, file, asked)
    if request.method == "HEAD" or found.status == 416:
        return Response(None, found.status, found.headers)
    return StreamingResponse(found.body, found.status, found.headers)
