"""The embedded ears: PocketSphinx in helper processes, one for each voice that is being heard at the same time.

Demo grade: American English only, and about every third word is wrong. They need no key, no network and no download.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mouthpiece.errors import Unavailable
from mouthpiece.providers.sphinx_helper import HEADER, open_vad

if TYPE_CHECKING:
    from pocketsphinx import Vad

FRAME: Final = 960
"""Bytes of 30 ms: what the speech detector looks at."""

START_WITHIN, START_VOICED = 8, 5
"""Speech begins when so many of the last frames are voiced."""

END_QUIET: Final = 7
"""Frames without voice that end an utterance: 210 ms, a little less than the turn detector waits."""

BEFORE: Final = 12
"""Frames before the beginning that are heard too: the detector is late by some."""

ANSWER_S: Final = 10.0
READY_S: Final = 20.0

Mark = Literal["begin", "end"]


class Gate:
    """Cuts sound into utterances. ``push`` gives pieces of speech, with marks where one begins and ends."""

    def __init__(self, vad: Vad | None = None) -> None:
        self._vad = vad or open_vad()
        self._rest = b""
        self._before: deque[bytes] = deque(maxlen=BEFORE)
        self._voiced: deque[bool] = deque(maxlen=START_WITHIN)
        self._quiet = 0
        self.open = False

    def push(self, data: bytes) -> list[bytes | Mark]:
        """More sound, PCM16LE at 16 kHz."""
        self._rest += data
        out: list[bytes | Mark] = []
        while len(self._rest) >= FRAME:
            frame, self._rest = self._rest[:FRAME], self._rest[FRAME:]
            out += self._frame(frame, bool(self._vad.is_speech(frame)))
        return out

    def _frame(self, frame: bytes, voiced: bool) -> list[bytes | Mark]:
        if not self.open:
            self._before.append(frame)
            self._voiced.append(voiced)
            if sum(self._voiced) < START_VOICED:
                return []
            self.open, self._quiet = True, 0
            return ["begin", b"".join(self._before)]
        self._quiet = 0 if voiced else self._quiet + 1
        return [frame, *self.close()] if self._quiet >= END_QUIET else [frame]

    def close(self) -> list[bytes | Mark]:
        """End the utterance now, if one is open."""
        if not self.open:
            return []
        self.open = False
        self._before.clear()
        self._voiced.clear()
        return ["end"]


@dataclass(frozen=True, slots=True)
class Heard:
    """Words of an utterance so far, or for good. ``confidence`` 0..1."""

    words: str
    final: bool = False
    confidence: float = 0.0


class SphinxEars:
    """A pool of at most ``limit`` helpers; each hears one utterance at a time. Belongs to one event loop."""

    def __init__(self, limit: int = 2, command: Sequence[str] = ()) -> None:
        self._command = command or (sys.executable, "-m", "mouthpiece.providers.sphinx_helper")
        self._free: list[_Helper] = []
        self._all: set[_Helper] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(limit)

    async def take(self) -> _Helper:
        """A helper of one's own for an utterance; waits while all are busy. Raises Unavailable."""
        await self._turns.acquire()
        try:
            while self._free:
                helper = self._free.pop()
                if not helper.dead:
                    return helper
                self._retire(helper)
            helper = await _Helper.start(self._command)
        except BaseException:
            self._turns.release()
            raise
        self._all.add(helper)
        return helper

    def give_back(self, helper: _Helper) -> None:
        """The utterance is over."""
        if helper.dead or helper.busy:
            self._retire(helper)
        else:
            self._free.append(helper)
        self._turns.release()

    def _retire(self, helper: _Helper) -> None:
        self._all.discard(helper)
        leaving = asyncio.create_task(helper.close(), name="ears-leaving")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def warm(self) -> None:
        """Have one helper ready. Raises Unavailable."""
        self.give_back(await self.take())

    async def close(self) -> None:
        """End the helpers. Idempotent."""
        helpers, self._all = self._all, set()
        self._free.clear()
        await asyncio.gather(*self._leaving, *(helper.close() for helper in helpers))


class _Helper:
    """One helper process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.busy = False

    @classmethod
    async def start(cls, command: Sequence[str]) -> _Helper:
        pipe, quiet = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=quiet))
        except OSError as error:
            raise Unavailable(reason=f"the ears' helper does not start ({error.strerror})") from error

    @property
    def dead(self) -> bool:
        """Whether its process has ended."""
        return self._process.returncode is not None

    async def begin(self) -> None:
        """A new utterance. Raises Unavailable."""
        self.busy = True
        self.send(b"S")
        await self._answer(READY_S)

    def send(self, what: bytes, data: bytes = b"") -> None:
        """A message; what it is sent while it is dead is lost."""
        if self._process.stdin and not self.dead:
            self._process.stdin.write(HEADER.pack(what, len(data)) + data)

    async def next(self) -> Heard:
        """The next words. Raises Unavailable."""
        facts = await self._answer(ANSWER_S)
        heard = Heard(str(facts.get("words", "")), bool(facts.get("final")), float(facts.get("confidence") or 0.0))  # type: ignore[arg-type]
        self.busy = not heard.final
        return heard

    async def _answer(self, patience_s: float) -> dict[str, object]:
        assert self._process.stdout is not None, "asked for at its start"
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), patience_s)
            facts = json.loads(line)
        except (TimeoutError, ValueError) as error:
            self.kill()
            raise Unavailable(reason="the ears stopped: their helper does not answer") from error
        if not isinstance(facts, dict):
            self.kill()
            raise Unavailable(reason="the ears stopped: their helper talks nonsense")
        return facts

    def kill(self) -> None:
        """End it."""
        if not self.dead:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """End it, and wait for its end."""
        self.kill()
        if self._process.stdin:
            self._process.stdin.close()
        await self._process.wait()
