"""What is left of v1 and v0 and can be answered honestly. What would be a pretence is not here: docs/protocol.md."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from mouthpiece.simli.rest import Asking, InHouse, faults

router = APIRouter(tags=["Simli v1 extras"])


class HealthReply(BaseModel):
    """How the server is."""

    status: str


class AvailableReply(BaseModel):
    """Whether one more session would be taken now, and how many of the account run."""

    available: bool
    running: int


@router.get("/health", summary="Alive")
@router.get("/ping", summary="Alive")
async def health() -> HealthReply:
    """200 as long as the process answers; see also `GET /healthz`."""
    return HealthReply(status="ok")


@router.get("/generalHealth", summary="Taking sessions", responses={503: {"model": HealthReply}})
async def general_health(house: InHouse, response: Response) -> HealthReply:
    """200 while new sessions are taken, else 503; see also `GET /readyz`, which says why."""
    if _open(house):
        return HealthReply(status="ok")
    response.status_code = 503
    return HealthReply(status="overloaded")


@router.get("/available_sessions", summary="Room for one more", responses=faults(401))
@router.get("/available-sessions", summary="Room for one more", responses=faults(401), operation_id="available_dashed")
@router.post("/isSessionAvailable", summary="Room for one more", responses=faults(401))
async def available(who: Asking, house: InHouse) -> AvailableReply:
    """How many sessions fit is not a number here: it depends on what they do. Whether one more fits is known."""
    return AvailableReply(available=_open(house), running=await house.history.active(who.account))


def _open(house: InHouse) -> bool:
    return not house.draining() and (house.host is None or any(worker.ready for worker in house.host.workers()))


@router.get("/getPossibleFaceIDs", summary="Ids of the faces", responses=faults(401))
async def face_ids(who: Asking, house: InHouse) -> list[str]:
    """The ids of `GET /faces`, bare."""
    return [face.uuid for face in await house.faces.all(who.account)]


@router.get("/WebRTC", summary="The demo page", response_class=RedirectResponse)
async def demo() -> RedirectResponse:
    """It is at `/`."""
    return RedirectResponse("/")
