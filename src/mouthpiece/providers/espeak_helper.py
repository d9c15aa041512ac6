"""The espeak-ng helper process: text in on stdin, sound and phonemes out on stdout.

espeak-ng is under the GPL and keeps its state in globals, so it lives in a process of its own and is reached only
through this small protocol; another program that speaks it can take its place (``VoiceSettings.command``).

Requests are JSON, one a line::

    {"id": 1, "text": "hello", "voice": "en-us", "rate": 165, "pitch": 50}    speak
    {"id": 2, "list": true}                                                   name the voices
    {"cancel": 1}                                                             stop speaking 1

Answers are JSON, one a line; one with ``bytes`` is followed by that many bytes of mono PCM16LE::

    {"id": 1, "bytes": 2204, "hz": 22050, "phones": [[264, "h"], ...], "words": [[0, 1, 5], ...]}
    {"id": 1, "end": true}
    {"id": 2, "voices": [{"id": "en-us", "name": "English (America)", ...}, ...], "end": true}
    {"id": 1, "error": "no voice xx", "end": true}

Phones are [sample, IPA], words are [sample, first character (from 1), length]; samples count from the start of the
utterance at ``hz``. Nothing here imports more than the standard library, so that a start costs little.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RETRIEVAL_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: the callback gets the sound, nothing is played
PHONEME_EVENTS_IPA = 3
CHARS_UTF8 = 1
EVENT_END, EVENT_WORD, EVENT_PHONEME = 0, 1, 7
RATE, PITCH = 1, 3  # espeak_PARAMETER
POSITION_CHARACTER = 1
GO_ON, ABORT = 0, 1
CHUNK_MS = 100  # length of the buffers handed to the callback
MEMORY = 1 << 30  # bytes of address space: the library with every dictionary needs a tenth


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

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


class _Voice(ctypes.Structure):
    """``espeak_VOICE`` of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Wire:
    """Requests from one descriptor, answers to another."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._rest = b""
        self._lines: deque[dict[str, Any]] = deque()
        self._cancelled: set[int] = set()

    def answer(self, header: dict[str, Any], payload: bytes = b"") -> None:
        data = json.dumps(header, ensure_ascii=False).encode() + b"\n" + payload
        while data:
            data = data[os.write(self._sink, data) :]

    def cancelled(self, request: int) -> bool:
        """Whether this request was called off meanwhile. Never waits."""
        while select.select([self._source], [], [], 0)[0]:
            self._read()
        return request in self._cancelled

    def requests(self) -> Iterator[dict[str, Any]]:
        """What is asked for, until the other side goes."""
        while True:
            while not self._lines:
                self._read()
            request = self._lines.popleft()
            if request["id"] not in self._cancelled:
                yield request
            self._cancelled.discard(request["id"])

    def _read(self) -> None:
        data = os.read(self._source, 65_536)
        if not data:
            os._exit(0)  # nobody is there any more; also from inside the library's callback
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in map(json.loads, lines):
            if "cancel" in line:
                self._cancelled.add(line["cancel"])
            else:
                self._lines.append(line)


class _Espeak:
    """The library, opened."""

    def __init__(self, library: str, data: str) -> None:
        self._lib = ctypes.CDLL(library)
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self.hz: int = self._lib.espeak_Initialize(
            RETRIEVAL_SYNCHRONOUS, CHUNK_MS, os.fsencode(data), PHONEME_EVENTS_IPA
        )
        if self.hz <= 0:
            raise OSError(f"espeak-ng did not start with data in {data}")
        self.voices = list(self._listed())
        self._variants = {p.name for p in (Path(data) / "voices" / "!v").glob("*")}
        self._current: tuple[object, ...] = ()

    def _listed(self) -> Iterator[dict[str, str]]:
        table, seen, i = self._lib.espeak_ListVoices(None), set(), 0
        while table[i]:
            voice = table[i].contents
            language = voice.languages[1:].decode()  # byte 0 is a priority
            if language not in seen:
                seen.add(language)
                yield {"id": language, "name": voice.name.decode().strip(), "language": language}
            i += 1

    def choose(self, voice: str, rate: int, pitch: int) -> str | None:
        """Set voice, rate (words a minute) and pitch (0..99); returns what is wrong."""
        if self._current == (voice, rate, pitch):
            return None
        base, plus, variant = voice.partition("+")
        if not any(v["id"] == base for v in self.voices) or (plus and variant not in self._variants):
            return f"no voice {voice}"
        if self._lib.espeak_SetVoiceByName(voice.encode()):
            return f"voice {voice} does not load"
        self._lib.espeak_SetParameter(RATE, rate, 0)
        self._lib.espeak_SetParameter(PITCH, pitch, 0)
        self._current = (voice, rate, pitch)
        return None

    def speak(self, wire: _Wire, request: int, text: str) -> None:
        """Speak, answering chunk by chunk; stops within a chunk when cancelled."""

        def chunk(wave: Any, count: int, events: Any) -> int:  # noqa: ANN401 -- ctypes pointers
            if wave and count:
                header = {"id": request, "bytes": 2 * count, "hz": self.hz, **_timing(events)}
                wire.answer(header, ctypes.string_at(wave, 2 * count))
            return ABORT if wire.cancelled(request) else GO_ON

        callback = _Callback(chunk)
        self._lib.espeak_SetSynthCallback(callback)
        data = text.encode()
        self._lib.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None)
        self._lib.espeak_Synchronize()


def _timing(events: Any) -> dict[str, list[list[object]]]:  # noqa: ANN401 -- a ctypes pointer
    phones: list[list[object]] = []
    words: list[list[object]] = []
    i = 0
    while events[i].type != EVENT_END:
        event = events[i]
        if event.type == EVENT_PHONEME:
            phones.append([event.sample, event.id.string.decode("utf-8", "ignore")])
        elif event.type == EVENT_WORD:
            words.append([event.sample, event.text_position, event.length])
        i += 1
    return {"phones": phones, "words": words}


def _serve(espeak: _Espeak, wire: _Wire) -> None:
    for request in wire.requests():
        name = request["id"]
        if "list" in request:
            wire.answer({"id": name, "voices": espeak.voices, "end": True})
        elif wrong := espeak.choose(request["voice"], request["rate"], request["pitch"]):
            wire.answer({"id": name, "error": wrong, "end": True})
        else:
            espeak.speak(wire, name, request["text"])
            wire.answer({"id": name, "end": True})


def main() -> None:
    """Serve stdin until it closes. Optional arguments: another library and its data folder."""
    import espeakng_loader

    sink = os.dup(1)
    os.dup2(2, 1)  # whatever the library prints must not land among the answers
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = sys.argv[1:]
    library = given[0] if given else espeakng_loader.get_library_path()
    data = given[1] if len(given) > 1 else espeakng_loader.get_data_path()
    wire = _Wire(0, sink)
    try:
        espeak = _Espeak(library, data)
    except OSError as error:
        wire.answer({"fatal": str(error)})
        sys.exit(1)
    _serve(espeak, wire)


if __name__ == "__main__":
    main()
