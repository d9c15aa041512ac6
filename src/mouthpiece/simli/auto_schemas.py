"""The bodies of the voice agents' routes, as the OpenAPI shows them. Wire names stop here."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictBool, StrictInt, field_validator, model_validator

from mouthpiece.simli.schemas import Lenient

DAY_S = 86_400
Text = Annotated[str, Field(max_length=20_000)]
Name = Annotated[str, Field(max_length=300)]
Url = Annotated[str, Field(max_length=2_000)]
Key = Annotated[str, Field(max_length=2_000)]
Length = Annotated[StrictInt, Field(ge=1, le=DAY_S, description="seconds")]

DEFAULT_FACE = "tmp9i8bbq7c"
DEFAULT_VOICE = "a167e0f3-df7e-4d52-a9c3-f949145efdab"
DEFAULT_VOICE_MODEL = "sonic-turbo-2025-03-07"
DEFAULT_PROMPT = (
    "You are Chatbot, a friendly, helpful robot. Your goal is to demonstrate your capabilities in a succinct way. Your "
    "output will be converted to audio so don't include special characters in your answers. Respond to what the user "
    "said in a creative and helpful way, but keep your responses brief."
)


def http_url(value: str) -> str:
    """Empty, or a URL that a request can be sent to."""
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value


# --- agents --------------------------------------------------------------------------------------------------------
class _AgentFields(Lenient):
    """What an agent can be told, beside what only its making needs."""

    @field_validator("llm_endpoint", check_fields=False)
    @classmethod
    def _is_url(cls, value: str) -> str:
        return http_url(value)


class AgentRequest(_AgentFields):
    """A new agent."""

    face_id: Name
    name: Name = "Untitled Agent"
    first_message: Text = ""
    prompt: Text = DEFAULT_PROMPT
    voice_provider: Literal["elevenlabs", "cartesia"] = "cartesia"
    voice_id: Name = ""
    voice_model: Name = ""
    language: Name = "en"
    emotion: Name = ""
    llm_provider: Literal["openai", "google", "user"] = "openai"
    llm_model: Name = "gpt-4o-mini"
    llm_endpoint: Url = ""
    max_idle_time: Length = 300
    max_session_length: Length = 3600

    @model_validator(mode="after")
    def _has_endpoint(self) -> Self:
        if self.llm_provider == "user" and not self.llm_endpoint:
            raise ValueError("a model of provider user needs its llm_endpoint")
        return self


class AgentUpdate(_AgentFields):
    """Some of an agent; what is left out stays."""

    face_id: Name | None = None
    name: Name | None = None
    first_message: Text | None = None
    prompt: Text | None = None
    voice_provider: Literal["elevenlabs", "cartesia"] | None = None
    voice_id: Name | None = None
    voice_model: Name | None = None
    language: Name | None = None
    emotion: Name | None = None
    llm_provider: Literal["openai", "google", "user"] | None = None
    llm_model: Name | None = None
    llm_endpoint: Url | None = None
    max_idle_time: Length | None = None
    max_session_length: Length | None = None


class AgentReply(BaseModel):
    """An agent. Times in ISO 8601."""

    id: str
    face_id: str
    name: str
    first_message: str
    prompt: str
    voice_provider: str
    voice_id: str
    voice_model: str
    language: str
    emotion: str
    llm_provider: str
    llm_model: str
    llm_endpoint: str
    max_idle_time: int
    max_session_length: int
    owner_id: str
    simli_version: int
    created_at: str
    updated_at: str


# --- starting ------------------------------------------------------------------------------------------------------
class AutoTokenRequest(Lenient):
    """Who may start conversations with a token."""

    simliAPIKey: Key | None = Field(None, description="instead of the header")
    apiKey: Key | None = Field(None, description="instead of the header")
    expiryStamp: StrictInt = Field(-1, ge=-1, description="unix seconds after which it is worth nothing; -1: never")
    llmAPIKey: Key = ""
    ttsAPIKey: Key = ""
    createTranscript: StrictBool = False
    originAllowList: list[Name] = Field([], max_length=100, description="pages that may use it; empty: any")

    @field_validator("expiryStamp")
    @classmethod
    def _in_seconds(cls, value: int) -> int:
        return value // 1000 if value > 10**11 else value  # JavaScript's Date.now() is in milliseconds


class AutoTokenReply(BaseModel):
    """The token, under both names that clients read."""

    token: str
    session_token: str


class CustomModel(Lenient):
    """Any OpenAI-compatible language model."""

    model: Name = "gpt-4o-mini"
    baseURL: Url
    llmAPIKey: Key = ""

    @field_validator("baseURL")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if not value:
            raise ValueError("must not be empty")
        return http_url(value)


class ModelChoice(Lenient):
    """A language model by its provider's name."""

    model: Name = "gpt-4o-mini"
    provider: Literal["OpenAI", "Google", "User"] = "OpenAI"
    apiKey: Key = ""
    baseURL: Url = ""

    @field_validator("baseURL")
    @classmethod
    def _is_url(cls, value: str) -> str:
        return http_url(value)


class StartRequest(Lenient):
    """A conversation without a stored agent."""

    apiKey: Key | None = Field(None, description="an API key, or a token of `/auto/token`; instead of the header")
    token: Key | None = Field(None, description="the same")
    faceId: Name = DEFAULT_FACE
    ttsProvider: Literal["ElevenLabs", "PlayHT", "Cartesia", "User"] = "Cartesia"
    ttsAPIKey: Key = ""
    ttsModel: Name = DEFAULT_VOICE_MODEL
    voiceId: Name = DEFAULT_VOICE
    systemPrompt: Text = DEFAULT_PROMPT
    firstMessage: Text = ""
    maxSessionLength: Length = 3600
    maxIdleTime: Length = 300
    language: Name = "en"
    customLLMConfig: CustomModel | None = None
    llmConfig: ModelChoice | None = None
    createTranscript: StrictBool | None = None
    model: Name | None = Field(None, description="accepted, not used")

    @field_validator("llmConfig")
    @classmethod
    def _has_base(cls, value: ModelChoice | None) -> ModelChoice | None:
        if value is not None and value.provider == "User" and not value.baseURL:
            raise ValueError("a model of provider User needs its baseURL")
        return value


class StartReply(BaseModel):
    """Where to go. ``audioUrl``: a socket for the avatar's speech, when the caller sends it.

    The documents show two forms of this reply; both are here.
    """

    roomUrl: str
    sessionId: str
    session_id: str
    status: str = "active"
    audioUrl: str | None = None
    warnings: list[str] | None = None


class TranscriptLine(BaseModel):
    """Something that was really said, and when (ISO 8601). ``interrupted``: the rest was not heard."""

    role: str
    content: str
    timestamp: str
    interrupted: bool


class TranscriptReply(BaseModel):
    """What was said so far."""

    sessionId: str
    transcript: list[TranscriptLine]
