"""What a fake microphone plays: spoken lines and pauses, as a file that Chromium takes."""

from __future__ import annotations

import asyncio
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.providers.espeak import EspeakVoice, Manner

VISITOR = Manner("en-us+m3", rate=150)
"""Somebody else than the avatar."""


def said(text: str, manner: Manner | None = VISITOR) -> Pcm:
    """A line in an embedded voice. A browser may have the event loop of this thread, so another one speaks."""

    async def speak() -> Pcm:
        voice = EspeakVoice()
        try:
            return (await voice.speak(text, manner)).pcm
        finally:
            await voice.close()

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(lambda: asyncio.run(speak())).result()


def quiet(seconds: float) -> Pcm:
    """A pause."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def recorded(path: Path, *parts: Pcm) -> Path:
    """The parts, one after the other, as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(np.concatenate(parts).tobytes())
    return path
