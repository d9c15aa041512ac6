"""Backgrounds and foregrounds: /assets/backgrounds and /assets/foregrounds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, File, Request, Response, UploadFile
from pydantic import BaseModel

from mouthpiece.simli.base import Assets, House
from mouthpiece.simli.rest import Asking, InHouse, faults
from mouthpiece.store.assets import Asset

LAYERS: Final = {"backgrounds": "background", "foregrounds": "foreground"}
Kind = Literal["backgrounds", "foregrounds"]
Image = Annotated[UploadFile, File(description="JPEG, PNG or WebP; 1:1, 16:9 or 9:16; a foreground with alpha")]

router = APIRouter(tags=["Simli v2"])


class AssetReply(BaseModel):
    """A picture; ``url`` shows it to anybody until ``url_expires_at``."""

    id: str
    kind: str
    width: int
    height: int
    size_bytes: int
    created_at: str
    url: str
    url_expires_at: str


def _assets(house: House) -> Assets:
    assert house.assets is not None, "the gateway keeps assets"
    return house.assets


def _reply(request: Request, house: House, asset: Asset) -> AssetReply:
    link, until = _assets(house).link(asset, int(house.clock()))
    return AssetReply(
        id=asset.id,
        kind=asset.layer,
        width=asset.width,
        height=asset.height,
        size_bytes=asset.bytes,
        created_at=_iso(asset.created),
        url=str(request.url_for("asset_picture", link=link)),
        url_expires_at=_iso(until),
    )


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@router.get("/assets/pictures/{link}", responses=faults(404), response_class=Response, summary="See an asset")
async def asset_picture(link: str, house: InHouse) -> Response:
    """The picture that a list's ``url`` names; the link is its own key, for an hour."""
    data = await _assets(house).linked(link, house.clock())
    return Response(data, media_type="image/webp", headers={"cache-control": "private, max-age=3600"})


@router.post("/assets/{kind}", status_code=201, responses=faults(400, 401, 413, 422), summary="Upload")
async def upload(kind: Kind, image: Image, request: Request, who: Asking, house: InHouse) -> AssetReply:
    """Keep a picture, to be named as ``background_id`` or ``foreground_id``."""
    return _reply(request, house, await _assets(house).add(who.account, LAYERS[kind], await image.read()))


@router.get("/assets/{kind}", responses=faults(401, 422), summary="List")
async def listed(kind: Kind, request: Request, who: Asking, house: InHouse) -> Sequence[AssetReply]:
    """The account's pictures, newest first."""
    return [_reply(request, house, asset) for asset in await _assets(house).all(who.account, LAYERS[kind])]


@router.delete("/assets/{kind}/{id}", status_code=204, responses=faults(401, 404, 422), summary="Delete")
async def remove(kind: Kind, id: str, who: Asking, house: InHouse) -> None:
    """Sessions that show it go on; new ones cannot."""
    await _assets(house).delete(who.account, LAYERS[kind], id)
