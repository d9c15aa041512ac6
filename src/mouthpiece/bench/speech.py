"""Speech for the benches, made by the embedded voice: no file, no network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import numpy as np

from mouthpiece.media import Pcm
from mouthpiece.providers.espeak import EspeakVoice, Speech

TEXT: Final = (
    "My mother bought a big blue boat to move more people over the bay before the morning market opened. "
    "We follow five very fine foxes through the forest, and they show us where the wild roses grow. "
    "Who would have thought that a small machine could speak so plainly, and look at you while it does?"
)


def speech(text: str = TEXT) -> Pcm:
    """About twenty seconds of speech, 16 kHz mono."""
    return spoken(text).pcm


def spoken(text: str = TEXT) -> Speech:
    """The same with its phones."""

    async def speak() -> Speech:
        voice = EspeakVoice()
        try:
            return await voice.speak(text)
        finally:
            await voice.close()

    return asyncio.run(speak())


def speech_file(folder: Path) -> Path:
    """The same as a file of raw PCM, which viewers play over and over."""
    path = folder / "speech.pcm"
    path.write_bytes(np.ascontiguousarray(speech()).tobytes())
    return path
