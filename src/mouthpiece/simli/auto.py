"""Voice agents, v2: ``/auto/*``. Deprecated by its inventor, and documented; the v1 twins do the same things."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from mouthpiece.simli import rest
from mouthpiece.simli.auto_base import salon_of
from mouthpiece.simli.auto_schemas import (
    AgentReply,
    AgentRequest,
    AgentUpdate,
    AutoTokenReply,
    AutoTokenRequest,
    StartReply,
    StartRequest,
    TranscriptReply,
)
from mouthpiece.simli.auto_start import agent_reply, configured, make_token, start, starter, stored, transcript


def _installed(house: rest.InHouse) -> None:
    """Raises NotConfigured without the extra, before anything else is looked at."""
    salon_of(house)


INSTALLED = Depends(_installed)
Redirect = Annotated[bool, Query(description="answer with a redirect to the room")]
FAULTS = rest.faults(400, 401, 404, 422, 501)
STARTS = rest.faults(400, 401, 403, 404, 422, 429, 501, 503)

router = APIRouter(tags=["Simli v2: voice agents"], dependencies=[INSTALLED])


# --- agents --------------------------------------------------------------------------------------------------------
@router.post("/auto/agent", status_code=201, responses=FAULTS, summary="New agent")
async def new_agent(asked: AgentRequest, who: rest.Asking, house: rest.InHouse) -> AgentReply:
    """Keep an agent: how it looks, speaks and thinks."""
    await house.faces.find(asked.face_id, who.account)
    return agent_reply(await salon_of(house).agents.add(who.account, asked.model_dump()))


@router.get("/auto/agents", responses=FAULTS, summary="All agents")
async def all_agents(who: rest.Asking, house: rest.InHouse) -> list[AgentReply]:
    """The account's agents, newest first."""
    return [agent_reply(agent) for agent in await salon_of(house).agents.all(who.account)]


@router.get("/auto/agent/{agent_id}", responses=FAULTS, summary="One agent")
async def one_agent(agent_id: str, who: rest.Asking, house: rest.InHouse) -> AgentReply:
    """An agent of the account."""
    return agent_reply(await salon_of(house).agents.find(who.account, agent_id))


@router.put("/auto/agent/{agent_id}", responses=FAULTS, summary="Change an agent")
async def change_agent(agent_id: str, asked: AgentUpdate, who: rest.Asking, house: rest.InHouse) -> AgentReply:
    """Change some of it; what is left out stays."""
    if asked.face_id is not None:
        await house.faces.find(asked.face_id, who.account)
    changes = asked.model_dump(exclude_none=True)
    return agent_reply(await salon_of(house).agents.change(who.account, agent_id, changes))


@router.delete("/auto/agent/{agent_id}", status_code=204, responses=FAULTS, summary="Remove an agent")
async def remove_agent(agent_id: str, who: rest.Asking, house: rest.InHouse) -> Response:
    """Conversations that run go on."""
    await salon_of(house).agents.remove(who.account, agent_id)
    return Response(status_code=204)


# --- starting ------------------------------------------------------------------------------------------------------
@router.post("/auto/token", responses=STARTS, summary="Token that starts conversations")
async def auto_token(asked: AutoTokenRequest, who: rest.Asking, house: rest.InHouse) -> AutoTokenReply:
    """The provider keys in it are encrypted, and kept nowhere else."""
    return await make_token(asked, who, house)


@router.post(
    "/auto/start/configurable",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=STARTS,
    summary="Start without a stored agent",
)
async def start_configured(asked: StartRequest, request: Request, house: rest.InHouse) -> StartReply:
    """A room to enter, and the id of its conversation."""
    who = await starter(request, house)
    return await start(request, house, who, configured(asked, who))


@router.get(
    "/auto/start/{agent_id}/{session_token}",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=STARTS,
    summary="Start an agent, with the token in the path",
)
@router.post(
    "/auto/start/{agent_id}/{session_token}",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=STARTS,
    summary="Start an agent, with the token in the path",
)
async def start_by_path(
    agent_id: str, session_token: str, request: Request, house: rest.InHouse, redirect: Redirect = False
) -> StartReply | RedirectResponse:
    """For links and frames: no header is needed."""
    return await start_stored(request, house, agent_id, session_token, redirect=redirect)


@router.get(
    "/auto/start/{agent_id}",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=STARTS,
    summary="Start an agent",
)
@router.post(
    "/auto/start/{agent_id}",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=STARTS,
    summary="Start an agent",
)
async def start_by_header(
    agent_id: str, request: Request, house: rest.InHouse, redirect: Redirect = False
) -> StartReply | RedirectResponse:
    """With the token in the header `session-token`."""
    return await start_stored(request, house, agent_id, None, redirect=redirect)


async def start_stored(
    request: Request, house: rest.InHouse, agent_id: str, token: str | None, *, redirect: bool
) -> StartReply | RedirectResponse:
    """What the routes of every generation do that start a stored agent."""
    who = await starter(request, house, token)
    reply = await start(request, house, who, await stored(house, who, agent_id))
    return RedirectResponse(reply.roomUrl, 307) if redirect else reply


# --- looking back --------------------------------------------------------------------------------------------------
Named = Annotated[str, Query(alias="session_id", max_length=300, description="if it is not in the path")]
OlderNamed = Annotated[str, Query(alias="sessionId", max_length=300, description="its older name")]


@router.get("/auto/transcript/{session_id}", responses=FAULTS, summary="What was said")
async def auto_transcript(
    session_id: str, who: rest.Asking, house: rest.InHouse, named: Named = "", older: OlderNamed = ""
) -> TranscriptReply:
    """While the conversation runs, and after. Only what was really heard."""
    return await transcript(house, who.account, which(session_id, named, older))


@router.get("/auto/transcript", responses=FAULTS, summary="What was said, with the id in the query")
async def auto_transcript_queried(
    who: rest.Asking, house: rest.InHouse, named: Named = "", older: OlderNamed = ""
) -> TranscriptReply:
    """See `GET /auto/transcript/{session_id}`."""
    return await transcript(house, who.account, which("", named, older))


def which(path: str, *queried: str) -> str:
    """Which session is meant: the path wins over the query.

    The documents put ``session_id`` into the path and declare it for the query, so there are clients that fill in the
    query and send the path with its braces.
    """
    return path if path and not path.startswith("{") else next(filter(None, queried), path)
