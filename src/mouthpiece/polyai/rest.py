"""``GET /api/v1/ice-servers``: where a client finds its own addresses before it makes its offer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from mouthpiece.polyai.base import Gateway

router = APIRouter(tags=["PolyAI's WebRTC gateway"])


class IceServer(BaseModel):
    """One STUN or TURN server."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


class IceServers(BaseModel):
    """All of them; never empty."""

    iceServers: list[IceServer]


class Refusal(BaseModel):
    """Why not."""

    detail: str


@router.get(
    "/api/v1/ice-servers",
    response_model_exclude_none=True,
    responses={
        401: {"model": Refusal, "description": "no token, or one that is unknown"},
        403: {"model": Refusal, "description": "a page that may not use this token"},
    },
    summary="ICE servers of PolyAI's gateway",
)
async def ice_servers(
    request: Request,
    token: Annotated[str, Query(description="what the offer shows as `authToken`")] = "",
) -> IceServers:
    """An object, where Simli's routes answer with a bare list."""
    gateway: Gateway = request.app.state.polyai
    await gateway.admit(token, request.headers.get("origin"), str(request.base_url).rstrip("/"))
    listed = gateway.ice(request.url.hostname or "")
    return IceServers(iceServers=[IceServer.model_validate(dict(each)) for each in listed])
