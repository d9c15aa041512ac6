"""espeak-ng through its library, phones from its own events (struct layout: espeak-ng ``speak_lib.h``)."""

from __future__ import annotations

import ctypes as c
import os
import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from training.lipsync.speech import RATE, Segment, Utterance, to_16k, utterance

WORD_EVENT, PHONEME_EVENT = 1, 7
PHONEME_EVENTS_AS_IPA = 3
RETRIEVAL = 2
IPA = 2
RATE_PARAMETER, PITCH, PITCH_RANGE = 1, 3, 4
UNHUMAN = {"Demonic", "whisper", "whisperf", "croak", "kaukovalta", "UniRobot", "anikaRobot", "Mr serious", "Tweaky"}
VOICELESS_STOPS = tuple("ptkcqʈ")
LONGEST_CLOSURE = 0.15


class _Id(c.Union):
    _fields_: ClassVar = [("number", c.c_int), ("name", c.c_char_p), ("string", c.c_char * 8)]


class _Event(c.Structure):
    _fields_: ClassVar = [
        ("type", c.c_int),
        ("unique_identifier", c.c_uint),
        ("text_position", c.c_int),
        ("length", c.c_int),
        ("audio_position", c.c_int),
        ("sample", c.c_int),
        ("user_data", c.c_void_p),
        ("id", _Id),
    ]


_CALLBACK = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_short), c.c_int, c.POINTER(_Event))


@dataclass
class _Heard:
    sound: list[NDArray[np.int16]] = field(default_factory=list)
    phones: list[tuple[int, str]] = field(default_factory=list)
    words: list[int] = field(default_factory=list)


class Espeak:
    """The synthesiser; one a process."""

    def __init__(self) -> None:
        self._lib = c.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate = self._lib.espeak_Initialize(RETRIEVAL, 0, data, PHONEME_EVENTS_AS_IPA)
        self._heard = _Heard()
        self._callback = _CALLBACK(self._hear)
        self._lib.espeak_SetSynthCallback(self._callback)

    def _hear(self, wav: c._Pointer[c.c_short], n: int, events: c._Pointer[_Event]) -> int:
        if wav and n > 0:
            self._heard.sound.append(np.ctypeslib.as_array(wav, (n,)).copy())
        i = 0
        while events[i].type != 0:
            if events[i].type == PHONEME_EVENT:
                self._heard.phones.append((events[i].sample, events[i].id.string.decode("utf-8", "ignore")))
            elif events[i].type == WORD_EVENT:
                self._heard.words.append(events[i].sample)
            i += 1
        return 0

    def choose(self, voice: str) -> bool:
        """Take a voice such as ``en-us+f2``; False where there is none."""
        return bool(self._lib.espeak_SetVoiceByName(voice.encode()) == 0)

    def tune(self, speed: float, pitch: float, pitch_range: float) -> None:
        """Words a minute, and pitch and its range, 0 to 100."""
        for parameter, value in ((RATE_PARAMETER, speed), (PITCH, pitch), (PITCH_RANGE, pitch_range)):
            self._lib.espeak_SetParameter(parameter, int(value), 0)

    def say(self, text: str) -> tuple[NDArray[np.int16], list[Segment]]:
        """The sound at 16 kHz, and its segments."""
        self._heard = _Heard()
        data = text.encode()
        self._lib.espeak_Synth(data, c.c_size_t(len(data) + 1), 0, 1, 0, 1, None, None)
        self._lib.espeak_Synchronize()
        sound = np.concatenate(self._heard.sound) if self._heard.sound else np.zeros(0, np.int16)
        pcm = to_16k(sound, self.rate)
        return pcm, _segments([(s / self.rate, p) for s, p in self._heard.phones], pcm)

    def phonemise(self, text: str) -> list[str]:
        """The text in IPA, clause by clause."""
        self._lib.espeak_TextToPhonemes.restype = c.c_char_p
        rest = c.c_char_p(text.encode())
        clauses = []
        while rest.value:
            clauses.append((self._lib.espeak_TextToPhonemes(c.byref(rest), 1, IPA) or b"").decode("utf-8", "ignore"))
        return clauses

    def pronounce(self, text: str) -> tuple[list[tuple[int, str]], list[int]]:
        """The phones of a text, (sample, IPA), and the samples at which words start."""
        self.say(text)
        return self._heard.phones, self._heard.words


def _segments(events: list[tuple[float, str]], pcm: NDArray[np.int16]) -> list[Segment]:
    spoken = [(t, p) for t, p in events if not p.startswith("(")]
    ends = [t for t, _ in spoken[1:]] + [len(pcm) / RATE]
    found = [Segment(t, e, p) for (t, p), e in zip(spoken, ends, strict=True) if e > t]
    _back_date(found, pcm)
    return found


def _back_date(segments: list[Segment], pcm: NDArray[np.int16]) -> None:
    """A voiceless stop is announced at its burst: give it the silence before, which is its closure."""
    frames = pcm[: len(pcm) // 160 * 160].astype(np.float32).reshape(-1, 160) / 32768
    level = np.sqrt((frames**2).mean(1))
    quiet = max(float(level.max(initial=0)) * 1e-3, 1e-4)
    for before, stop in pairwise(segments):
        if stop.ipa.lstrip("ˈˌ").startswith(VOICELESS_STOPS):
            burst = int(stop.start * 100)
            first = burst
            floor = max(before.start + 0.015, stop.start - LONGEST_CLOSURE)
            while first > 0 and (first - 1) / 100 > floor and level[min(first - 1, len(level) - 1)] < quiet:
                first -= 1
            if first < burst:
                before.end = stop.start = first / 100


def variants() -> list[str]:
    """The human-like voice variants, sorted."""
    return sorted(set(os.listdir(espeakng_loader.get_data_path() + "/voices/!v")) - UNHUMAN)


def speak(engine: Espeak, voice: tuple[str, str], text: str, rng: random.Random) -> Utterance | None:
    """Say ``text`` with ``voice`` (espeak's language and variant) at a random rate and pitch; None if it cannot."""
    language, variant = voice
    if not engine.choose(f"{language}+{variant}" if variant else language) and not engine.choose(language):
        return None
    engine.tune(rng.uniform(120, 235), rng.uniform(15, 85), rng.uniform(20, 90))
    pcm, segments = engine.say(text)
    if len(pcm) < 1.5 * RATE:
        return None
    return utterance(f"espeak:{language}+{variant}", language, text, pcm, segments)
