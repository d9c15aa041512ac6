"""The bodies of the v1 routes, as the OpenAPI shows them. Wire names stop here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mouthpiece.providers.rented import Line
from mouthpiece.simli.schemas import Lenient, TokenRequest


class SessionRequest(TokenRequest):
    """What a v1 session is to be. Whatever v2 knows is understood here too."""

    apiVersion: str | None = "v1"
    isJPG: bool = Field(False, description="accepted, not used: pictures travel as video")
    syncAudio: bool = Field(False, description="accepted, not used: sound and pictures are always in step")
    batchSize: int = Field(1, description="accepted, not used")
    preloadAvatar: bool = Field(False, description="accepted, not used: faces are always loaded")


class IceRequest(Lenient):
    """Who asks."""

    apiKey: str | None = Field(None, max_length=1000, description="or one of the headers")


class OfferRequest(Lenient):
    """A WebRTC offer with a data channel."""

    sdp: str = Field(min_length=1, max_length=1_000_000)
    type: str
    video_transform: str | None = Field(None, description="accepted, not used")


class AnswerReply(BaseModel):
    """The answer, all candidates inside."""

    sdp: str
    type: Literal["answer"]


class VoiceTuning(BaseModel):
    """ElevenLabs' voice settings; fields that we do not know are passed on."""

    model_config = ConfigDict(extra="allow")

    stability: float = 0.5
    similarity_boost: float = 0.8


class ElevenLabsRequest(Lenient):
    """What ElevenLabs is to say."""

    audioProvider: Literal["ElevenLabs"]
    text: str = Field("Hello world", min_length=1)
    voiceName: str = Field("21m00Tcm4TlvDq8ikWAM", max_length=200, description="the voice's id")
    voice_settings: VoiceTuning = VoiceTuning()
    model_id: str = Field("eleven_turbo_v2_5", max_length=200)

    def line(self, key: str, user: str) -> Line:
        """For the provider."""
        options = {"voice_settings": self.voice_settings.model_dump()}
        return Line("ElevenLabs", key, self.text, self.voiceName, self.model_id, user, options)


class PlayHTRequest(Lenient):
    """What PlayHT is to say."""

    audioProvider: Literal["PlayHT"]
    text: str = Field(min_length=1)
    voice: str = Field(max_length=500, description="the voice's manifest")
    quality: str = Field("draft", max_length=100)
    output_format: str = Field("mp3", description="accepted, not used: MP3 is asked for")
    speed: float = Field(1, gt=0, le=5)
    sample_rate: int = Field(24_000, ge=8_000, le=48_000)
    voice_engine: str = Field("PlayHT2.0-turbo", max_length=100)
    emotion: str = Field("female_happy", max_length=100)
    voice_guidance: float = 3
    style_guidance: float = 20
    text_guidance: float = 1

    def line(self, key: str, user: str) -> Line:
        """For the provider."""
        names = "quality", "speed", "sample_rate", "emotion", "voice_guidance", "style_guidance", "text_guidance"
        options = {name: getattr(self, name) for name in names}
        return Line("PlayHT", key, self.text, self.voice, self.voice_engine, user, options)


class CartesiaRequest(Lenient):
    """What Cartesia is to say."""

    audioProvider: Literal["Cartesia"]
    text: str = Field(min_length=1)
    voice_id: str = Field("a167e0f3-df7e-4d52-a9c3-f949145efdab", max_length=200)
    model_id: str = Field("sonic-turbo-2025-03-07", max_length=200)

    def line(self, key: str, user: str) -> Line:
        """For the provider."""
        return Line("Cartesia", key, self.text, self.voice_id, self.model_id, user)


Spoken = ElevenLabsRequest | PlayHTRequest | CartesiaRequest


class TextStreamRequest(Lenient):
    """A film of a text."""

    faceId: str = Field(max_length=200, description="a face of `GET /faces`, or `face/emotion`")
    simliAPIKey: str | None = Field(None, max_length=1000, description="or one of the headers")
    ttsAPIKey: str | None = Field(None, max_length=1000, description="the provider's; empty: the embedded voice speaks")
    user_id: str = Field("", max_length=200, description="PlayHT's user id")
    requestBody: Annotated[Spoken, Field(discriminator="audioProvider")]

    def line(self) -> Line:
        """For the provider."""
        return self.requestBody.line(self.ttsAPIKey or "", self.user_id)
