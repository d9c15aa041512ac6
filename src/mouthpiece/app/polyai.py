"""PolyAI's gateway in this house: its tokens and agents are those of the voice agents' routes."""

from __future__ import annotations

import logging
from typing import Final

from mouthpiece.errors import InvalidSessionToken, NotConfigured, NotFound, SessionTokenExpired
from mouthpiece.polyai.base import Gateway, Guest, Part
from mouthpiece.providers.base import Choice, MindChoice
from mouthpiece.settings import PolyaiSettings
from mouthpiece.simli import auto_start
from mouthpiece.simli.auto_schemas import DEFAULT_FACE, DEFAULT_PROMPT
from mouthpiece.simli.auto_tokens import FOREVER, StartClaims, check_origin
from mouthpiece.simli.base import House

log = logging.getLogger(__name__)

GREETING: Final = "Hello! How can I help you?"
"""What the built-in agent says first: whoever answers a call says something."""

MAX_IDLE_S: Final = 300.0
MAX_LENGTH_S: Final = 3600.0


def open_gateway(house: House, settings: PolyaiSettings) -> Gateway:
    """The gateway over the parts of this house."""

    async def admit(token: str, origin: str | None, own: str) -> Guest:
        return await _admit(house, token, origin, own)

    async def cast(guest: Guest, project: str) -> Part:
        return await _cast(house, settings, guest, project)

    async def face(account: str) -> str:
        return (await house.faces.find(DEFAULT_FACE, account)).face_id

    return Gateway(
        admit=admit,
        cast=cast,
        face=face,
        limiter=house.limiter.hit,
        troupe=None if house.salon is None else house.salon.troupe,
        conversations=None if house.salon is None else house.salon.conversations,
        stage=house.stage,
        host=house.host,
        ice=house.ice,
        limits=house.limits,
        settings=settings,
        fps=house.fps,
    )


async def _admit(house: House, token: str, origin: str | None, own: str) -> Guest:
    """Whose an API key is, or a token of ``/auto/token``. Raises Denied, Unavailable."""
    if house.salon is not None:
        try:
            claims = house.salon.tokens.open_start(token, house.clock())
        except SessionTokenExpired:
            raise
        except InvalidSessionToken:
            pass
        else:
            check_origin(claims.origins, origin, own)
            return Guest(claims.account, claims.key_name, claims.transcribed, claims.llm_key, claims.tts_key)
    who = await house.door.admit(token.strip())
    return Guest(who.account, who.key_name)


async def _cast(house: House, settings: PolyaiSettings, guest: Guest, project: str) -> Part:
    """The agent that ``projectId`` names, else the operator's choice, else the built-in one. Raises NotFound."""
    if project:
        return await _stored(house, guest, project)
    if settings.agent is not None:
        try:
            return await _stored(house, guest, settings.agent)
        except NotFound:
            log.warning("polyai.agent is no agent of account %s: the built-in one answers", guest.account)
    mind = MindChoice("openai", "gpt-4o-mini", "", guest.llm_key) if guest.llm_key else MindChoice()
    return Part(None, DEFAULT_PROMPT, GREETING, "en", Choice(mind), MAX_IDLE_S, MAX_LENGTH_S)


async def _stored(house: House, guest: Guest, agent_id: str) -> Part:
    if house.salon is None:
        raise NotConfigured(what="voice agents", remedy="pip install 'mouthpiece[agents]', then start it again")
    who = StartClaims(
        guest.account, guest.key_name, FOREVER, (), guest.transcribed, llm_key=guest.llm_key, tts_key=guest.tts_key
    )
    try:
        wanted = await auto_start.stored(house, who, agent_id)
    except NotFound as fault:
        raise NotFound(what="agent: projectId must be the id of an agent of yours, or be left away") from fault
    told = wanted.plan
    return Part(
        agent=wanted.agent,
        instructions=told["prompt"],
        first_message=told["first"] or None,
        language=told["language"],
        choice=wanted.choice,
        max_idle_s=float(told["max_idle_s"]),
        max_length_s=float(told["max_length_s"]),
    )
