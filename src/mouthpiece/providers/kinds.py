"""Short names for the library's kinds of parts, whatever events they emit."""

from __future__ import annotations

from typing import Any

from livekit.agents import llm, stt, tts

Ears = stt.STT[Any]
Mind = llm.LLM[Any] | llm.RealtimeModel
TextMind = llm.LLM[Any]
Voice = tts.TTS[Any]
