"""Conversations on a real engine with the embedded voice; the ears and the mind are each test's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio
from tests.support.talking import Room

from mouthpiece.media import Pcm
from mouthpiece.providers.espeak import EspeakVoice, Manner

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from livekit.agents import llm

from mouthpiece.agent.base import Plan
from mouthpiece.agent.cast import Cast
from mouthpiece.agent.conversation import Conversation
from mouthpiece.agent.troupe import reader
from mouthpiece.providers.kinds import Ears, Mind, Voice
from mouthpiece.providers.speech import EmbeddedTTS

Open = Callable[..., AbstractAsyncContextManager[Room]]


@pytest_asyncio.fixture
async def voice() -> AsyncIterator[EspeakVoice]:
    it = EspeakVoice()
    await it.speak("ready")
    yield it
    await it.close()


@pytest_asyncio.fixture
async def person(voice: EspeakVoice) -> Callable[[str], object]:
    """A human voice, more or less: another one than the avatar's."""

    async def say(text: str) -> Pcm:
        return (await voice.speak(text, Manner("en-us+m3", rate=140))).pcm

    return say


@pytest_asyncio.fixture
async def converse(voice: EspeakVoice) -> AsyncIterator[Open]:
    executor, judging = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    @contextlib.asynccontextmanager
    async def run(
        plan: Plan,
        *,
        ears: Ears | None = None,
        mind: Mind | None = None,
        speaks: Voice | None = None,
        answer_s: float = 10.0,
    ) -> AsyncIterator[Room]:
        async def close() -> None:
            return

        silent = mind is None or isinstance(mind, llm.RealtimeModel)  # the one speaks itself, the other not at all
        voices = None if silent else speaks or EmbeddedTTS(voice)
        cast = Cast(ears, mind, voices, reader(voice, Manner()), executor, judging, close, answer_s=answer_s)
        room = Room()
        room.talk = Conversation(plan, cast, room, room.tell)
        await room.start()
        before = asyncio.all_tasks()
        try:
            await room.talk.start()
            yield room
        finally:
            await room.close()
        await asyncio.sleep(0)
        ours = (task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task.get_coro()))
        left = {task for task in ours if not task.done()}  # not the servers that a test runs beside it
        assert not left, f"left behind: {left}"

    yield run
    executor.shutdown()
    judging.shutdown()
