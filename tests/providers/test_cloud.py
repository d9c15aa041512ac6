"""The providers in the cloud, their plugins constructed for real, against servers that speak their wire formats."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, llm
from tests.support.clouds import ANSWER, SOUND, Clouds, clouds

from mouthpiece.errors import BadInput
from mouthpiece.providers.base import Choice, MindChoice, VoiceChoice
from mouthpiece.providers.catalog import Catalog, Parts
from mouthpiece.providers.chat import CompatibleLLM, EmbeddedLLM
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.providers.guard import Rules
from mouthpiece.providers.hearing import EmbeddedSTT
from mouthpiece.providers.kinds import Ears, TextMind, Voice
from mouthpiece.providers.local import LocalModels
from mouthpiece.providers.speech import EmbeddedTTS
from mouthpiece.providers.sphinx import SphinxEars
from mouthpiece.settings import AgentSettings

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # google's own client
ONCE = APIConnectOptions(max_retry=0, timeout=1.0)
VOICES = [VoiceChoice("elevenlabs", "", "someone", "sk-voice"), VoiceChoice("cartesia", "", "someone", "sk-voice")]
MINDS = [MindChoice("openai", "gpt-4o-mini", "", "sk-mind"), MindChoice("google", "gemini-2.5-flash", "", "sk-mind")]


@dataclass
class Sky:
    clouds: Clouds
    catalog: Catalog


@pytest_asyncio.fixture
async def sky() -> AsyncIterator[Sky]:
    voice = EspeakVoice()
    async with clouds() as it:
        settings = AgentSettings(
            deepgram_key="sk-ears",
            openai_url=f"{it.url}/openai",
            google_url=f"{it.url}/google",
            elevenlabs_url=f"{it.url}/eleven",
            cartesia_url=f"{it.url}/cartesia",
            deepgram_url=f"{it.url}/deepgram/listen",
        )
        yield Sky(it, Catalog(settings, Rules(), voice, SphinxEars(), LocalModels(0, ())))
    await voice.close()


async def speak(voice: Voice) -> bytes:
    async with asyncio.timeout(20), voice.stream(conn_options=ONCE) as stream:
        stream.push_text("Hello there, this is a sentence.")
        stream.end_input()
        return b"".join([bytes(event.frame.data) async for event in stream])


async def ask(mind: TextMind) -> str:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="Who are you?")
    async with asyncio.timeout(20), mind.chat(chat_ctx=context, conn_options=ONCE) as stream:
        return "".join([chunk.delta.content or "" async for chunk in stream if chunk.delta])


async def hear(ears: Ears, *, whole: bool = True) -> str:
    """``whole``: nothing more will be said. Deepgram's plugin takes a line that is closed then for a polite end."""
    async with asyncio.timeout(20):
        stream = ears.stream(conn_options=ONCE)
        try:
            for _ in range(10):
                stream.push_frame(rtc.AudioFrame(SOUND[:1600], 16_000, 1, 800))
            if whole:
                stream.end_input()
            return " ".join([e.alternatives[0].text async for e in stream if e.type == "final_transcript"])
        finally:
            await stream.aclose()


async def use(parts: Parts, provider: str) -> None:
    """Ask the part that the provider is for."""
    if provider in ("elevenlabs", "cartesia"):
        assert parts.voice is not None
        await speak(parts.voice)
    elif provider == "deepgram":
        assert parts.ears is not None
        await hear(parts.ears, whole=False)
    else:
        assert isinstance(parts.mind, llm.LLM)
        await ask(parts.mind)


@pytest.mark.parametrize("choice", VOICES, ids=lambda c: c.provider)
async def test_a_voice_speaks_with_the_caller_s_key(sky: Sky, choice: VoiceChoice) -> None:
    parts = await sky.catalog.parts(Choice(voice=choice), "en")
    assert parts.voice is not None
    sound = await speak(parts.voice)
    assert len(sound) >= len(SOUND)
    assert sky.clouds.seen[0][1] == "sk-voice"
    assert "Hello there" in " ".join(sky.clouds.texts)
    await parts.close()


@pytest.mark.parametrize("choice", MINDS, ids=lambda c: c.provider)
async def test_a_mind_answers_with_the_caller_s_key(sky: Sky, choice: MindChoice) -> None:
    parts = await sky.catalog.parts(Choice(mind=choice), "en")
    assert isinstance(parts.mind, llm.LLM)
    assert (await ask(parts.mind)).replace(" ", "") == ANSWER.replace(" ", "")
    assert sky.clouds.seen[0][1].endswith("sk-mind")
    assert "Who are you?" in sky.clouds.texts[0]
    await parts.close()


async def test_deepgram_hears_in_the_language_of_the_conversation(sky: Sky) -> None:
    parts = await sky.catalog.parts(Choice(), "de")
    assert parts.ears is not None
    assert "hallo" in await hear(parts.ears)
    assert sky.clouds.seen[0] == ("/deepgram/listen", "Token sk-ears")
    await parts.close()


FAILURES = [
    *itertools.product(["elevenlabs", "cartesia", "openai", "google"], ["refuse", "limit", "hang", "mute", "break"]),
    *itertools.product(["deepgram"], ["refuse", "limit", "hang", "break"]),  # who hears nothing says nothing
]


@pytest.mark.parametrize(("provider", "mode"), FAILURES)
async def test_a_provider_that_fails_is_an_error_soon(sky: Sky, provider: str, mode: str) -> None:
    sky.clouds.mode = mode  # type: ignore[assignment]
    voice = next((v for v in VOICES if v.provider == provider), VoiceChoice())
    mind = next((m for m in MINDS if m.provider == provider), MindChoice())
    parts = await sky.catalog.parts(Choice(mind, voice), "en")
    with pytest.raises((APIError, TimeoutError)):
        await use(parts, provider)
    await parts.close()


async def test_without_keys_everything_is_embedded_and_said_so(sky: Sky) -> None:
    bare = Catalog(AgentSettings(), Rules(), sky.catalog.voice, sky.catalog.ears, sky.catalog.local)
    await bare.learn_languages()
    wanted = Choice(MindChoice("openai", "gpt-4o"), VoiceChoice("playht"))
    parts = await bare.parts(wanted, "en")
    assert isinstance(parts.ears, EmbeddedSTT)
    assert isinstance(parts.mind, EmbeddedLLM)
    assert isinstance(parts.voice, EmbeddedTTS)
    await parts.close()
    said = " ".join(bare.warnings(wanted, "de"))
    assert "PlayHT closed" in said
    assert "no key for openai" in said
    assert "English only" in said
    assert bare.notices(wanted, "de")
    assert bare.notices(wanted, "en-GB") == []
    assert any("does not speak tlh" in warning for warning in bare.warnings(Choice(), "tlh"))
    assert bare.manner("de").voice == "de"


async def test_the_operator_s_key_never_goes_to_a_caller_s_url(sky: Sky) -> None:
    settings = AgentSettings(openai_key="sk-operator", llm_url="http://127.0.0.1:1/v1", llm_key="sk-own")
    catalog = Catalog(settings, Rules(["llm.lan"]), sky.catalog.voice, sky.catalog.ears, sky.catalog.local)
    theirs = await catalog.parts(Choice(MindChoice("user", "m", "http://llm.lan/v1")), "en")
    assert isinstance(theirs.mind, CompatibleLLM)
    assert theirs.mind._key == ""
    await theirs.close()
    own = await catalog.parts(Choice(), "en")
    assert isinstance(own.mind, CompatibleLLM)
    assert own.mind._key == "sk-own"
    await own.close()
    with pytest.raises(BadInput, match="base URL"):
        await catalog.check(Choice(MindChoice("user")))
    with pytest.raises(BadInput, match="MOUTHPIECE_ALLOW_HOSTS=127"):
        await catalog.check(Choice(MindChoice("user", "m", "http://127.0.0.1:8000/v1")))
    await catalog.check(Choice(MindChoice("user", "m", "http://llm.lan/v1")))


async def test_the_caller_s_own_voice_needs_no_mind(sky: Sky) -> None:
    parts = await sky.catalog.parts(Choice(voice=VoiceChoice("user")), "en")
    assert (parts.mind, parts.voice) == (None, None)
    assert parts.ears is not None
    await parts.close()
