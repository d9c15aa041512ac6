"""Backgrounds and foregrounds: checked, kept small and plain, and given out by links that end."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mouthpiece.codec.images import ImageDecoder, ImageLimits
from mouthpiece.errors import BadInput, NotFound, TooLarge
from mouthpiece.face.pack import decoded, encoded
from mouthpiece.face.scenery import Scenery
from mouthpiece.media import Look
from mouthpiece.seal import Sealer, Unsealed
from mouthpiece.store.assets import Asset, AssetStore

LARGEST: Final = 5 * 1024 * 1024
SHAPES: Final = ((1, 1, 1080), (16, 9, 1920), (9, 16, 1920))
"""Across, down, and the longest side."""

LEAST_SIDE: Final = 512
LINK_S: Final = 3600
LOADED: Final = 16


class HouseAssets:
    """See ``simli.base.Assets``."""

    def __init__(self, store: AssetStore, secrets: Sequence[bytes]) -> None:
        self._store = store
        self._sealer = Sealer(secrets, "asset link")
        self._decoder = ImageDecoder(ImageLimits(max_pixels=1920 * 1920), at_once=1)

    async def add(self, account: str, layer: str, data: bytes) -> Asset:
        """See ``Assets``."""
        if len(data) > LARGEST:
            raise TooLarge(what="the picture", limit=f"{LARGEST} bytes")
        picture = await self._decoder.decode(data)
        height, width = picture.rgb.shape[:2]
        _check_shape(width, height)
        if layer == "foreground" and picture.alpha is None:
            raise BadInput(reason="a foreground must be transparent somewhere: save it as PNG or WebP with alpha")
        file = await asyncio.to_thread(_file, layer, picture.rgb, picture.alpha)
        return await self._store.add(Asset(str(uuid.uuid4()), account, layer, width, height), file)

    async def all(self, account: str, layer: str) -> Sequence[Asset]:
        """See ``Assets``."""
        return await self._store.all(account, layer)

    async def owns(self, account: str, layer: str, asset_id: str) -> bool:
        """See ``Assets``."""
        try:
            await self._store.get(asset_id.lower(), account, layer)
        except NotFound:
            return False
        return True

    async def delete(self, account: str, layer: str, asset_id: str) -> None:
        """See ``Assets``."""
        await self._store.delete(asset_id.lower(), account, layer)

    def link(self, asset: Asset, now: int) -> tuple[str, int]:
        """See ``Assets``."""
        return self._sealer.seal({"asset": asset.id, "until": now + LINK_S}, now), now + LINK_S

    async def linked(self, link: str, now: float) -> bytes:
        """See ``Assets``."""
        try:
            said = self._sealer.open(link)
        except Unsealed:
            raise NotFound(what="picture") from None
        if now > float(str(said["until"])):
            raise NotFound(what="picture")
        return await self._store.picture(str(said["asset"]))


class Wardrobe:
    """Loaded pictures of one process."""

    def __init__(self, store: AssetStore) -> None:
        self._store = store
        self._loaded: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    async def load(self, look: Look, account: str) -> None:
        """What the look names, if it is the account's. Raises NotFound."""
        for layer, asset_id, mode in (("background", look.background, "RGB"), ("foreground", look.foreground, "RGBA")):
            if not asset_id:
                continue
            await self._store.get(asset_id, account, layer)
            if asset_id not in self._loaded:
                data = await self._store.picture(asset_id)
                self._loaded[asset_id] = await asyncio.to_thread(decoded, data, mode)
            self._loaded.move_to_end(asset_id)
        while len(self._loaded) > LOADED:
            self._loaded.popitem(last=False)

    def scenery(self, look: Look) -> Scenery | None:
        """What was loaded for a look; None: its own background and no foreground."""
        if not (look.background or look.foreground):
            return None
        return Scenery(self._loaded.get(look.background), self._loaded.get(look.foreground))


def _check_shape(width: int, height: int) -> None:
    for across, down, longest in SHAPES:
        if abs(width * down - height * across) <= max(across, down):
            if min(width, height) < LEAST_SIDE:
                raise BadInput(
                    reason=f"the picture is {width}x{height}: its shorter side must have 512 pixels at least"
                )
            if max(width, height) > longest:
                raise BadInput(reason=f"the picture is {width}x{height}: its longer side may have {longest} pixels")
            return
    raise BadInput(reason=f"the picture is {width}x{height}: it must be 1:1, 16:9 or 9:16")


def _file(layer: str, rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> bytes:
    if layer == "background" or alpha is None:
        return encoded(rgb, "WEBP", quality=92, method=3)
    return encoded(np.dstack([rgb, alpha]), "WEBP", quality=92, method=3)
