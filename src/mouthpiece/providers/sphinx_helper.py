"""The embedded ears' own process: PocketSphinx holds the interpreter lock while it listens, so it listens elsewhere.

Run with ``python -m``. In: one byte what (``S``tart, ``A``udio, ``E``nd), four bytes how long (little endian), then so
many bytes of PCM16LE at 16 kHz. Out: a line of JSON for each start (``{"ready": true}``), for words that have changed
(``{"words": ...}``), and at the end ``{"words": ..., "confidence": 0..1, "final": true}``.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from pocketsphinx import Decoder, Vad

HEADER: Final = struct.Struct("<cI")
TELL_EVERY: Final = 9_600
"""Bytes between two looks at the words so far: 300 ms."""

NICENESS: Final = 5

_SPEED: Final = {"fwdflat": False, "ds": 2, "maxhmmpf": 3000, "maxwpf": 10}
"""A third of the usual work, and the words are there when the speech ends (else 150 ms later); few of them differ."""


def open_vad() -> Vad:
    """A detector of speech in pieces of 30 ms. Raises ImportError without the extra."""
    from pocketsphinx import Vad

    return Vad(Vad.STRICT, 16_000, 0.03)


def _decoder() -> Decoder:
    from pocketsphinx import Decoder

    return Decoder(samprate=16_000.0, loglevel="FATAL", **_SPEED)


class Listener:
    """Follows one utterance at a time."""

    def __init__(self, decoder: Decoder, out: BinaryIO) -> None:
        self._decoder = decoder
        self._out = out
        self._listening = False
        self._since = 0
        self._words = ""

    def handle(self, what: bytes, data: bytes) -> None:
        """Do what a message asks."""
        if what == b"S":
            self._finish()
            self._decoder.start_utt()
            self._listening, self._since, self._words = True, 0, ""
            self._tell(ready=True)
        elif what == b"A" and self._listening:
            self._decoder.process_raw(data, False, False)
            self._since += len(data)
            if self._since >= TELL_EVERY:
                self._since = 0
                self._look()
        elif what == b"E" and self._listening:
            self._finish()
            found = self._decoder.hyp()
            words = found.hypstr if found else ""
            self._tell(words=words, confidence=_confidence(found.prob) if found else 0.0, final=True)

    def _look(self) -> None:
        found = self._decoder.hyp()
        if found and found.hypstr != self._words:
            self._words = found.hypstr
            self._tell(words=self._words)

    def _finish(self) -> None:
        if self._listening:
            self._decoder.end_utt()
            self._listening = False

    def _tell(self, **facts: object) -> None:
        self._out.write(json.dumps(facts).encode() + b"\n")
        self._out.flush()


def _confidence(log_probability: float) -> float:
    return min(1.0, max(0.0, math.exp(min(0.0, log_probability / 1000))))


def main() -> None:
    """Listen until standard input ends."""
    os.nice(NICENESS)
    listener = Listener(_decoder(), sys.stdout.buffer)
    stdin = sys.stdin.buffer
    while len(header := stdin.read(HEADER.size)) == HEADER.size:
        what, size = HEADER.unpack(header)
        listener.handle(what, stdin.read(size))


if __name__ == "__main__":
    main()
