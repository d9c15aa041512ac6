"""The browser pages, and the extensions that they need beside the public API: posters and the embedded voice."""

from __future__ import annotations

import io
import json
import struct
import wave
from collections.abc import Sequence
from importlib.resources import files

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.providers.espeak import Manner
from mouthpiece.web import studio
from mouthpiece.web.base import ADMITTED, House, Pages
from mouthpiece.web.posters import poster

STATIC = files("mouthpiece.web") / "static"
HOUR = "public, max-age=3600"
CHECK_AGAIN = "no-cache"
"""Browsers keep what they have but ask whether it is still good, so that an updated server has an updated page."""

PAGE_HEADERS = {
    "cache-control": CHECK_AGAIN,
    "content-security-policy": "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "referrer-policy": "no-referrer",
}
"""A page stands in no stranger's frame, and its address, with its one-time code, is told to nobody."""


class SpeechRequest(BaseModel):
    """Text for the embedded voice."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(min_length=1, description="what to say")
    language: str | None = Field(
        None, description="a language of GET /speech/voices, with or without a variant: en-us+f3"
    )
    rate: int | None = Field(None, ge=80, le=450, description="words a minute")


class VoiceReply(BaseModel):
    """A voice that can be asked for."""

    id: str
    name: str
    language: str


router = APIRouter(tags=["mouthpiece"])


@router.post(
    "/speech",
    dependencies=[ADMITTED],
    response_class=Response,
    responses={200: {"content": {"audio/wav": {}}, "description": "16 kHz mono, 16 bit"}},
    summary="Say a text with the embedded voice",
)
async def speech(body: SpeechRequest, pages: House) -> Response:
    """The whole utterance as WAV, its phones in a chunk of its own. Raises BadInput, TooLarge, Unavailable."""
    said = await pages.voice.speak(body.text, Manner(voice=body.language, rate=body.rate))
    phones = json.dumps([(p.start, p.end, p.ipa) for p in said.timed_phones], ensure_ascii=False)
    return Response(to_wav(said.pcm, phones.encode()), media_type="audio/wav")


@router.get("/speech/voices", dependencies=[ADMITTED], summary="Languages of the embedded voice")
async def voices(pages: House) -> Sequence[VoiceReply]:
    """Every voice, by language."""
    return [VoiceReply(id=v.id, name=v.name, language=v.language) for v in await pages.voice.voices()]


@router.get("/web/posters/{face_id}.jpg", include_in_schema=False)
async def poster_of(face_id: str, pages: House) -> Response:
    """A face at rest. Raises InvalidFace."""
    face = pages.face(face_id)
    if face.face_id not in pages.posters:
        pages.posters[face.face_id] = await run_in_threadpool(lambda: poster(face))
    jpeg = pages.posters[face.face_id]
    return Response(jpeg, media_type="image/jpeg", headers={"cache-control": HOUR})


@router.get("/room/{conversation}", include_in_schema=False)
async def room(pages: House, conversation: str, token: str = "") -> FileResponse:
    """The room of a voice agent. Which pages may show it in a frame is said by the token in its address."""
    ancestors = " ".join(("'self'", *pages.framers(token)))
    headers = {
        "cache-control": "no-store",  # the address holds a token
        "content-security-policy": f"frame-ancestors {ancestors}",
        "referrer-policy": "no-referrer",
    }
    return FileResponse(str(STATIC / "room.html"), headers=headers)


@router.get("/", include_in_schema=False)
async def index() -> FileResponse:
    """The demo page."""
    return FileResponse(str(STATIC / "index.html"), headers=PAGE_HEADERS)


@router.get("/studio", include_in_schema=False)
async def studio_page() -> FileResponse:
    """The face studio."""
    return FileResponse(str(STATIC / "studio.html"), headers=PAGE_HEADERS)


@router.get("/docs", include_in_schema=False)
async def reference() -> FileResponse:
    """The API, drawn from ``/openapi.json``."""
    return FileResponse(str(STATIC / "reference.html"), headers=PAGE_HEADERS)


class _Static(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = CHECK_AGAIN
        return response


def mount(app: FastAPI, pages: Pages) -> None:
    """Serve the pages from this app."""
    app.state.pages = pages
    app.include_router(router)
    app.include_router(studio.router)
    app.mount("/web", _Static(directory=str(STATIC)), name="web")


PHONES_CHUNK = b"phon"
"""RIFF chunk with the phones of the sound: JSON, [start, end, IPA] each, in samples. Players pass over it."""


def to_wav(pcm: Pcm, phones: bytes = b"") -> bytes:
    """16 kHz mono as a WAV file, with ``phones`` in a chunk after the sound."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.tobytes())
    data = out.getvalue()
    chunk = PHONES_CHUNK + struct.pack("<I", len(phones)) + phones + bytes(len(phones) % 2) if phones else b""
    return data[:4] + struct.pack("<I", len(data) + len(chunk) - 8) + data[8:] + chunk
