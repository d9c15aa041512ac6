"""Our participant in a real LiveKit room: what viewers receive, and the talk with an agent."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from livekit import rtc
from tests.support.livekit import LiveKitServer, livekit_server
from tests.support.room import Guest, participant_token, signer
from tests.support.viewing import Listening, grey, tone

from mouthpiece.codec.video import open_video
from mouthpiece.errors import RoomUnreachable
from mouthpiece.media import TICK, EncodedSound
from mouthpiece.settings import LiveKitSettings, MediaSettings
from mouthpiece.transport.base import RoomTicket
from mouthpiece.transport.livekit import LiveKitPeer, Presence, join

pytestmark = pytest.mark.timeout(120)

SIDE = 128
AVATAR = "avatar"
_rooms = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as it:
        yield it


class Hearing(Listening):
    """A session's end that also keeps what an agent says."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = b""
        self.ends = 0
        self.cleared = asyncio.Event()
        self.told = asyncio.Event()

    def on_segment_sound(self, data: bytes) -> None:
        self.sound += data

    def on_segment_end(self) -> None:
        self.ends += 1
        self.told.set()

    def on_clear(self) -> None:
        self.cleared.set()


@asynccontextmanager
async def in_room(
    server: LiveKitServer, room: str, *, speaker: str | None = None, codec: str = "h264", absence_s: float = 10.0
) -> AsyncIterator[tuple[LiveKitPeer, Hearing]]:
    listening = Hearing()
    token = signer().avatar(room, AVATAR, time.time(), 600, speaker)
    ticket = RoomTicket(server.url, token, SIDE, SIDE, 25, speaker)
    settings = LiveKitSettings(join_timeout_s=2.0, absence_s=absence_s)
    peer = await join(ticket, listening, settings, MediaSettings(prefer=codec))
    try:
        yield peer, listening
    finally:
        await peer.close()


class Flashes:
    """On a true 20 ms clock: every second, 200 ms of white with a tone; else black and exact zeros."""

    def __init__(self, peer: LiveKitPeer, listening: Hearing) -> None:
        self._peer, self._listening = peer, listening
        assert peer.video_codec is not None
        self._video = open_video(peer.video_codec, SIDE, SIDE, 25, 300_000, 1_000_000)
        self._keys = 0

    async def run(self, ticks: int) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for k in range(ticks):
            await asyncio.sleep(begun + k * 0.02 - loop.time())
            self._step(k)
        self._video.close()

    def _step(self, k: int) -> None:
        on = k % 50 < 10
        pcm = tone(0.02, start=k * 0.02) if on else np.zeros(TICK, np.int16)
        self._peer.send_sound(EncodedSound(pcm.tobytes(), k * TICK))
        if k % 2 == 0:
            asked = len(self._listening.keys.items)
            key, self._keys = asked > self._keys, asked
            self._peer.send_picture(self._video.encode(grey(235 if on else 16, SIDE, SIDE), k * TICK, key=key))


def rises(values: list[tuple[float, float]], level: float) -> list[float]:
    """When a value went over ``level``."""
    return [at for (_, before), (at, now) in itertools.pairwise(values) if before <= level < now]


@pytest.mark.parametrize("codec", ["h264", "vp8"])
async def test_viewers_see_and_hear_together_and_late_ones_see_soon(server: LiveKitServer, codec: str) -> None:
    room = f"together-{next(_rooms)}"
    now = time.time()
    async with in_room(server, room, codec=codec) as (peer, listening):
        assert not listening.connected.is_set(), "nobody is there yet"
        async with Guest.joined(server.url, signer().viewer(room, "first", now, 60)) as first:
            await asyncio.wait_for(listening.connected.wait(), 10)
            show = asyncio.create_task(Flashes(peer, listening).run(400))
            await first.until(lambda g: len(rises(g.seen, 120)) >= 2)
            async with Guest.joined(server.url, signer().viewer(room, "second", now, 60)) as second:
                came = time.monotonic()
                await second.until(lambda g: len(g.seen) > 10 and len(g.heard) > 10, 5)
                assert second.seen[0][0] - came < 3, "a key frame came for it"
            await show
    assert first.size == (SIDE, SIDE)
    offsets = [min((h - s for h in rises(first.heard, 1_000)), key=abs) for s in rises(first.seen, 120)]
    assert abs(np.median(offsets)) < 0.15, offsets
    silence = [level for at, level in first.heard if at - first.heard[0][0] > 1 and level == 0]
    assert len(silence) > 100, "silence is exact zeros"


async def test_nobody_comes(server: LiveKitServer) -> None:
    async with in_room(server, f"empty-{next(_rooms)}") as (_, listening):
        assert "nobody joined" in (await listening.lost.take(1))[0]
        assert not listening.connected.is_set()


async def test_everybody_leaves(server: LiveKitServer) -> None:
    room = f"leaving-{next(_rooms)}"
    async with in_room(server, room, absence_s=0.5) as (peer, listening):
        noticed = asyncio.Event()
        peer._room.on("participant_connected", lambda _: noticed.set())
        async with Guest.joined(server.url, signer().viewer(room, "viewer", time.time(), 60)):
            await asyncio.wait_for(noticed.wait(), 10)
            assert not listening.lost.items
        assert "nobody has been" in (await listening.lost.take(1))[0]


async def test_somebody_who_comes_back_in_time_is_no_loss() -> None:
    lost: list[str] = []
    presence = Presence(0.05, 0.05, lost.append)
    presence.start(there=False)
    for there in (True, False, True):
        presence.seen(there)
    await asyncio.sleep(0.1)
    assert lost == []
    presence.seen(there=False)
    presence.stop()
    presence.seen(there=False)
    await asyncio.sleep(0.1)
    assert lost == [], "nobody watches any more"


async def test_a_room_that_cannot_be_entered(server: LiveKitServer) -> None:
    bad = RoomTicket(server.url, "no token", SIDE, SIDE)
    nowhere = RoomTicket("ws://127.0.0.1:9", "no token", SIDE, SIDE)
    for ticket in (bad, nowhere):
        with pytest.raises(RoomUnreachable):
            await join(ticket, Hearing(), LiveKitSettings(), MediaSettings())


# --- with an agent -------------------------------------------------------------------------------------------------
@asynccontextmanager
async def with_agent(
    server: LiveKitServer, *, hears_starts: bool = True, absence_s: float = 10.0
) -> AsyncIterator[tuple[Guest, LiveKitPeer, Hearing]]:
    room = f"agent-{next(_rooms)}"
    async with (
        Guest.joined(server.url, participant_token(room, "agent"), subscribe=False, hears_starts=hears_starts) as agent,
        in_room(server, room, speaker="agent", absence_s=absence_s) as (peer, listening),
    ):
        yield agent, peer, listening


async def test_an_agents_segments_come_whole_and_reports_go_back_in_order(server: LiveKitServer) -> None:
    async with with_agent(server) as (agent, peer, listening):
        assert listening.connected.is_set(), "there is nobody else to wait for"
        sent = [tone(0.5, 300.0 + i).tobytes() for i in range(3)]
        for data in sent:
            stream = await agent.open_stream(AVATAR)
            await stream.write(data)
            await stream.aclose()
        async with asyncio.timeout(10):
            while listening.ends < 3:
                listening.told.clear()
                await listening.told.wait()
        assert listening.sound == b"".join(sent)
        for n in range(5):
            peer.report_started()
            peer.report_played(n / 10, interrupted=n % 2 == 1)
        got = await agent.finished.take(5)
        assert [(position, interrupted) for _, position, interrupted in got] == [(n / 10, n % 2 == 1) for n in range(5)]
        assert len(agent.started.items) == 5


async def test_only_the_agent_is_listened_to(server: LiveKitServer) -> None:
    async with with_agent(server) as (agent, _, listening):
        async with Guest.joined(
            server.url, participant_token(agent.room.name, "stranger"), subscribe=False
        ) as stranger:
            stream = await stranger.open_stream(AVATAR)
            await stream.write(tone(0.1).tobytes())
            await stream.aclose()
            assert await stranger.clear(AVATAR) == "reject"
        stream = await agent.open_stream(AVATAR)
        await stream.write(b"\x01\x00")
        await stream.aclose()
        async with asyncio.timeout(10):
            await listening.told.wait()
        assert listening.sound == b"\x01\x00"
        assert not listening.cleared.is_set()


async def test_clear_is_answered_at_once(server: LiveKitServer) -> None:
    async with with_agent(server, hears_starts=False) as (agent, peer, listening):
        peer.report_started()  # the agent knows no such method: no fault, and not tried again
        assert await agent.clear(AVATAR) == "ok"
        assert listening.cleared.is_set()
        peer.report_played(1.0, interrupted=True)
        assert (await agent.finished.take(1))[0][1:] == (1.0, True)


async def test_an_agent_that_leaves_takes_its_avatar_along(server: LiveKitServer) -> None:
    async with with_agent(server, absence_s=0.5) as (agent, _, listening):
        await agent.room.disconnect()
        (why,) = await listening.lost.take(1)
        assert why in ("nobody has been in the room for 0.5 s", "the room was closed")


@pytest.mark.parametrize("scenario", ["SIMULATE_SIGNAL_RECONNECT", "SIMULATE_FULL_RECONNECT"])
async def test_a_reconnect_is_survived(server: LiveKitServer, scenario: str) -> None:
    async with with_agent(server) as (agent, peer, listening):
        back = asyncio.Event()
        peer._room.on("reconnected", back.set)
        await peer._room.simulate_scenario(rtc.SimulateScenarioKind.Value(scenario))
        await asyncio.wait_for(back.wait(), 20)
        await listening.keys.take(1)
        assert await agent.clear(AVATAR) == "ok"
        peer.report_played(0.5, interrupted=True)
        assert (await agent.finished.take(1))[0][1:] == (0.5, True)
        assert not listening.lost.items
