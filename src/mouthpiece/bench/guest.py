"""Somebody who only looks and listens in a LiveKit room, over the same WebRTC library as the viewers peer to peer.

LiveKit's own library decodes all that it receives. This one speaks LiveKit's signalling (protobuf over a WebSocket,
docs.livekit.io "Client protocol") and leaves to the bench what is done with packets and sender reports, so that a room
is measured with the very same receiver as a peer connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp
from websockets.asyncio.client import ClientConnection, connect

from mouthpiece.errors import NotConfigured, RoomUnreachable

PROTOCOL: Final = 15
PING_S: Final = 5.0
JOIN_S: Final = 15.0

Receivers = Callable[[str, Any], None]
"""Told of each track's kind ("audio", "video") and aiortc receiver, before anything is received."""


@asynccontextmanager
async def in_room(url: str, token: str, receivers: Receivers) -> AsyncIterator[RTCPeerConnection]:
    """Be in a room, subscribed to everything in it. Raises NotConfigured without LiveKit's library, RoomUnreachable."""
    guest = _Guest(receivers)
    query = urlencode({"access_token": token, "auto_subscribe": 1, "protocol": PROTOCOL, "sdk": "other"})
    try:
        socket = await connect(f"{url.replace('http', 'ws', 1)}/rtc?{query}", max_size=None)
    except OSError as error:
        raise RoomUnreachable(reason=str(error)) from error
    async with socket:
        tasks = [asyncio.create_task(guest.listen(socket)), asyncio.create_task(guest.ping(socket))]
        try:
            async with asyncio.timeout(JOIN_S):
                await guest.connected.wait()
            yield guest.peer
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await guest.peer.close()


class _Guest:
    def __init__(self, receivers: Receivers) -> None:
        try:
            from livekit.protocol import rtc
        except ImportError as error:
            raise NotConfigured(what="LiveKit", remedy="install mouthpiece[livekit]") from error
        self._rtc = rtc
        self._receivers = receivers
        self._known: set[int] = set()
        self.connected = asyncio.Event()
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer.on("connectionstatechange", self._look)

    def _look(self) -> None:
        if self.peer.connectionState == "connected":
            self.connected.set()

    async def listen(self, socket: ClientConnection) -> None:
        """Answer the server's offers, as often as they come."""
        async for data in socket:
            said = self._rtc.SignalResponse.FromString(data if isinstance(data, bytes) else data.encode())
            if said.HasField("offer"):
                await self._answer(socket, said.offer)
            elif said.HasField("trickle") and said.trickle.target == self._rtc.SUBSCRIBER:
                await self._add(json.loads(said.trickle.candidateInit))

    async def ping(self, socket: ClientConnection) -> None:
        """Be known to be there."""
        while True:
            await asyncio.sleep(PING_S)
            ping = self._rtc.Ping(timestamp=round(time.time() * 1000))
            await socket.send(self._rtc.SignalRequest(ping_req=ping).SerializeToString())

    async def _answer(self, socket: ClientConnection, offer: Any) -> None:  # noqa: ANN401 -- protobuf
        await self.peer.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        for transceiver in self.peer.getTransceivers():
            if id(transceiver) not in self._known:
                self._known.add(id(transceiver))
                self._receivers(transceiver.kind, transceiver.receiver)
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        answer = self._rtc.SessionDescription(type="answer", sdp=self.peer.localDescription.sdp, id=offer.id)
        await socket.send(self._rtc.SignalRequest(answer=answer).SerializeToString())

    async def _add(self, init: dict[str, Any]) -> None:
        if not (text := str(init.get("candidate") or "").removeprefix("candidate:")):
            return
        candidate = candidate_from_sdp(text)
        candidate.sdpMid, candidate.sdpMLineIndex = init.get("sdpMid"), init.get("sdpMLineIndex")
        with contextlib.suppress(ValueError):  # of a kind that the library cannot use, TCP
            await self.peer.addIceCandidate(candidate)
