"""Fixtures of the transport's tests: a server's end and a viewer's end on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from tests.support.peer import TIMEOUT, Viewer
from tests.support.viewing import Listening

from mouthpiece.settings import MediaSettings, TransportSettings
from mouthpiece.transport.p2p import P2PPeer, answer

Meet = Callable[..., Awaitable[tuple[P2PPeer, Listening]]]


@pytest.fixture
async def viewer() -> AsyncIterator[Viewer]:
    async with Viewer() as made:
        yield made


@pytest.fixture
async def meet() -> AsyncIterator[Meet]:
    """``await meet(viewer, settings=…, media=…)``: answer the viewer and wait until both sides are connected."""
    async with AsyncExitStack() as stack:

        async def make(
            viewer: Viewer, settings: TransportSettings | None = None, media: MediaSettings | None = None
        ) -> tuple[P2PPeer, Listening]:
            listening = Listening()
            offer = await viewer.offer()
            peer, sdp = await answer(offer, listening, settings or TransportSettings(), media=media, host="127.0.0.1")
            stack.push_async_callback(peer.close)
            await viewer.accept(sdp)
            await viewer.connected()
            await asyncio.wait_for(listening.connected.wait(), TIMEOUT)
            return peer, listening

        yield make
