"""How long the face of a LiveKit agent lets people wait, by livekit-agents' own metrics: to join, and to speak.

The face is asked for in two ways: over HTTP, as the plugins for LiveKit agents do it, and in the agent's own process.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np

from mouthpiece.bench.report import Cell, Report, at_most
from mouthpiece.bench.rooms import LiveKit, Rooms, rooms
from mouthpiece.bench.server import KEY, Server, running
from mouthpiece.bench.speech import speech
from mouthpiece.errors import NotConfigured
from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.transport.grants import Signer

try:
    from livekit import rtc
    from livekit.agents import Agent, AgentSession
    from livekit.agents.metrics.base import AvatarMetrics
    from livekit.agents.voice.avatar import AvatarSession, DataStreamAudioOutput

    from mouthpiece.integrations.livekit import AvatarSession as InProcess
except ModuleNotFoundError as error:
    raise NotConfigured(what="livekit-agents", remedy="install mouthpiece[livekit,agents]") from error

FACE: Final = "tmp9i8bbq7c"
TEXT: Final = "We follow five very fine foxes."
AVATAR: Final = "bench-avatar"
AGENT: Final = "agent"
HTTP: Final = "over HTTP"
LINES: Final = 3
HOUR_S: Final = 3_600.0
PIECE: Final = SAMPLE_RATE // 10


@dataclass(slots=True)
class Waits:
    """Seconds, by the framework's metrics."""

    joins: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)

    def note(self, metrics: AvatarMetrics) -> None:
        """One report of an avatar session."""
        if metrics.avatar_joined_time and metrics.session_started_time:
            self.joins.append(metrics.avatar_joined_time - metrics.session_started_time)
        else:
            self.starts.append(metrics.playback_latency)


class Served(AvatarSession[Any]):
    """A face that a server sends into the agent's room, asked for as ``livekit-plugins-simli`` does."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server

    @property
    def avatar_identity(self) -> str:
        """Who the avatar is in the room."""
        return AVATAR

    async def start(
        self, agent_session: AgentSession[Any], room: rtc.Room, *, url: str = "", key: str = "", secret: str = ""
    ) -> None:
        """Ask for a face, and speak through it."""
        await super().start(agent_session, room)
        token = Signer(key, secret).avatar(room.name, AVATAR, time.time(), HOUR_S, AGENT)
        async with httpx.AsyncClient(base_url=self._server.url, headers={"x-simli-api-key": KEY}) as http:
            answer = await http.post("/compose/token", json={"faceId": FACE})
            asked = {
                "session_token": answer.raise_for_status().json()["session_token"],
                "livekit_token": token,
                "livekit_url": url,
            }
            (await http.post("/integrations/livekit/agents", json=asked, timeout=30)).raise_for_status()
        agent_session.output.replace_audio_tail(
            DataStreamAudioOutput(room, destination_identity=AVATAR, sample_rate=SAMPLE_RATE, wait_playback_start=True)
        )


Avatar = Callable[[], Served | InProcess]


def run(rounds: int, livekit: LiveKit, say: Callable[[str], None]) -> Report:
    """``rounds`` sessions each way, with some lines each. Raises NotConfigured, Unavailable without a server."""
    pcm = speech(TEXT)
    with rooms(livekit) as house, running(["--workers", "0"], house.environ) as server:
        ways: dict[str, Avatar] = {HTTP: lambda: Served(server), "in process": lambda: InProcess(identity=AVATAR)}
        waits = {way: asyncio.run(_measure(rounds, avatar, house, pcm, say)) for way, avatar in ways.items()}
    return _report(waits)


async def _measure(rounds: int, avatar: Avatar, house: Rooms, pcm: Pcm, say: Callable[[str], None]) -> Waits:
    waits = Waits()
    for _ in range(rounds):
        await _converse(avatar(), house, pcm, waits)
        say(f"joined in {waits.joins[-1] * 1000:.0f} ms, played after {_p50(waits.starts):.0f} ms")
    return waits


async def _converse(avatar: Served | InProcess, house: Rooms, pcm: Pcm, waits: Waits) -> None:
    """One agent in a room of its own, from its face's coming to its last line."""
    room, session = rtc.Room(), AgentSession[Any](turn_handling={"interruption": {"resume_false_interruption": False}})
    token = Signer(house.key, house.secret).avatar(f"avatar-{uuid.uuid4()}", AGENT, time.time(), HOUR_S)
    await room.connect(house.url, token, rtc.RoomOptions(auto_subscribe=False))
    avatar.on("metrics_collected", waits.note)
    try:
        await avatar.start(session, room, url=house.url, key=house.key, secret=house.secret)
        await session.start(Agent(instructions="speak"), room=room)
        await avatar.wait_for_join()
        for _ in range(LINES):
            await session.say(TEXT, audio=_frames(pcm)).wait_for_playout()
    finally:
        await session.aclose()
        await avatar.aclose()
        await room.disconnect()


async def _frames(pcm: Pcm) -> AsyncIterator[rtc.AudioFrame]:
    for i in range(0, len(pcm), PIECE):
        piece = pcm[i : i + PIECE]
        yield rtc.AudioFrame(piece.tobytes(), SAMPLE_RATE, 1, len(piece))


def _report(waits: dict[str, Waits]) -> Report:
    report = Report("avatar")
    for way, one in waits.items():
        report.rows += [_row(f"join, {way}", one.joins), _row(f"playback latency, {way}", one.starts)]
    served = waits[HTTP]
    report.aims = [
        at_most("join over HTTP, p50 ms", 1_000, _p50(served.joins)),
        at_most("playback latency over HTTP, p50 ms", 200, _p50(served.starts)),
    ]
    report.notes = [
        "join: from the start of the avatar's session until its pictures are published; the first one loads faces",
        "playback latency: from the first sound given to the avatar until it says that it plays",
    ]
    return report


def _p50(seconds: Sequence[float]) -> float:
    return float(np.percentile(seconds, 50)) * 1000


def _row(what: str, seconds: Sequence[float]) -> dict[str, Cell]:
    ms = [1000 * one for one in seconds]
    return {
        "what": what,
        "n": len(ms),
        "p50_ms": round(float(np.percentile(ms, 50)), 1),
        "min_ms": round(min(ms), 1),
        "max_ms": round(max(ms), 1),
    }
