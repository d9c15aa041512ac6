"""What starting a conversation means, whatever route asks for it: v2's ``/auto``, v1's E2E, and their tokens."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from mouthpiece.agent.base import Advice
from mouthpiece.errors import BadInput, InvalidApiKey, InvalidSessionToken, NotFound, SessionTokenExpired
from mouthpiece.providers.base import Choice, MindChoice, VoiceChoice
from mouthpiece.simli import rest
from mouthpiece.simli.auto_base import salon_of, troupe_of
from mouthpiece.simli.auto_schemas import (
    DEFAULT_PROMPT,
    AgentReply,
    AutoTokenReply,
    AutoTokenRequest,
    StartReply,
    StartRequest,
    TranscriptLine,
    TranscriptReply,
)
from mouthpiece.simli.auto_tokens import FOREVER, JOIN_WITHIN_S, RoomClaims, StartClaims, check_origin
from mouthpiece.simli.base import Caller, House
from mouthpiece.store.agents import AgentRecord
from mouthpiece.store.conversations import ConversationRecord

SIMLI_VERSION = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A conversation that is asked for. ``plan`` is kept, ``choice`` (with the keys) only goes into the token."""

    face: str
    plan: Mapping[str, Any]
    choice: Choice
    transcribed: bool
    agent: str | None = None


# --- tokens --------------------------------------------------------------------------------------------------------
async def make_token(asked: AutoTokenRequest, who: Caller, house: House) -> AutoTokenReply:
    """A token that starts conversations. Raises BadInput when it would be dead at birth."""
    salon, now = salon_of(house), int(house.clock())
    await house.limiter.hit(who.account)
    if asked.expiryStamp != FOREVER and asked.expiryStamp <= now:
        raise BadInput(reason="expiryStamp lies in the past: give unix seconds in the future, or -1 for never")
    claims = StartClaims(
        account=who.account,
        key_name=who.key_name,
        expires_at=asked.expiryStamp,
        origins=tuple(asked.originAllowList),
        transcribed=asked.createTranscript,
        llm_key=asked.llmAPIKey,
        tts_key=asked.ttsAPIKey,
    )
    token = salon.tokens.make_start(claims, now)
    return AutoTokenReply(token=token, session_token=token)


async def starter(request: Request, house: House, token: str | None = None) -> StartClaims:
    """Who starts a conversation, by a token of ``/auto/token`` or an API key, wherever it is in the request.

    Raises InvalidApiKey, InvalidSessionToken, SessionTokenExpired, OriginNotAllowed.
    """
    salon = salon_of(house)
    shown = token or request.headers.get("session-token") or await _credential(request)
    if not shown:
        raise InvalidApiKey
    try:
        claims = salon.tokens.open_start(shown, house.clock())
    except SessionTokenExpired:
        raise
    except InvalidSessionToken:
        if token or request.headers.get("session-token"):
            raise
        who = await house.door.admit(shown)
        return StartClaims(who.account, who.key_name, FOREVER, (), transcribed=False)
    if origin := request.headers.get("origin"):
        check_origin(claims.origins, origin, own_origin(request))
    return claims


async def _credential(request: Request) -> str | None:
    headers = (request.headers.get(name) for name in ("x-simli-api-key", "api-key"))
    return next(filter(None, headers), None) or await _body_credential(request) or rest.query_key(request)


async def _body_credential(request: Request) -> str | None:
    if request.method != "POST" or "json" not in request.headers.get("content-type", ""):
        return None
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        return None
    named = body.get("token") if isinstance(body, dict) else None
    return named if isinstance(named, str) and named else rest.key_in(body)


def own_origin(request: Request) -> str:
    """The origin of this server, as the client reached it."""
    base = str(request.base_url).rstrip("/")
    return base.replace("ws", "http", 1) if base.startswith("ws") else base


# --- starting ------------------------------------------------------------------------------------------------------
async def start(request: Request, house: House, who: StartClaims, wanted: Wanted) -> StartReply:
    """Write the conversation down; it begins when somebody enters its room.

    Raises BadInput, InvalidFace, InvalidEmotion, RateLimited, Draining, NoCapacity.
    """
    salon = salon_of(house)
    await house.limiter.hit(who.account)
    face, emotion = await rest.face_and_emotion(wanted.face, who.account, house)
    await rest.room_for_one_more(who.account, house)
    advice = await troupe_of(salon).advise(wanted.choice, wanted.plan["language"])
    conversation = str(uuid.uuid4())
    plan = {**wanted.plan, "face": face.face_id, "emotion": emotion, "notices": list(advice.notices)}
    record = ConversationRecord(conversation, who.account, wanted.agent, plan, wanted.transcribed)
    await salon.conversations.add(record)
    return _reply(request, house, who, (record, wanted.choice, advice))


def _reply(
    request: Request, house: House, who: StartClaims, made: tuple[ConversationRecord, Choice, Advice]
) -> StartReply:
    record, choice, advice = made
    salon, now = salon_of(house), int(house.clock())
    until = now + JOIN_WITHIN_S + int(record.plan["max_length_s"])
    until = until if who.expires_at == FOREVER else min(until, who.expires_at + int(record.plan["max_length_s"]))

    def token(role: str) -> str:
        claims = RoomClaims(record.id, who.account, who.key_name, until, who.origins, role, choice)
        return salon.tokens.make_room(claims, now)

    base = own_origin(request)
    audio = choice.voice.provider == "user"
    return StartReply(
        roomUrl=f"{base}/room/{record.id}?token={token('viewer')}",
        sessionId=record.id,
        session_id=record.id,
        audioUrl=f"{base.replace('http', 'ws', 1)}/auto/audio?token={token('audio')}" if audio else None,
        warnings=list(advice.warnings) or None,
    )


def configured(asked: StartRequest, who: StartClaims) -> Wanted:
    """What a request without a stored agent wants."""
    plan = {
        "prompt": asked.systemPrompt or DEFAULT_PROMPT,
        "first": asked.firstMessage,
        "language": asked.language or "en",
        "max_idle_s": asked.maxIdleTime,
        "max_length_s": asked.maxSessionLength,
    }
    voice = VoiceChoice(asked.ttsProvider.lower(), asked.ttsModel, asked.voiceId, asked.ttsAPIKey or who.tts_key)
    transcribed = who.transcribed if asked.createTranscript is None else asked.createTranscript
    return Wanted(asked.faceId, plan, Choice(_mind(asked, who), voice), transcribed)


def _mind(asked: StartRequest, who: StartClaims) -> MindChoice:
    custom, named = asked.customLLMConfig, asked.llmConfig
    if custom is not None:
        return MindChoice("user", custom.model, custom.baseURL, custom.llmAPIKey or who.llm_key)
    if named is None:
        return MindChoice("openai", "gpt-4o-mini", "", who.llm_key) if who.llm_key else MindChoice()
    return MindChoice(named.provider.lower(), named.model, named.baseURL, named.apiKey or who.llm_key)


async def stored(house: House, who: StartClaims, agent_id: str) -> Wanted:
    """What a stored agent wants. Raises NotFound."""
    agent = await salon_of(house).agents.find(who.account, agent_id)
    told = agent.profile
    plan = {
        "prompt": told["prompt"] or DEFAULT_PROMPT,
        "first": told["first_message"],
        "language": told["language"] or "en",
        "max_idle_s": told["max_idle_time"],
        "max_length_s": told["max_session_length"],
    }
    provider = "user" if told["llm_endpoint"] else told["llm_provider"]
    mind = MindChoice(provider, told["llm_model"], told["llm_endpoint"], who.llm_key)
    if provider in ("openai", "google") and not who.llm_key:
        mind = MindChoice(provider, told["llm_model"])
    voice = VoiceChoice(told["voice_provider"], told["voice_model"], told["voice_id"], who.tts_key)
    emotion = f"/{told['emotion']}" if told["emotion"] else ""
    return Wanted(f"{told['face_id']}{emotion}", plan, Choice(mind, voice), who.transcribed, agent.id)


# --- looking back --------------------------------------------------------------------------------------------------
async def transcript(house: House, account: str, conversation: str) -> TranscriptReply:
    """What was said so far. Raises NotFound when there is none, or it is another account's."""
    salon = salon_of(house)
    try:
        record = await salon.conversations.find(conversation)
    except NotFound:
        record = None
    if record is None or record.account != account or not record.transcribed:
        raise NotFound(what="transcript: start with createTranscript, and ask with the same account's key")
    lines = [
        TranscriptLine(role=line.role, content=line.content, timestamp=iso(line.said), interrupted=line.interrupted)
        for line in await salon.conversations.transcript(conversation)
    ]
    return TranscriptReply(sessionId=conversation, transcript=lines)


def agent_reply(agent: AgentRecord) -> AgentReply:
    """An agent on the wire."""
    return AgentReply(
        **agent.profile,
        id=agent.id,
        owner_id=agent.account,
        simli_version=SIMLI_VERSION,
        created_at=iso(agent.created),
        updated_at=iso(agent.updated),
    )


def iso(unix_s: float) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
