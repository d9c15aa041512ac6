"""The bodies of the v2 routes, as the OpenAPI shows them. Wire names stop here."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIN_SIDE, MAX_SIDE = 512, 1920
_SHAPES = ((1, 1), (16, 9), (9, 16))
_DAY_S = 86_400

Number = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Lenient(BaseModel):
    """A request: unknown keys are ignored, and null is as good as absent."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: object) -> object:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


class CameraRequest(Lenient):
    """Camera offsets on top of the avatar's own framing. Values out of range are kept, with a warning."""

    pos_x_off: Number = 0.0
    pos_y_off: Number = 0.0
    pos_z_off: Number = 0.0
    rot_x_off: Number = 0.0
    rot_y_off: Number = 0.0
    rot_z_off: Number = 0.0
    zoom: Number = 1.0
    orbit_x_off: Number = 0.0
    orbit_y_off: Number = 0.0


CAMERA_RANGES = {
    "pos_x_off": (-10.0, 10.0),
    "pos_y_off": (-10.0, 10.0),
    "pos_z_off": (-5.0, 5.0),
    "rot_x_off": (-180.0, 180.0),
    "rot_y_off": (-180.0, 180.0),
    "rot_z_off": (-180.0, 180.0),
    "orbit_x_off": (-80.0, 80.0),
    "orbit_y_off": (-180.0, 180.0),
}
"""Supported ranges, both ends included; ``zoom`` is (0, 4]."""


class Framed(Lenient):
    """What is around the face, in sessions and in films."""

    streaming_width: int = Field(MIN_SIDE, ge=MIN_SIDE, le=MAX_SIDE, multiple_of=2)
    streaming_height: int = Field(MIN_SIDE, ge=MIN_SIDE, le=MAX_SIDE, multiple_of=2)
    avatar_position_x: Fraction = 0.5
    avatar_position_y: Fraction = 1.0
    camera: CameraRequest | None = None
    background_id: str | None = Field(None, max_length=100)
    foreground_id: str | None = Field(None, max_length=100)
    transparent: bool = Field(
        False, description="ours: nothing behind the face; pictures are twice as wide, their opacity to the right"
    )

    @model_validator(mode="after")
    def _one_of_the_shapes(self) -> Self:
        width, height = self.streaming_width, self.streaming_height
        if not any(abs(width * down - height * across) <= max(across, down) for across, down in _SHAPES):
            raise ValueError("streaming_width and streaming_height must be 1:1, 16:9 or 9:16")
        return self


class TokenRequest(Framed):
    """What a session is to be."""

    faceId: str = Field(max_length=200, description="a face of `GET /faces`, or `face/emotion`")
    apiVersion: str | None = None
    sessionAggregator: str | None = Field(None, max_length=500, description="your own name for the end user")
    handleSilence: bool = Field(True, description="false: the video holds while nothing is queued")
    maxSessionLength: int = Field(3600, ge=1, description="seconds")
    maxIdleTime: int = Field(300, ge=1, description="seconds without audible sound")
    startFrame: int = Field(0, ge=0, le=10**9, description="the first idle picture")
    audioInputFormat: str = Field("pcm16", description="only pcm16 (16 kHz, mono, little endian)")
    model: str | None = Field(None, description="accepted, not used")
    originAllowList: list[Annotated[str, Field(max_length=300)]] = Field(
        [], max_length=100, description="pages that may use the token; empty: any"
    )
    apiKey: str | None = Field(None, max_length=1000, description="instead of the header")
    simliAPIKey: str | None = Field(None, max_length=1000, description="instead of the header")

    @property
    def max_length_s(self) -> int:
        """Seconds, a day at the most."""
        return min(self.maxSessionLength, _DAY_S)

    @property
    def max_idle_s(self) -> int:
        """Seconds, a day at the most."""
        return min(self.maxIdleTime, _DAY_S)


class AudioRequest(Framed):
    """A film of a sound file."""

    faceId: str = Field(max_length=200, description="a face of `GET /faces`, or `face/emotion`")
    audioBase64: str = Field(description="the file, base64; standard or URL-safe")
    audioFormat: str = Field(pattern="(?i)^(pcm16|pcm32|wav|mp3|ogg)$", description="pcm16, pcm32, wav, mp3 or ogg")
    audioSampleRate: int = Field(16_000, description="of pcm16 and pcm32; the others say theirs themselves")
    audioChannelCount: int = Field(1, description="of pcm16 and pcm32")
    videoStartingFrame: int = Field(0, ge=0, le=10**9, description="the first idle picture")
    apiKey: str | None = Field(None, max_length=1000, description="instead of the header")
    simliAPIKey: str | None = Field(None, max_length=1000, description="instead of the header")


class TextRequest(Framed):
    """A film of a text, spoken by the embedded voice. Ours."""

    faceId: str = Field(max_length=200, description="a face of `GET /faces`, or `face/emotion`")
    text: str = Field(min_length=1, description="what to say")
    voice: str | None = Field(None, max_length=100, description="a language of `GET /speech/voices`: en-us, en-us+f3")
    rate: int | None = Field(None, ge=80, le=450, description="words a minute")
    pitch: int | None = Field(None, ge=0, le=99)
    videoStartingFrame: int = Field(0, ge=0, le=10**9, description="the first idle picture")
    apiKey: str | None = Field(None, max_length=1000, description="instead of the header")
    simliAPIKey: str | None = Field(None, max_length=1000, description="instead of the header")


class FilmReply(BaseModel):
    """Where the film is: the playlist can be played while it is rendered, the MP4 is there at the end.

    ``webm_url``, only of a transparent film: VP9 with its opacity inside. ``warnings``: what is not quite as asked for.
    """

    hls_url: str
    mp4_url: str
    webm_url: str | None = None
    warnings: list[str] | None = None


class TokenReply(BaseModel):
    """The session token, and what could not be done as asked."""

    session_token: str
    warnings: list[str] | None = None


class IceServerReply(BaseModel):
    """One ICE server: only keys that every client's constructor takes."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


class SessionReply(BaseModel):
    """A session that was, or runs (then ``endTime`` is now). Times in unix seconds, the total in seconds."""

    id: str
    sessionTotalTime: float
    startTime: int
    endTime: int
    userId: str
    face_id: str
    kind: str
    endUserAggregator: str | None
    apiKeyName: str | None
    sessionTokenId: str
    endReason: str | None
    call: dict[str, object] | None = Field(None, description="of PolyAI's gateway: what the caller told of the call")


class HistoryReply(BaseModel):
    """The account's sessions, newest first."""

    sessions: list[SessionReply]


class UsageReply(BaseModel):
    """How many sessions of the account run now."""

    currentUsage: int


class FaceReply(BaseModel):
    """A face that can be used in a token."""

    id: str
    owner_id: str
    simli_version: int
    created_at: str
    updated_at: str
    face_id: str
    faceId: str
    face_name: str
    name: str


class AgentRoomRequest(Lenient):
    """Whose face to be: a session token, and how to enter the agent's room as its avatar."""

    session_token: str = Field(max_length=8_192)
    livekit_token: str = Field(
        max_length=8_192, description="for the avatar's identity, with attribute `lk.publish_on_behalf`"
    )
    livekit_url: str = Field(max_length=2_048, description="of a LiveKit server that the operator allows")


class AgentRoomReply(BaseModel):
    """The avatar is in the room."""

    status: str
    session_id: str
    destination: str


class ErrorReply(BaseModel):
    """What went wrong, for every generation of clients: ``detail`` and ``error`` are the same text or code."""

    detail: str
    session_token: str = "FAIL TOKEN"  # noqa: S105 -- the documented word for "no token"
    error: str
    code: str


class ValidationFault(BaseModel):
    """One thing that is wrong with the shape of a request."""

    loc: list[str | int]
    msg: str
    type: str


class ValidationReply(BaseModel):
    """What is wrong with the shape of a request. The values themselves are never repeated."""

    detail: list[ValidationFault]
    session_token: str = "FAIL TOKEN"  # noqa: S105 -- the documented word for "no token"
