"""The face of a LiveKit agent in its own process, in a real room, with the framework's real session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from examples import livekit_in_process as example
from livekit import rtc
from livekit.agents import Agent, AgentSession
from tests.support.livekit import KEY, SECRET, LiveKitServer, livekit_server
from tests.support.room import Guest, participant_token, signer

from mouthpiece.integrations.livekit import IDENTITY, AvatarSession

pytestmark = pytest.mark.timeout(180)

LINE = "My mama bought a big blue boat, and we follow five very fine foxes."


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as it:
        yield it


@pytest.mark.filterwarnings("ignore")  # the framework's own
async def test_it_speaks_is_interrupted_ten_times_and_speaks_to_the_end(server: LiveKitServer) -> None:
    room, voice = rtc.Room(), example.EmbeddedVoice()
    await room.connect(server.url, participant_token("here", "agent"), rtc.RoomOptions(auto_subscribe=False))
    session: AgentSession[Any] = AgentSession(tts=voice)
    avatar = AvatarSession()
    finished: list[tuple[float, float, bool]] = []
    try:
        await avatar.start(session, room, url=server.url, key=KEY, secret=SECRET)
        output = session.output.audio
        assert output is not None
        output.on(
            "playback_finished", lambda e: finished.append((time.monotonic(), e.playback_position, e.interrupted))
        )
        await session.start(Agent(instructions="speak"), room=room)
        async with Guest.joined(server.url, signer().viewer("here", "viewer", time.time(), 120)) as guest:
            await guest.until(lambda g: len(g.seen) > 3)
            for n in range(10):
                speech = session.say(LINE)
                await asyncio.sleep(0.4 + 0.05 * n)
                asked = time.monotonic()
                await session.interrupt(force=True)
                await asyncio.wait_for(speech.wait_for_playout(), 5)
                assert finished[-1][0] - asked < 1
            assert [interrupted for _, _, interrupted in finished] == [True] * 10
            await asyncio.wait_for(session.say(LINE).wait_for_playout(), 20)
            assert finished[-1][2] is False
            assert finished[-1][1] > 3
            assert max(level for _, level in guest.heard) > 300
            assert IDENTITY in guest.room.remote_participants
    finally:
        await session.aclose()
        await avatar.aclose()
        await room.disconnect()
        await voice.voice.close()
