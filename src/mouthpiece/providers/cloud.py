"""The providers in the cloud, through their livekit-agents plugins. Each is named in the API; none is asked by default.

A key never comes from the environment: it is the caller's, from their token, or the operator's, from the settings.
"""

from __future__ import annotations

from typing import Final

import aiohttp
from livekit.agents import APIConnectOptions, llm
from livekit.agents.types import NOT_GIVEN

from mouthpiece.providers.base import MindChoice, VoiceChoice
from mouthpiece.providers.kinds import Ears, Mind, Voice
from mouthpiece.settings import AgentSettings

PATIENCE: Final = APIConnectOptions(max_retry=1, retry_interval=0.3, timeout=6.0)
"""How long a provider may be silent. Twice that is what a user still takes for thinking."""

HANG_UP_S: Final = 0.5
"""How long a speech-to-speech model has for its goodbye. One that hangs says none, and the next line waits for it."""


def elevenlabs(choice: VoiceChoice, language: str, http: aiohttp.ClientSession, urls: AgentSettings) -> Voice:
    """ElevenLabs' streaming voice."""
    from livekit.plugins import elevenlabs as plugin

    return plugin.TTS(
        voice_id=choice.voice_id or plugin.DEFAULT_VOICE_ID,
        model=choice.model or "eleven_turbo_v2_5",
        api_key=choice.key,
        base_url=urls.elevenlabs_url,
        encoding="pcm_16000",
        http_session=http,
        language=language if choice.model in ("", "eleven_turbo_v2_5", "eleven_flash_v2_5") else NOT_GIVEN,
    )


def cartesia(choice: VoiceChoice, language: str, http: aiohttp.ClientSession, urls: AgentSettings) -> Voice:
    """Cartesia's streaming voice."""
    from livekit.plugins import cartesia as plugin

    return plugin.TTS(
        api_key=choice.key,
        model=choice.model or "sonic-turbo-2025-03-07",
        voice=choice.voice_id or "a167e0f3-df7e-4d52-a9c3-f949145efdab",
        language=language,
        sample_rate=16_000,
        base_url=urls.cartesia_url,
        http_session=http,
    )


def deepgram(key: str, language: str, http: aiohttp.ClientSession, urls: AgentSettings) -> Ears:
    """Deepgram's streaming ears."""
    from livekit.plugins import deepgram as plugin

    return plugin.STT(api_key=key, language=language, http_session=http, base_url=urls.deepgram_url)


def openai_mind(choice: MindChoice, urls: AgentSettings) -> Mind:
    """OpenAI's language models; a realtime one hears and speaks itself."""
    from livekit.plugins import openai as plugin

    model = choice.model or "gpt-4o-mini"
    if choice.realtime:
        from mouthpiece.providers.openai_realtime import RealtimeModel

        return _renewable(
            RealtimeModel(model=model, api_key=choice.key, base_url=urls.openai_url, conn_options=PATIENCE)
        )
    return plugin.LLM(model=model, api_key=choice.key, base_url=urls.openai_url)


def google_mind(choice: MindChoice, urls: AgentSettings) -> Mind:
    """Google's language models; a live one hears and speaks itself."""
    from google.genai.types import HttpOptions
    from livekit.plugins import google as plugin

    model = choice.model or "gemini-2.5-flash"
    if choice.realtime:
        options = HttpOptions(base_url=urls.google_url, async_client_args={"close_timeout": HANG_UP_S})
        return _renewable(
            plugin.realtime.RealtimeModel(model=model, api_key=choice.key, http_options=options, conn_options=PATIENCE)
        )
    return plugin.LLM(model=model, api_key=choice.key, http_options=HttpOptions(base_url=urls.google_url))


def _renewable(model: llm.RealtimeModel) -> llm.RealtimeModel:
    """The same model, whose line can be replaced in the middle of a conversation. It says again nothing by itself."""
    return llm.RealtimeModelFallbackAdapter([model], regenerate_on_swap=False)
