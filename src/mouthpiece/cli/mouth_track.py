"""What ``mouthpiece lipsync`` does, apart from its flags: these imports must wait until the environment is prepared."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from mouthpiece.codec.decode import AudioSource, Decoder, sniff
from mouthpiece.errors import InvalidAudio
from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.base import POSE_STEP
from mouthpiece.lipsync.cues import described, mouth_cues
from mouthpiece.lipsync.listen import AudioLipSync, Frame
from mouthpiece.lipsync.visemes import VISEMES
from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.providers.espeak import EspeakVoice, Manner


class Form(StrEnum):
    """What is written."""

    JSON = "json"
    TSV = "tsv"
    RHUBARB = "rhubarb"


def mouth_track(audio: Path, form: Form, text: str, voice: str, *, live: bool) -> str:
    """The mouth movements of a sound file, written out. Raises InvalidAudio, TooLarge, InvalidVoice."""
    pcm, words = asyncio.run(_read(audio, text, voice))
    return _written(form, audio, pcm, _frames(pcm, words, live=live))


async def _read(audio: Path, text: str, voice: str) -> tuple[Pcm, list[Word]]:
    data = await asyncio.to_thread(audio.read_bytes)
    kind = sniff(data[:12])
    if kind is None:
        raise InvalidAudio(reason=f"{audio.name} is neither WAV, MP3 nor Ogg: convert it first")
    pcm = await Decoder().decode(data, AudioSource(kind))
    return pcm, await _words(text, voice) if text.strip() else []


async def _words(text: str, voice: str) -> list[Word]:
    speaker = EspeakVoice()
    try:
        return await speaker.pronounce(text, Manner(voice=voice))
    finally:
        await speaker.close()


def _frames(pcm: Pcm, words: list[Word], *, live: bool) -> list[Frame]:
    sync = AudioLipSync(patient=not live)
    sync.expect(words)
    padded = np.concatenate([pcm, np.zeros(sync.lookahead + POSE_STEP, np.int16)])
    frames: list[Frame] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for at in progress.track(range(0, len(padded), SAMPLE_RATE), description="Lip sync"):
            frames += sync.follow(padded[at : at + SAMPLE_RATE])
    return frames[: max(1, len(pcm) // POSE_STEP)]


def _written(form: Form, audio: Path, pcm: Pcm, frames: list[Frame]) -> str:
    if form is Form.JSON:
        return json.dumps({"visemes": VISEMES, "rate": 100, "frames": described(frames)}) + "\n"
    cues = mouth_cues(frames)
    if form is Form.TSV:
        lines = [f"{c.start:.2f}\t{c.shape}" for c in cues]
        return "\n".join([*lines, f"{len(frames) / 100:.2f}\tX"]) + "\n"
    about = {"soundFile": str(audio), "duration": round(len(pcm) / SAMPLE_RATE, 2)}
    told = [{"start": c.start, "end": c.end, "value": c.shape} for c in cues]
    return json.dumps({"metadata": about, "mouthCues": told}, indent=2) + "\n"
