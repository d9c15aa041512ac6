"""The embedded voice: text to 16 kHz speech with timed phonemes, by espeak-ng in a helper process.

The helper (``espeak_helper``) is started at the first word, shared by everyone, and started again when it dies or
hangs. One utterance is spoken at a time, some 700 times faster than it plays, so nobody waits long.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mouthpiece.codec.resample import Resampler
from mouthpiece.errors import BadInput, TooLarge, Unavailable
from mouthpiece.lipsync.articulation import Word as SpokenWord
from mouthpiece.lipsync.articulation import words_of
from mouthpiece.lipsync.phones import TimedPhone, exact_phones
from mouthpiece.lipsync.script import Script
from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.settings import VoiceSettings

RATES = range(80, 451)
"""Words a minute that espeak-ng accepts."""

PITCHES = range(100)
LINE_LIMIT = 1 << 20
"""Bytes of one answer line: the list of all voices is 10 kB."""

MAX_WAITING = 64
"""Utterances in hand at once; each is bounded by ``max_chars``."""

GRACE_S = 1.0
"""How long a helper that closed its output may take to end by itself."""

_OWN_HELPER = (sys.executable, "-m", "mouthpiece.providers.espeak_helper")
_CONTROLS = dict.fromkeys([*range(32), 127], " ")
"""Control characters are commands to espeak-ng (0x01) or end the text (0x00): they become spaces."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A phoneme begins at ``sample`` (16 kHz): IPA with stress marks as espeak-ng names it, "" for a pause.

    Of p, t and k the event falls at the burst; the closure is before it.
    """

    sample: int
    ipa: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word begins at ``sample``: ``text[start : start + length]``."""

    sample: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken text, or a piece of it. Samples of phones and words count from the start of the utterance."""

    pcm: Pcm
    phones: tuple[Phone, ...] = ()
    words: tuple[Word, ...] = ()

    @property
    def timed_phones(self) -> list[TimedPhone]:
        """The phones with their ends, of a whole utterance (not of a piece of one)."""
        return exact_phones([(phone.sample, phone.ipa) for phone in self.phones], self.pcm)

    @property
    def script(self) -> Script:
        """What is said, for whoever pushes the sound of a whole utterance into a session."""
        return Script.of_phones(self.timed_phones)


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice: the ``id`` to ask for, a name for people, its language (BCP 47, as espeak-ng writes it)."""

    id: str
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How to speak; None takes the setting. ``rate`` in words a minute (80..450), ``pitch`` 0..99."""

    voice: str | None = None
    rate: int | None = None
    pitch: int | None = None


class _Died(Exception):
    """The helper went away before it had answered."""


class EspeakVoice:
    """The voice. Belongs to one event loop; ``close`` ends the helper."""

    def __init__(self, settings: VoiceSettings | None = None) -> None:
        self._settings = settings or VoiceSettings()
        self._helper: _Helper | None = None
        self._starting = asyncio.Lock()
        self._waiting = 0

    async def speak(self, text: str, manner: Manner | None = None) -> Speech:
        """The whole utterance. Raises BadInput (voice, rate, pitch), TooLarge (text), Unavailable."""
        pieces = [piece async for piece in self.stream(text, manner)]
        return Speech(
            np.concatenate([p.pcm for p in pieces]) if pieces else np.zeros(0, np.int16),
            tuple(phone for p in pieces for phone in p.phones),
            tuple(word for p in pieces for word in p.words),
        )

    async def stream(self, text: str, manner: Manner | None = None) -> AsyncGenerator[Speech, None]:
        """The utterance in pieces of about 100 ms, as they are made; closing the iterator stops the speaking.

        Raises as ``speak``. A helper that dies before the first piece is replaced and asked once more.
        """
        request = self._request(text, manner or Manner())
        if not text.strip():
            return
        for last in (False, True):
            began = False
            try:
                answers = self._ask(request)
                async with contextlib.aclosing(answers), contextlib.aclosing(_pieces(answers)) as pieces:
                    async for piece in pieces:
                        began = True
                        yield piece
                return
            except _Died as died:
                if began or last:
                    raise Unavailable(reason=f"the voice stopped: {died}") from died

    async def pronounce(self, text: str, manner: Manner | None = None) -> list[SpokenWord]:
        """The words of a text that somebody else says, for ``Script(words=...)``: ``manner`` names the language.

        Raises as ``speak``.
        """
        said = await self.speak(text, manner)
        return words_of([(p.sample, p.ipa) for p in said.phones], [w.sample for w in said.words])

    async def voices(self) -> Sequence[VoiceInfo]:
        """Every voice, by language. Raises Unavailable."""
        try:
            return [VoiceInfo(**voice) async for header, _ in self._ask({"list": True}) for voice in header["voices"]]
        except _Died as died:
            raise Unavailable(reason=f"the voice stopped: {died}") from died

    async def close(self) -> None:
        """End the helper. Idempotent; the next word starts another."""
        helper, self._helper = self._helper, None
        if helper:
            await helper.close()

    def _request(self, text: str, manner: Manner) -> dict[str, Any]:
        ours = self._settings
        if len(text) > ours.max_chars:
            raise TooLarge(what="the text", limit=f"{ours.max_chars} characters")
        rate = ours.rate if manner.rate is None else manner.rate
        pitch = ours.pitch if manner.pitch is None else manner.pitch
        if rate not in RATES:
            raise BadInput(reason=f"rate {rate} is not within 80..450 words a minute")
        if pitch not in PITCHES:
            raise BadInput(reason=f"pitch {pitch} is not within 0..99")
        return {"text": text.translate(_CONTROLS), "voice": manner.voice or ours.voice, "rate": rate, "pitch": pitch}

    async def _ask(self, request: dict[str, Any]) -> AsyncGenerator[_Answer, None]:
        if self._waiting >= MAX_WAITING:
            raise Unavailable(reason="too many utterances are waiting for the voice")
        self._waiting += 1
        try:
            helper = await self._running()
            async with contextlib.aclosing(helper.ask(request, self._settings.answer_timeout_s)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self._waiting -= 1

    async def _running(self) -> _Helper:
        async with self._starting:
            if self._helper is None or self._helper.dead:
                await self.close()
                self._helper = await _Helper.start(self._settings.command or _OWN_HELPER)
            return self._helper


_Answer = tuple[dict[str, Any], bytes]


class _Helper:
    """One helper process and who waits for its answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Queue[_Answer | _Died]] = {}
        self._reader = asyncio.create_task(self._read(), name="voice-helper")
        self.dead = False
        self._killed = False

    @classmethod
    async def start(cls, command: Sequence[str]) -> _Helper:
        try:
            pipe = asyncio.subprocess.PIPE
            quiet = asyncio.subprocess.DEVNULL
            return cls(
                await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=quiet, limit=LINE_LIMIT)
            )
        except OSError as error:
            raise Unavailable(reason=f"the voice helper {command[0]} does not start ({error.strerror})") from error

    async def ask(self, request: dict[str, Any], patience_s: float) -> AsyncGenerator[_Answer, None]:
        """Send a request, yield its answers; leaving early calls it off. Raises _Died, BadInput."""
        name = next(self._ids)
        answers = self._asked[name] = asyncio.Queue()
        done = False
        try:
            self._send({**request, "id": name})
            while not done:
                header, payload = await self._next(answers, patience_s)
                done = "end" in header
                if "error" in header:
                    raise BadInput(reason=header["error"])
                yield header, payload
        finally:
            del self._asked[name]
            if not done:
                self._send({"cancel": name})

    async def _next(self, answers: asyncio.Queue[_Answer | _Died], patience_s: float) -> _Answer:
        try:
            answer = await asyncio.wait_for(answers.get(), patience_s)
        except TimeoutError as error:
            self._kill()
            raise _Died(f"no answer within {patience_s:g} s") from error
        if isinstance(answer, _Died):
            raise answer
        return answer

    def _send(self, request: dict[str, Any]) -> None:
        if self._process.stdin and not self.dead:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        died = _Died("its process ended")
        try:
            while line := await stdout.readline():
                header = json.loads(line)
                payload = await stdout.readexactly(header.get("bytes", 0))
                if "fatal" in header:
                    died = _Died(header["fatal"])
                elif waiter := self._asked.get(header["id"]):
                    waiter.put_nowait((header, payload))
        except (ValueError, LookupError, TypeError, AttributeError, OSError, asyncio.IncompleteReadError) as error:
            died = _Died(f"its answer cannot be read ({error})")
        await self._end()
        for waiter in self._asked.values():
            waiter.put_nowait(died)

    async def _end(self) -> None:
        """Wait for the process, which has closed its output or talks nonsense; kill it if it stays."""
        self.dead = True
        try:
            await asyncio.wait_for(self._process.wait(), GRACE_S)
        except TimeoutError:
            self._kill()
            await self._process.wait()

    def _kill(self) -> None:
        self.dead = True
        if not self._killed and self._process.returncode is None:
            self._killed = True  # once: a second kill would reap the process under asyncio's feet
            self._process.kill()

    async def close(self) -> None:
        """Kill the process and wait for its end."""
        self._kill()
        await self._reader
        if self._process.stdin:
            self._process.stdin.close()


async def _pieces(answers: AsyncIterator[_Answer]) -> AsyncGenerator[Speech, None]:
    """The helper's answers at 16 kHz."""
    resampler: Resampler | None = None
    async for header, payload in answers:
        if resampler is None and "hz" in header:
            resampler = Resampler(header["hz"])
        if payload and resampler:
            yield replace(_timing(header), pcm=resampler.push(np.frombuffer(payload, np.int16)))
    if resampler and len(rest := resampler.flush()):
        yield Speech(rest)


def _timing(header: dict[str, Any]) -> Speech:
    hz = header["hz"]
    return Speech(
        np.zeros(0, np.int16),
        tuple(Phone(sample * SAMPLE_RATE // hz, ipa) for sample, ipa in header["phones"]),
        tuple(Word(sample * SAMPLE_RATE // hz, start - 1, length) for sample, start, length in header["words"]),
    )
