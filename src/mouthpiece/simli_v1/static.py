"""Films by v1's routes: a sound file or a text in, an HLS playlist and an MP4 out, from the same store as v2's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from mouthpiece.codec.decode import AudioSource
from mouthpiece.media import Look
from mouthpiece.providers.espeak import Manner
from mouthpiece.render.base import Order
from mouthpiece.simli import schemas, static
from mouthpiece.simli.rest import Asking, InHouse, face_and_emotion, faults, key_header
from mouthpiece.simli_v1.schemas import Spoken, TextStreamRequest

ROUTES = ("v1_hls", "v1_mp4")
ORDINARY_RATE = 165  # words a minute that a speed of 1 stands for

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schemas.AudioRequest.model_json_schema()}},
    }
}

router = APIRouter(tags=["Simli v1"])


@router.post(
    "/audioToVideoStream",
    response_model=schemas.FilmReply,
    response_model_exclude_none=True,
    responses=faults(400, 401, 413, 422, 429, 503),
    summary="Film of a sound file",
    openapi_extra=_BODY,
)
@router.post(
    "/audioToVideo",
    response_model=schemas.FilmReply,
    response_model_exclude_none=True,
    responses=faults(400, 401, 413, 422, 429, 503),
    summary="Film of a sound file, under its oldest name",
    openapi_extra=_BODY,
)
async def audio_to_video(
    request: Request, house: InHouse, films: static.Films, key: Annotated[str | None, Depends(key_header)] = None
) -> schemas.FilmReply:
    """As `POST /static/audio`; the key is `simliAPIKey` in the body, or a header."""
    return static.urls(request, await static.order_file(request, house, films, key), ROUTES)


@router.post(
    "/textToVideoStream",
    response_model=schemas.FilmReply,
    response_model_exclude_none=True,
    responses=faults(400, 401, 413, 422, 429, 503),
    summary="Film of a text",
)
async def text_to_video(
    request: Request,
    asked: TextStreamRequest,
    who: Asking,
    house: InHouse,
    films: static.Films,
    voice: static.Voice,
) -> schemas.FilmReply:
    """Speak a text and film it. With `ttsAPIKey` the provider speaks; without one the embedded voice does."""
    await static.admit(who, house)
    face, emotion = await face_and_emotion(asked.faceId, who.account, house)
    order = Order(who.account, Look(face.face_id, emotion), house.fps)
    if asked.ttsAPIKey and house.rented is not None:
        said = await house.rented.speak(asked.line())
        destination = await films.order_sound(order, said.data, AudioSource(said.kind))
    else:
        destination = await films.order_speech(
            order, await voice.speak(asked.requestBody.text, _manner(asked.requestBody))
        )
    return static.urls(request, static.Ordered(destination), ROUTES)


def _manner(asked: Spoken) -> Manner:
    speed = getattr(asked, "speed", None)
    return Manner(rate=None if speed is None else max(80, min(450, round(ORDINARY_RATE * speed))))


@router.get(
    "/hls/{destination}/{file}",
    name="v1_hls",
    response_class=Response,
    responses={200: {"content": {"application/x-mpegURL": {}, "video/MP2T": {}}}, **faults(404, 422)},
    summary="HLS playlist or segment",
)
@router.get(
    "/mp4/{destination}/{file}",
    name="v1_mp4",
    response_class=Response,
    responses={200: {"content": {"video/mp4": {}}}, 206: {"description": "a range"}, **faults(404, 422)},
    summary="MP4",
)
async def film(request: Request, destination: str, file: str, films: static.Films) -> Response:
    """As `GET /static/hls/…` and `GET /static/mp4/…`: the same films under either name."""
    return await static.deliver(request, films, destination, file)


router.head("/hls/{destination}/{file}", include_in_schema=False, name="v1_hls_head")(film)
router.head("/mp4/{destination}/{file}", include_in_schema=False, name="v1_mp4_head")(film)
