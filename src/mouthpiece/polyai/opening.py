"""How a call comes to be: who answers it, its session, our answer to its offer, and its entry in the books."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Final

from mouthpiece.agent.base import Plan, Troupe
from mouthpiece.errors import InvalidOffer, MouthpieceError, NotConfigured
from mouthpiece.live.base import LiveSession, SessionSpec
from mouthpiece.media import Look
from mouthpiece.polyai import messages as m
from mouthpiece.polyai.base import Gateway, Guest, Refused, in_words
from mouthpiece.polyai.modes import cast_for
from mouthpiece.providers.base import Choice
from mouthpiece.store.conversations import ConversationRecord
from mouthpiece.transport.sound_sdp import in_stereo, sound_only

log = logging.getLogger(__name__)

ECHO_LENGTH_S: Final = 3600.0
"""The longest call of mode echo."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who answers a call, ready to be asked. ``agent``: id of the stored agent, None: the built-in one."""

    troupe: Troupe
    agent: str | None
    plan: Plan
    choice: Choice
    max_length_s: float


async def open_call(
    gateway: Gateway, session_id: str, guest: Guest, asked: m.Offer
) -> tuple[LiveSession, str, Cast | None]:
    """The session of a call, our complete SDP, and who answers: None in mode echo.

    Nothing is left of a call that is refused. Raises Refused.
    """
    assert gateway.stage is not None, "calls that are placed here have a stage here"
    cast = None if asked.mode == "echo" else await _cast(gateway, session_id, guest, asked)
    with in_words():
        offer = sound_only(asked.sdp)
        session = await gateway.stage.open(await _spec(gateway, session_id, guest, (asked, cast)))
    try:
        sdp = await _answer(session, offer)
        if cast is None:
            session.echo()
        else:
            await _write_down(gateway, guest, session.spec, cast)
    except BaseException:
        await asyncio.shield(session.close())
        raise
    return session, in_stereo(sdp), cast


async def _cast(gateway: Gateway, session_id: str, guest: Guest, asked: m.Offer) -> Cast:
    with in_words():
        if gateway.troupe is None:
            remedy = "pip install 'mouthpiece[agents]', then start it again, or use mode echo"
            raise NotConfigured(what="voice agents", remedy=remedy)
        part = await gateway.cast(guest, asked.project)
    choice = cast_for(asked.mode, part.choice, gateway.settings.realtime_model)
    with in_words("AGENT_FAILURE"):
        advice = await gateway.troupe.advise(choice, part.language)
    for warning in advice.warnings:
        log.info("not quite as asked for: %s", warning, extra={"session": session_id})
    plan = Plan(
        session_id=session_id,
        instructions=part.instructions,
        first_message=part.first_message,
        language=part.language,
        notices=advice.notices,
        max_idle_s=part.max_idle_s,
    )
    return Cast(gateway.troupe, part.agent, plan, choice, part.max_length_s)


async def _spec(gateway: Gateway, session_id: str, guest: Guest, wanted: tuple[m.Offer, Cast | None]) -> SessionSpec:
    asked, cast = wanted
    length_s = ECHO_LENGTH_S if cast is None else cast.max_length_s
    return SessionSpec(
        session_id=session_id,
        account=guest.account,
        token_id=session_id,  # nothing takes a call over
        look=Look(face_id=await gateway.face(guest.account)),
        fps=gateway.fps,
        max_length_s=length_s,
        max_idle_s=length_s + 1,  # the conversation itself knows who spoke last
        key_name=guest.key_name,
        kind="polyai",
        call={**asked.call, "mode": asked.mode},
    )


async def _answer(session: LiveSession, offer: str) -> str:
    try:
        return await session.answer(offer)
    except InvalidOffer as fault:
        raise Refused(m.problem(fault)) from fault
    except MouthpieceError as fault:
        raise Refused(replace(m.problem(fault), code="MEDIA_BRIDGE_FAILURE")) from fault


async def _write_down(gateway: Gateway, guest: Guest, spec: SessionSpec, cast: Cast) -> None:
    """The conversation, so that its transcript can be asked for."""
    if gateway.conversations is None:
        return
    told = {"prompt": cast.plan.instructions, "first": cast.plan.first_message, "language": cast.plan.language}
    record = ConversationRecord(spec.session_id, guest.account, cast.agent, told, guest.transcribed)
    with in_words():
        await gateway.conversations.add(record)
        await gateway.conversations.start(record.id)
