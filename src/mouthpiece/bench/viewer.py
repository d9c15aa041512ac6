"""Viewers for the benches: real WebRTC peers that receive everything and decode nothing.

Run as a process of its own (``python -m mouthpiece.bench.viewer``), so that what the receivers cost is counted apart:
a plan goes in as JSON on standard input, what was received comes out as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import queue
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.jitterbuffer import JitterFrame
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from mouthpiece.bench.apart import apart, outcome_of
from mouthpiece.bench.guest import in_room
from mouthpiece.transport.grants import Signer

CHUNK = 6000
"""Bytes of sound a message, as the clients in the field send it."""

PATIENCE, LATER_S = 3, 5.0
"""How often a viewer comes again when the server has no room, and after how long: the server's own words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``sessions`` viewers of ``url`` for ``seconds``; ``speech``: a file of raw PCM that each plays over and over.

    ``livekit``: key and secret of the LiveKit server in whose rooms they meet, each with so many ``subscribers``;
    None: peer to peer.
    """

    url: str
    key: str
    sessions: int = 1
    seconds: float = 10.0
    speech: str | None = None
    face: str = "tmp9i8bbq7c"
    warm_s: float = 2.0
    livekit: tuple[str, str] | None = None
    subscribers: int = 1


@dataclass(slots=True)
class Received:
    """What one viewer, or one subscriber, saw: the way to the first picture, then counts within the measured time."""

    first_picture_ms: float | None = None
    sounds: int = 0
    pictures: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Outcome:
    """All viewers, and the CPU-seconds that receiving took while it was measured."""

    viewers: list[Received] = field(default_factory=list)
    cpu_s: float = 0.0


def watching(plan: Plan) -> AbstractContextManager[subprocess.Popen[str]]:
    """Viewers in their own process, which ends with the block; ``outcome`` reads what they saw.

    It prints ``measuring`` when the measured time begins and ``measured`` when it ends.
    """
    return apart("mouthpiece.bench.viewer", plan)


def outcome(process: subprocess.Popen[str]) -> Outcome:
    """What they saw, when they are done."""
    said = outcome_of(process)
    return Outcome([Received(**one) for one in said["viewers"]], said["cpu_s"])


class _Later(RuntimeError):
    """The server has no room at the moment."""


class _Sink(queue.Queue[Any]):
    """Stands where aiortc queues frames for its decoder thread: notes each one, keeps none."""

    def __init__(self, note: Callable[[int], None]) -> None:
        super().__init__()
        self._note = note

    def put(self, item: tuple[object, JitterFrame] | None, block: bool = True, timeout: float | None = None) -> None:
        """A frame is noted and dropped; None, which ends the thread, goes through."""
        if item is None:
            super().put(item, block, timeout)
        else:
            self._note(len(item[1].data))


class Viewer:
    """One session, from token to media."""

    def __init__(self, plan: Plan) -> None:
        self.received = [Received() for _ in range(plan.subscribers)]
        self.counting = False
        self._plan = plan
        self._asked_at = 0.0

    async def run(self, gate: asyncio.Barrier, warm_s: float) -> None:
        """Connect, wait for the others at the gate, look and listen until they meet there again."""
        async with AsyncExitStack() as stack:
            socket = await self._meet(stack)
            background = [asyncio.create_task(_drain(socket))]
            if self._plan.speech:
                background.append(asyncio.create_task(_talk(socket, self._plan.speech)))
            try:
                await asyncio.sleep(warm_s)
                await gate.wait()
                self.counting = True
                await gate.wait()
                self.counting = False
            finally:
                for task in background:
                    task.cancel()

    async def _meet(self, stack: AsyncExitStack) -> ClientConnection:
        """A server that has just started, or many sessions at once, may say: later. Raises RuntimeError in the end."""
        meet = self._in_room if self._plan.livekit else self._peer_to_peer
        for _ in range(PATIENCE):
            try:
                async with AsyncExitStack() as attempt:
                    socket = await meet(attempt)
                    await stack.enter_async_context(attempt.pop_all())
                    return socket
            except _Later:
                await asyncio.sleep(LATER_S)
        return await meet(stack)

    # --- peer to peer -----------------------------------------------------------------------------------------------
    async def _peer_to_peer(self, stack: AsyncExitStack) -> ClientConnection:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        stack.push_async_callback(peer.close)
        for kind in ("audio", "video"):
            self._listen(self.received[0], kind, peer.addTransceiver(kind, direction="recvonly").receiver)
        await peer.setLocalDescription(await peer.createOffer())
        socket = await self._socket(stack, "p2p")
        self._asked_at = time.perf_counter()
        await socket.send(json.dumps({"type": "offer", "sdp": peer.localDescription.sdp}))
        await peer.setRemoteDescription(RTCSessionDescription(**await _said(socket, "sdp")))
        return socket

    # --- in a room --------------------------------------------------------------------------------------------------
    async def _in_room(self, stack: AsyncExitStack) -> ClientConnection:
        socket = await self._socket(stack, "livekit")
        self._asked_at = time.perf_counter()
        room = await _said(socket, "livekit_url")
        for received, token in zip(self.received, self._tokens(room["livekit_token"]), strict=True):
            await stack.enter_async_context(in_room(room["livekit_url"], token, partial(self._listen, received)))
        return socket

    def _tokens(self, ours: str) -> list[str]:
        """The token that we were given, and more for the same room."""
        payload = ours.split(".")[1]
        room = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["video"]["room"]
        signer, now = Signer(*(self._plan.livekit or ("", ""))), time.time()
        return [ours, *(signer.viewer(room, f"more-{n}", now, 3600) for n in range(1, self._plan.subscribers))]

    # ----------------------------------------------------------------------------------------------------------------
    async def _socket(self, stack: AsyncExitStack, way: str) -> ClientConnection:
        address = f"{self._plan.url.replace('http', 'ws', 1)}/compose/webrtc/{way}?session_token={await self._token()}"
        return await stack.enter_async_context(connect(address, max_size=None, compression=None))

    async def _token(self) -> str:
        async with httpx.AsyncClient(headers={"x-simli-api-key": self._plan.key}) as http:
            answer = await http.post(f"{self._plan.url}/compose/token", json={"faceId": self._plan.face})
            if answer.status_code in (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS):
                raise _Later(answer.text)
            answer.raise_for_status()
            return str(answer.json()["session_token"])

    def _listen(self, received: Received, kind: str, receiver: Any) -> None:  # noqa: ANN401 -- aiortc has no typed hook
        note = self._sound if kind == "audio" else self._picture
        receiver._RTCRtpReceiver__decoder_queue = _Sink(partial(note, received))

    def _sound(self, received: Received, size: int) -> None:
        if self.counting:
            received.sounds += 1
            received.bytes += size

    def _picture(self, received: Received, size: int) -> None:
        if received.first_picture_ms is None:
            received.first_picture_ms = (time.perf_counter() - self._asked_at) * 1000
        if self.counting:
            received.pictures += 1
            received.bytes += size


async def _said(socket: ClientConnection, word: str) -> dict[str, Any]:
    """The first JSON message that begins with this word. Raises RuntimeError when the server says no."""
    async for text in socket:
        if str(text).startswith(f'{{"{word}"'):
            return dict(json.loads(text))
        if str(text).startswith("RATE"):
            raise _Later(text)
        if str(text).startswith("ERROR"):
            raise RuntimeError(text)
    raise RuntimeError(f"the server said no {word}")


async def _talk(socket: ClientConnection, path: str) -> None:
    with open(path, "rb") as file:  # noqa: ASYNC230 -- a small local file, read once
        pcm = file.read()
    while True:
        for i in range(0, len(pcm), CHUNK):
            await socket.send(pcm[i : i + CHUNK])
        await asyncio.sleep(len(pcm) / 32_000)


async def _drain(socket: ClientConnection) -> None:
    with contextlib.suppress(OSError, ConnectionClosed):
        async for _ in socket:
            pass


async def _run(plan: Plan) -> Outcome:
    gate = asyncio.Barrier(plan.sessions + 1)
    viewers = [Viewer(plan) for _ in range(plan.sessions)]
    async with asyncio.TaskGroup() as group:
        for viewer in viewers:
            group.create_task(viewer.run(gate, plan.warm_s))
        await gate.wait()
        before = _cpu_s()
        print("measuring", flush=True)
        await asyncio.sleep(plan.seconds)
        print("measured", flush=True)
        cpu_s = _cpu_s() - before
        await gate.wait()
    return Outcome([one for viewer in viewers for one in viewer.received], cpu_s)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Read a plan, carry it out, print what was received."""
    try:
        result = asyncio.run(_run(Plan(**json.load(sys.stdin))))
    except* _Later as refused:
        sys.exit(f"the server does not take so many: {refused.exceptions[0]}")
    print("outcome", json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
