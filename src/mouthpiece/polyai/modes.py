"""Which models a mode takes. Pure.

``end-to-end`` prefers one model that hears and speaks itself, and is the pipeline of ears, mind and voice where there
is none; ``traditional`` is always the pipeline.
"""

from __future__ import annotations

from dataclasses import replace

from mouthpiece.polyai.messages import Mode
from mouthpiece.providers.base import Choice, MindChoice


def cast_for(mode: Mode, choice: Choice, realtime_model: str | None) -> Choice:
    """The choice of an agent, as the mode has it. ``realtime_model`` is the operator's, if there is one.

    An agent keeps a language model of its own server in every mode.
    """
    mind = choice.mind
    if mode == "traditional" and mind.realtime:
        return replace(choice, mind=replace(mind, model=""))  # the provider's usual one
    if mode == "end-to-end" and realtime_model and not mind.realtime and mind.provider != "user":
        provider = "google" if realtime_model.startswith("gemini") else "openai"
        key = mind.key if mind.provider == provider else ""
        return replace(choice, mind=MindChoice(provider, realtime_model, "", key))
    return choice
