"""The API's names to the parts of a conversation: ears, mind and voice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp
from livekit.agents import llm

from mouthpiece.errors import BadInput
from mouthpiece.providers import cloud, guard
from mouthpiece.providers.base import Choice, MindChoice, VoiceChoice
from mouthpiece.providers.chat import CompatibleLLM, EmbeddedLLM
from mouthpiece.providers.espeak import EspeakVoice, Manner
from mouthpiece.providers.hearing import EmbeddedSTT
from mouthpiece.providers.kinds import Ears, Mind, TextMind, Voice
from mouthpiece.providers.local import LocalModels
from mouthpiece.providers.own_speech import OwnSpeech, OwnSTT, OwnTTS
from mouthpiece.providers.speech import EmbeddedTTS
from mouthpiece.providers.sphinx import SphinxEars
from mouthpiece.settings import AgentSettings

MIND_TIMEOUT_S: Final = 15.0
"""Between two pieces of an answer."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What one conversation uses. ``close`` ends what was opened for it."""

    ears: Ears | None
    mind: Mind | None
    voice: Voice | None
    close: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can take part. ``rules`` bind callers' URLs; all conversations share what is not settings."""

    settings: AgentSettings
    rules: guard.Rules
    voice: EspeakVoice
    ears: SphinxEars
    local: LocalModels
    own: OwnSpeech = field(default_factory=OwnSpeech)
    languages: dict[str, str] = field(default_factory=dict)  # of the embedded voice, filled at first use

    # --- before a conversation --------------------------------------------------------------------------------------
    def resolved(self, choice: Choice) -> Choice:
        """With the operator's own keys and models where the caller gave none. Never with a caller's URL."""
        ours, mind, voice = self.settings, choice.mind, choice.voice
        if not mind.key and mind.provider == "openai":
            mind = replace(mind, key=ours.openai_key or "")
        if not mind.key and mind.provider == "google":
            mind = replace(mind, key=ours.google_key or "")
        if mind.provider in ("openai", "google") and not mind.key:
            mind = MindChoice()
        if not voice.key and voice.provider == "elevenlabs":
            voice = replace(voice, key=ours.elevenlabs_key or "")
        if not voice.key and voice.provider == "cartesia":
            voice = replace(voice, key=ours.cartesia_key or "")
        if voice.provider not in ("elevenlabs", "cartesia", "user") or (voice.provider != "user" and not voice.key):
            voice = VoiceChoice()
        ears = "embedded" if self.own.ears is None else "own"
        return Choice(mind, voice, "deepgram" if ours.deepgram_key else ears)

    def warnings(self, choice: Choice, language: str) -> Sequence[str]:
        """What will not be quite as asked for."""
        real = self.resolved(choice)
        said = []
        if choice.voice.provider == "playht":
            said.append("PlayHT closed in 2025: the embedded voice speaks instead")
        elif real.voice.provider != choice.voice.provider:
            said.append(f"no key for the voice of {choice.voice.provider}: the embedded voice speaks instead")
        if real.mind.provider != choice.mind.provider:
            said.append(f"no key for {choice.mind.provider}: a language model of this machine answers if there is one")
        if not real.mind.realtime and real.voice.provider != "user":
            said += self._language_warnings(real, language)
        return said

    def _language_warnings(self, real: Choice, language: str) -> list[str]:
        said = []
        if real.ears == "embedded" and not _is_english(language):
            said.append(f"the embedded ears understand English only, not {language}: {EARS_REMEDY}")
        embedded = real.voice.provider == "embedded" and not self._own_voice_speaks(language)
        if embedded and self.languages and manner_of(language, self.languages) is None:
            said.append(f"the embedded voice does not speak {language}: it speaks English")
        return said

    def _own_voice_speaks(self, language: str) -> bool:
        return self.own.voice is not None and self.own.voice.speaks(language)

    def notices(self, choice: Choice, language: str) -> Sequence[str]:
        """What the user must be told, spoken."""
        real = self.resolved(choice)
        if real.mind.realtime or real.voice.provider == "user":
            return []
        deaf = real.ears == "embedded" and not _is_english(language)
        return ["Please speak English with me. I do not understand other languages on this server."] if deaf else []

    async def check(self, choice: Choice) -> None:
        """Raises BadInput."""
        mind = choice.mind
        if mind.provider == "user":
            if not mind.base_url:
                raise BadInput(reason="the language model of provider User needs a base URL")
            await self.rules.check(mind.base_url)

    async def learn_languages(self) -> None:
        """Ask the embedded voice once what it speaks. Raises Unavailable."""
        if not self.languages:
            self.languages.update({voice.language.lower(): voice.id for voice in await self.voice.voices()})

    def manner(self, language: str) -> Manner:
        """How the embedded voice speaks a language: with its voice, or in English."""
        if _is_english(language):
            return Manner()
        return Manner(voice=manner_of(language, self.languages))

    # --- for a conversation ------------------------------------------------------------------------------------------
    async def parts(self, choice: Choice, language: str) -> Parts:
        """The parts of one conversation. Raises Unavailable."""
        await self.learn_languages()
        real = self.resolved(choice)
        http = aiohttp.ClientSession(trust_env=False)
        silent = real.voice.provider == "user"
        mind = None if silent else await self._mind(real.mind)
        hears_itself = isinstance(mind, llm.RealtimeModel)
        ears = None if hears_itself else self._ears(real.ears, language, http)
        voice = None if silent or hears_itself else self._voice(real.voice, language, http)

        async def close() -> None:
            for part in (mind, ears, voice):
                if part is not None:
                    await part.aclose()
            await http.close()

        return Parts(ears, mind, voice, close)

    async def _mind(self, choice: MindChoice) -> Mind:
        if choice.provider == "openai":
            return cloud.openai_mind(choice, self.settings)
        if choice.provider == "google":
            return cloud.google_mind(choice, self.settings)
        if choice.provider == "user":
            http = guard.client(self.rules, MIND_TIMEOUT_S)
            return CompatibleLLM(http, choice.base_url, choice.model or "default", choice.key)
        return await self._own_mind()

    async def _own_mind(self) -> TextMind:
        """The operator's model, else one that runs on this machine, else the responder."""
        ours = self.settings
        if ours.llm_url:
            http = guard.client(None, MIND_TIMEOUT_S)
            return CompatibleLLM(http, ours.llm_url, ours.llm_model or "default", ours.llm_key or "")
        found = await self.local.find() if ours.find_local else None
        if found is not None:
            return CompatibleLLM(guard.client(None, MIND_TIMEOUT_S), found.base_url, found.model)
        return EmbeddedLLM()

    def _ears(self, name: str, language: str, http: aiohttp.ClientSession) -> Ears:
        if name == "deepgram":
            return cloud.deepgram(self.settings.deepgram_key or "", language, http, self.settings)
        if self.own.ears is not None:
            return OwnSTT(self.own.ears, self.own.executor, language)
        return EmbeddedSTT(self.ears)

    def _voice(self, choice: VoiceChoice, language: str, http: aiohttp.ClientSession) -> Voice | None:
        if choice.provider == "elevenlabs":
            return cloud.elevenlabs(choice, language, http, self.settings)
        if choice.provider == "cartesia":
            return cloud.cartesia(choice, language, http, self.settings)
        if self.own.voice is not None and self.own.voice.speaks(language):
            return OwnTTS(self.own.voice, self.own.executor)
        return EmbeddedTTS(self.voice, self.manner(language))


EARS_REMEDY: Final = "the operator can set agents.whisper_model or agents.deepgram_key for others"


def _is_english(language: str) -> bool:
    return language.lower().split("-")[0] in ("en", "")


def manner_of(language: str, languages: dict[str, str]) -> str | None:
    """The embedded voice for a language: the very one, or the one of its first part."""
    wanted = language.lower()
    first = wanted.split("-")[0]
    near = (voice for tag, voice in languages.items() if tag.split("-")[0] == first)
    return languages.get(wanted) or languages.get(first) or {"zh": "cmn"}.get(first) or next(near, None)
