"""Voice agents under their v1 names: the same use cases as ``/auto``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from mouthpiece.simli import auto, rest
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
from mouthpiece.simli.auto_start import transcript

router = APIRouter(tags=["Simli v1: voice agents"], dependencies=[auto.INSTALLED])


@router.post("/agent", status_code=201, responses=auto.FAULTS, summary="New agent")
async def new_agent(asked: AgentRequest, who: rest.Asking, house: rest.InHouse) -> AgentReply:
    """See `POST /auto/agent`."""
    return await auto.new_agent(asked, who, house)


@router.get("/agents", responses=auto.FAULTS, summary="All agents")
async def all_agents(who: rest.Asking, house: rest.InHouse) -> list[AgentReply]:
    """See `GET /auto/agents`."""
    return await auto.all_agents(who, house)


@router.get("/agent/{agent_id}", responses=auto.FAULTS, summary="One agent")
async def one_agent(agent_id: str, who: rest.Asking, house: rest.InHouse) -> AgentReply:
    """See `GET /auto/agent/{agent_id}`."""
    return await auto.one_agent(agent_id, who, house)


@router.put("/agent/{agent_id}", responses=auto.FAULTS, summary="Change an agent")
async def change_agent(agent_id: str, asked: AgentUpdate, who: rest.Asking, house: rest.InHouse) -> AgentReply:
    """See `PUT /auto/agent/{agent_id}`."""
    return await auto.change_agent(agent_id, asked, who, house)


@router.delete("/agent/{agent_id}", status_code=204, responses=auto.FAULTS, summary="Remove an agent")
async def remove_agent(agent_id: str, who: rest.Asking, house: rest.InHouse) -> Response:
    """See `DELETE /auto/agent/{agent_id}`."""
    return await auto.remove_agent(agent_id, who, house)


@router.post("/createE2ESessionToken", responses=auto.STARTS, summary="Token that starts conversations")
async def e2e_token(asked: AutoTokenRequest, who: rest.Asking, house: rest.InHouse) -> AutoTokenReply:
    """See `POST /auto/token`."""
    return await auto.auto_token(asked, who, house)


@router.post(
    "/startE2ESession",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=auto.STARTS,
    summary="Start without a stored agent",
)
async def e2e_start(asked: StartRequest, request: Request, house: rest.InHouse) -> StartReply:
    """See `POST /auto/start/configurable`; `apiKey` may be an API key or a token."""
    return await auto.start_configured(asked, request, house)


@router.get(
    "/session/{agent_id}/{session_token}",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=auto.STARTS,
    summary="Start an agent, with the token in the path",
)
async def session_by_path(
    agent_id: str, session_token: str, request: Request, house: rest.InHouse, redirect: auto.Redirect = False
) -> StartReply | RedirectResponse:
    """See `GET /auto/start/{agent_id}/{session_token}`."""
    return await auto.start_stored(request, house, agent_id, session_token, redirect=redirect)


@router.get(
    "/session/{agent_id}",
    response_model=StartReply,
    response_model_exclude_none=True,
    responses=auto.STARTS,
    summary="Start an agent",
)
async def session_by_header(
    agent_id: str, request: Request, house: rest.InHouse, redirect: auto.Redirect = False
) -> StartReply | RedirectResponse:
    """See `GET /auto/start/{agent_id}`."""
    return await auto.start_stored(request, house, agent_id, None, redirect=redirect)


@router.get("/getE2ETranscript/{session_id}", responses=auto.FAULTS, summary="What was said")
async def e2e_transcript(
    session_id: str, who: rest.Asking, house: rest.InHouse, named: auto.Named = "", older: auto.OlderNamed = ""
) -> TranscriptReply:
    """See `GET /auto/transcript/{session_id}`."""
    return await transcript(house, who.account, auto.which(session_id, older, named))


@router.get("/getE2ETranscript", responses=auto.FAULTS, summary="What was said, with the id in the query")
async def e2e_transcript_queried(
    who: rest.Asking, house: rest.InHouse, named: auto.Named = "", older: auto.OlderNamed = ""
) -> TranscriptReply:
    """See `GET /auto/transcript/{session_id}`."""
    return await transcript(house, who.account, auto.which("", older, named))
