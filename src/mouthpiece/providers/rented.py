"""Speech from a provider over its HTTP API, with the caller's own key. Asked only when a caller brings one.

Requests are as the providers document them: ElevenLabs ``POST /v1/text-to-speech/{voice}``, PlayHT
``POST /api/v2/tts/stream``, Cartesia ``POST /tts/bytes``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

import httpx

from mouthpiece.codec.decode import AudioKind
from mouthpiece.errors import BadInput, NotConfigured, TooLarge, Unavailable
from mouthpiece.settings import VoiceSettings

Provider = Literal["ElevenLabs", "PlayHT", "Cartesia"]

MAX_BYTES: Final = 32 << 20
"""Longest answer that is taken: half an hour of MP3 at 128 kbit/s."""

CARTESIA_VERSION: Final = "2024-11-13"
"""The header without which Cartesia answers nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be said. ``options``: the provider's own fields, passed on as they are."""

    provider: Provider
    key: str = field(repr=False)
    text: str
    voice: str
    model: str = ""
    user: str = ""
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """A sound file."""

    data: bytes
    kind: AudioKind


@dataclass(frozen=True, slots=True)
class _Ask:
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, object]
    kind: AudioKind = "mp3"


class RentedVoices:
    """The voices of providers, at the addresses of the settings."""

    def __init__(self, settings: VoiceSettings) -> None:
        self._settings = settings
        self._urls: dict[Provider, str | None] = {
            "ElevenLabs": settings.elevenlabs_url,
            "PlayHT": settings.playht_url,
            "Cartesia": settings.cartesia_url,
        }

    async def speak(self, line: Line) -> Said:
        """The whole utterance.

        Raises BadInput (the provider refused the key or a value), TooLarge, NotConfigured, Unavailable.
        """
        base = self._urls[line.provider]
        if base is None:
            setting = f"voice.{line.provider.lower()}_url"
            raise NotConfigured(what=f"{line.provider}", remedy=f"set {setting}, or send no ttsAPIKey")
        if len(line.text) > self._settings.max_chars:
            raise TooLarge(what="the text", limit=f"{self._settings.max_chars} characters")
        ask = _ASKS[line.provider](line)
        try:
            return Said(await self._fetch(base.rstrip("/") + ask.path, ask, line.provider), ask.kind)
        except httpx.HTTPError as error:
            raise Unavailable(reason=f"{line.provider} does not answer ({type(error).__name__})") from error

    async def _fetch(self, url: str, ask: _Ask, provider: Provider) -> bytes:
        sound = bytearray()
        timeout = self._settings.provider_timeout_s
        async with (
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("POST", url, headers=dict(ask.headers), json=dict(ask.body)) as answer,
        ):
            if answer.status_code >= 500 or answer.status_code == 429:
                raise Unavailable(reason=f"{provider} answered {answer.status_code}")
            if answer.status_code != 200:
                raise BadInput(reason=f"{provider} refused the request with {answer.status_code}: check key and voice")
            async for piece in answer.aiter_bytes():
                sound += piece
                if len(sound) > MAX_BYTES:
                    raise TooLarge(what=f"the sound from {provider}", limit=f"{MAX_BYTES} bytes")
        if not sound:
            raise BadInput(reason=f"{provider} sent no sound for this text")
        return bytes(sound)


def _elevenlabs(line: Line) -> _Ask:
    path = f"/v1/text-to-speech/{quote(line.voice, safe='')}"
    return _Ask(path, {"xi-api-key": line.key}, {"text": line.text, "model_id": line.model, **line.options})


def _playht(line: Line) -> _Ask:
    headers = {"authorization": line.key, "x-user-id": line.user, "accept": "audio/mpeg"}
    body = {**line.options, "text": line.text, "voice": line.voice, "voice_engine": line.model, "output_format": "mp3"}
    return _Ask("/api/v2/tts/stream", headers, body)


def _cartesia(line: Line) -> _Ask:
    body = {
        "model_id": line.model,
        "transcript": line.text,
        "voice": {"mode": "id", "id": line.voice},
        "output_format": {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 16_000},
        **line.options,
    }
    return _Ask("/tts/bytes", {"x-api-key": line.key, "cartesia-version": CARTESIA_VERSION}, body, "wav")


_ASKS: Final = {"ElevenLabs": _elevenlabs, "PlayHT": _playht, "Cartesia": _cartesia}
