"""Speech with known phone times, from the espeak-ng library that the ``espeakng-loader`` wheel carries."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import espeakng_loader
import numpy as np
from scipy.signal import resample_poly

from mouthpiece.lipsync.phones import TimedPhone, back_date_stops, phones_between
from mouthpiece.media import SAMPLE_RATE, Pcm

_SYNCHRONOUS, _PHONEME_EVENTS_IN_IPA, _PHONEME, _UTF8 = 2, 3, 7, 1
_RATE, _PITCH = 1, 3


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Speech:
    """Spoken words with the times of their phones."""

    pcm: Pcm
    phones: list[TimedPhone]


class _Espeak:
    def __init__(self) -> None:
        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate = self.library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS_IN_IPA)
        self.sound: list[Pcm] = []
        self.events: list[tuple[int, str]] = []
        self.callback = _CALLBACK(self._collect)
        self.library.espeak_SetSynthCallback(self.callback)

    def _collect(self, wav: Any, count: int, events: Any) -> int:  # noqa: ANN401  ctypes pointers
        if wav and count > 0:
            self.sound.append(np.ctypeslib.as_array(wav, (count,)).copy())
        n = 0
        while events[n].type:
            if events[n].type == _PHONEME:
                self.events.append((events[n].sample, events[n].id.string.decode("utf8", "ignore")))
            n += 1
        return 0


@cache
def _espeak() -> _Espeak:
    return _Espeak()


@cache
def say(text: str, voice: str = "en-us", rate: int = 165, pitch: int = 50) -> Speech:
    """Speak; ``rate`` in words a minute, ``pitch`` 0..100."""
    engine = _espeak()
    engine.sound, engine.events = [], []
    assert engine.library.espeak_SetVoiceByName(voice.encode()) == 0, voice
    engine.library.espeak_SetParameter(_RATE, rate, 0)
    engine.library.espeak_SetParameter(_PITCH, pitch, 0)
    words = text.encode()
    engine.library.espeak_Synth(words, ctypes.c_size_t(len(words) + 1), 0, 1, 0, _UTF8, None, None)
    engine.library.espeak_Synchronize()
    sound = resample_poly(np.concatenate(engine.sound).astype(np.float64), SAMPLE_RATE, engine.rate)
    pcm = np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
    times = [(sample * SAMPLE_RATE // engine.rate, ipa) for sample, ipa in engine.events if ipa[:1] != "("]
    return Speech(pcm, back_date_stops(phones_between(times, len(pcm)), pcm))
