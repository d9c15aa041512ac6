"""Ears that fail in the middle of a conversation: Deepgram's plugin for real, against a server that behaves badly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from tests.agent.conftest import Open
from tests.support.clouds import Clouds, clouds
from tests.support.twin_parts import ScriptedMind

from mouthpiece.agent.base import Fault, Plan
from mouthpiece.agent.conversation import NO_EARS
from mouthpiece.media import Pcm
from mouthpiece.providers import cloud
from mouthpiece.providers.kinds import Ears
from mouthpiece.settings import AgentSettings

Person = Callable[[str], Awaitable[Pcm]]


@dataclass
class Line:
    clouds: Clouds
    ears: Ears


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    async with clouds() as it, aiohttp.ClientSession() as http:
        ears = cloud.deepgram("sk", "en", http, AgentSettings(deepgram_url=f"{it.url}/deepgram/listen"))
        yield Line(it, ears)


@pytest.mark.parametrize("mode", ["refuse", "limit"])
async def test_the_user_is_told_and_heard_again_when_they_work(
    converse: Open, person: Person, line: Line, mode: str
) -> None:
    line.clouds.mode = mode  # type: ignore[assignment]
    async with converse(Plan("s", "You are kind."), ears=line.ears, mind=ScriptedMind("Good day.")) as room:
        await room.until(lambda: NO_EARS in room.captions("assistant"))
        assert {fault.stage for fault in room.of(Fault)} == {"ears"}  # type: ignore[union-attr]
        line.clouds.mode = "good"
        await room.until(lambda: not room.queued)
        room.say(await person("Hello, can you hear me now?"))
        await room.until(lambda: any(said.content == "Good day." for said in room.lines))
        assert any("hallo" in said.content for said in room.lines if said.role == "user")


async def test_a_line_that_breaks_is_dialled_again_and_the_user_is_answered(
    converse: Open, person: Person, line: Line
) -> None:
    line.clouds.mode = "break"
    async with converse(Plan("s", "You are kind."), ears=line.ears, mind=ScriptedMind("Good day.")) as room:
        room.say(await person("Hello, can you hear me?"))
        await room.until(lambda: len(line.clouds.seen) >= 2)
        line.clouds.mode = "good"
        await room.until(lambda: any(said.content == "Good day." for said in room.lines))
        assert any("hallo" in said.content for said in room.lines if said.role == "user")
