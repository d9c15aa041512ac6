"""The v1 routes that set sessions up: the same use cases as ``/compose``, under their old names."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request

from mouthpiece.simli import rest, schemas
from mouthpiece.simli.base import IceServer
from mouthpiece.simli_v1.schemas import IceRequest, SessionRequest

router = APIRouter(tags=["Simli v1"])


@router.post(
    "/startAudioToVideoSession",
    response_model=schemas.TokenReply,
    response_model_exclude_none=True,
    responses=rest.faults(400, 401, 422, 429, 503),
    summary="Session token",
)
@router.post(
    "/startAudioVideoSession",
    response_model=schemas.TokenReply,
    response_model_exclude_none=True,
    responses=rest.faults(400, 401, 422, 429, 503),
    summary="Session token, as the prose of v1 spells the route",
)
async def session_token(asked: SessionRequest, who: rest.Asking, house: rest.InHouse) -> schemas.TokenReply:
    """Make a token for one avatar session; see `POST /compose/token`."""
    return await rest.make_token(asked, who, house)


@router.post(
    "/getIceServers",
    response_model=list[schemas.IceServerReply],
    response_model_exclude_none=True,
    responses=rest.faults(401, 422),
    summary="ICE servers",
)
async def ice_servers(
    request: Request, _: rest.Asking, house: rest.InHouse, asked: IceRequest | None = None
) -> Sequence[IceServer]:
    """The same list as `GET /compose/ice`. Never empty: some clients wait for one."""
    return house.ice(request.url.hostname or "")


@router.get(
    "/getIceServers",
    response_model=list[schemas.IceServerReply],
    response_model_exclude_none=True,
    responses=rest.faults(401, 422),
    summary="ICE servers",
)
async def ice_servers_by_get(request: Request, _: rest.Asking, house: rest.InHouse) -> Sequence[IceServer]:
    """The same by GET, with the key in a header or the query."""
    return house.ice(request.url.hostname or "")
