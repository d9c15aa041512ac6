"""The bodies of the v1 routes, as the OpenAPI shows them. Wire names stop here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

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
