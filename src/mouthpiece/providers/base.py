"""Who is to take part in a conversation: plain choices, which nothing needs the ``agents`` extra for."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MindChoice:
    """The language model: ``provider`` is openai, google, user (any OpenAI-compatible ``base_url``) or embedded."""

    provider: str = "embedded"
    model: str = ""
    base_url: str = ""
    key: str = field(default="", repr=False)

    @property
    def realtime(self) -> bool:
        """Whether the model is a speech-to-speech one, which hears and speaks itself."""
        words = {"openai": ("realtime",), "google": ("live", "native-audio")}.get(self.provider, ())
        return any(word in self.model for word in words)


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """The voice: ``provider`` is elevenlabs, cartesia, openai, google, user (the caller sends it) or embedded."""

    provider: str = "embedded"
    model: str = ""
    voice_id: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who takes part in a conversation. ``ears``: deepgram, own or embedded."""

    mind: MindChoice = MindChoice()
    voice: VoiceChoice = VoiceChoice()
    ears: str = "embedded"
