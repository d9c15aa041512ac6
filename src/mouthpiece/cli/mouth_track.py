"""What ``mouthpiece lipsync`` does, apart from its flags: these imports must wait until the environment is prepared."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import Callable, Iterator
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
from mouthpiece.lipsync.visemes import VISEMES, Track
from mouthpiece.lipsync.whole import hear_all
from mouthpiece.media import SAMPLE_RATE, Pcm

_PIECE = 1000
"""Frames written at a time."""


class Form(StrEnum):
    """What is written."""

    JSON = "json"
    TSV = "tsv"
    RHUBARB = "rhubarb"


def mouth_track(audio: Path, form: Form, text: str, voice: str, *, live: bool) -> Iterator[str]:
    """The mouth movements of a sound file, written out, in pieces. Raises InvalidAudio, TooLarge, InvalidVoice."""
    pcm, words = asyncio.run(_read(audio, text, voice))
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("Lip sync", total=1.0)

        def progress(done: float) -> None:
            shown.update(task, completed=done)

        track = _heard_live(pcm, words, progress) if live else hear_all(pcm, words, progress)
    return _written(form, audio, pcm, track)


async def _read(audio: Path, text: str, voice: str) -> tuple[Pcm, list[Word]]:
    pcm = _plain(audio)
    if pcm is None:
        pcm = await _decoded(audio)
    return pcm, await _words(text, voice) if text.strip() else []


def _plain(audio: Path) -> Pcm | None:
    """The sound of a WAV file that is as we need it, which spares the start of the decoder's process; else None."""
    try:
        with wave.open(str(audio)) as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SAMPLE_RATE, 1, 2):
                return None
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError):
        return None
    pcm = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
    return pcm if len(pcm) else None  # the decoder says what is wrong with it


async def _decoded(audio: Path) -> Pcm:
    data = await asyncio.to_thread(audio.read_bytes)
    kind = sniff(data[:12])
    if kind is None:
        raise InvalidAudio(reason=f"{audio.name} is neither WAV, MP3 nor Ogg: convert it first")
    return await Decoder().decode(data, AudioSource(kind))


async def _words(text: str, voice: str) -> list[Word]:
    from mouthpiece.providers.espeak import EspeakVoice, Manner

    speaker = EspeakVoice()
    try:
        return await speaker.pronounce(text, Manner(voice=voice))
    finally:
        await speaker.close()


def _heard_live(pcm: Pcm, words: list[Word], progress: Callable[[float], None]) -> Track:
    from mouthpiece.lipsync.listen import AudioLipSync, Frame, track_of  # compiled: takes two seconds to load

    sync = AudioLipSync()
    sync.expect(words)
    padded = np.concatenate([pcm, np.zeros(sync.lookahead + POSE_STEP, np.int16)])
    frames: list[Frame] = []
    for at in range(0, len(padded), SAMPLE_RATE):
        frames += sync.follow(padded[at : at + SAMPLE_RATE])
        progress(min(at + SAMPLE_RATE, len(padded)) / len(padded))
    return track_of(frames[: max(1, len(pcm) // POSE_STEP)])


def _written(form: Form, audio: Path, pcm: Pcm, track: Track) -> Iterator[str]:
    if form is Form.JSON:
        yield from _json(track)
        return
    cues = mouth_cues(track)
    if form is Form.TSV:
        lines = [f"{c.start:.2f}\t{c.shape}" for c in cues]
        yield "\n".join([*lines, f"{len(track.visemes) / 100:.2f}\tX"]) + "\n"
        return
    about = {"soundFile": str(audio), "duration": round(len(pcm) / SAMPLE_RATE, 2)}
    told = [{"start": c.start, "end": c.end, "value": c.shape} for c in cues]
    yield json.dumps({"metadata": about, "mouthCues": told}, indent=2) + "\n"


def _json(track: Track) -> Iterator[str]:
    """One object, a thousand frames a piece: an hour of them at once would take gigabytes."""
    yield json.dumps({"visemes": VISEMES, "rate": 100})[:-1] + ', "frames": ['
    for at in range(0, len(track.visemes), _PIECE):
        yield (", " if at else "") + json.dumps(described(track, at, at + _PIECE))[1:-1]
    yield "]}\n"
