"""Relayed media through a real coturn, with the credentials that our clients get."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy
from tests.support.peer import Viewer
from tests.support.turn import SECRET, coturn, turnserver
from tests.support.viewing import Listening, Show

from mouthpiece.settings import TransportSettings
from mouthpiece.transport.p2p import answer
from mouthpiece.transport.stun import ice_servers

pytestmark = pytest.mark.skipif(turnserver() is None, reason="needs coturn (Debian package coturn)")


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with coturn(tmp_path) as opened:
        yield opened


def relay_only(settings: TransportSettings, now: float) -> RTCConfiguration:
    servers = ice_servers(settings, "127.0.0.1", now=now)[1:]
    listed = [RTCIceServer(**server) for server in servers]  # type: ignore[arg-type]
    return RTCConfiguration(iceServers=listed, iceTransportPolicy=RTCIceTransportPolicy.RELAY)


@pytest.mark.parametrize("transport", ["", "?transport=tcp"])
async def test_media_flows_through_the_relay(port: int, transport: str) -> None:
    settings = TransportSettings(turn_url=f"turn:127.0.0.1:{port}{transport}", turn_secret=SECRET)
    async with Viewer(host=None, config=relay_only(settings, time.time())) as viewer:
        offer = await viewer.offer()
        kinds = {line.split(" typ ")[1].split()[0] for line in offer.splitlines() if " typ " in line}
        assert kinds == {"relay"}
        listening = Listening()
        peer, sdp = await answer(offer, listening, settings, host="127.0.0.1")
        await viewer.accept(sdp)
        async with Show(peer, listening):
            await viewer.pictures.take(5)
            await viewer.sounds.take(5)
        await peer.close()


async def test_expired_credentials_are_refused(port: int) -> None:
    settings = TransportSettings(turn_url=f"turn:127.0.0.1:{port}", turn_secret=SECRET, turn_ttl_s=60)
    async with Viewer(host=None, config=relay_only(settings, time.time() - 3600)) as viewer:
        assert " typ relay" not in await viewer.offer()
