"""The gateway in a running front end, whose sessions and conversations are scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from tests.simli.conftest import KEY, Front, Start, start
from tests.support.troupe import TwinTroupe
from tests.support.twin import TwinSession
from tests.transport import offers
from websockets.asyncio.client import ClientConnection

from mouthpiece.settings import PolyaiSettings
from mouthpiece.transport.sound_sdp import sound_only

__all__ = ["front", "impatient", "shared", "start", "troupe"]

PATH = "/api/v1/webrtc/signal"
SDP = offers.offer(offers.audio(direction="sendrecv"), offers.video())
CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"
ANSWER = "\r\n".join(
    ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=rtpmap:111 opus/48000/2", f"a={CANDIDATE}", ""]
)
STEREO = ANSWER.replace("opus/48000/2", "opus/48000/2\r\na=fmtp:111 stereo=1")


def offer(**more: object) -> str:
    """An offer as the document shows it."""
    content = {"type": "offer", "sessionId": "", "data": {"type": "offer", "sdp": SDP}, "authToken": KEY}
    return json.dumps({**content, **more})


async def heard(socket: ClientConnection, *kinds: str) -> list[dict[str, object]]:
    """The next messages, which are of these types."""
    got = []
    async with asyncio.timeout(10):
        for _ in kinds:
            got.append(json.loads(await socket.recv()))
    assert tuple(each["type"] for each in got) == kinds, got
    return got


async def refused(socket: ClientConnection, message: str | bytes) -> tuple[str, str]:
    """Code and words of the error that a message gets; the socket stays open."""
    await socket.send(message)
    (error,) = await heard(socket, "error")
    data = error["data"]
    assert isinstance(data, dict)
    assert set(data) == {"code", "message"}
    return data["code"], data["message"]


@asynccontextmanager
async def calling(front: Front, **more: object) -> AsyncIterator[tuple[ClientConnection, TwinSession]]:
    """A call that is answered: the client's socket, and the stage's side."""
    async with front.socket(None, PATH) as socket:
        await socket.send(offer(**more))
        await heard(socket, "answer", "ice-candidate", "ice-candidate")
        yield socket, front.stage.opened[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(start: Start) -> AsyncIterator[Front]:
    """One front end for all tests of a file."""
    async with start() as it:
        it.stage.answers[sound_only(SDP)] = ANSWER
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient(start: Start) -> AsyncIterator[Front]:
    """One that gives calls up at once."""
    async with start(calls=PolyaiSettings(resume_s=0.2)) as it:
        it.stage.answers[sound_only(SDP)] = ANSWER
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def front(shared: Front) -> AsyncIterator[Front]:
    """The shared front end, with nobody on stage."""
    yield shared
    shared.stage.refuse = None
    shared.stage.answers[sound_only(SDP)] = ANSWER
    shared.state.draining = False
    for session in list(shared.stage.sessions.values()):
        await session.close()
    await shared.stage.until(running=0)
    shared.stage.opened.clear()


@pytest.fixture
def troupe(front: Front) -> TwinTroupe:
    assert front.house.salon is not None
    it = front.house.salon.troupe
    assert isinstance(it, TwinTroupe)
    it.reset()
    return it
