"""A conversation on a real session engine, in real time, without a peer: a person speaks, an avatar answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from mouthpiece.agent.base import Caption, ConversationEvent, Line, Said, StateChanged, Talk, Turn
from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync.script import Script
from mouthpiece.live.ticker import Ticker
from mouthpiece.media import SILENCE_BELOW, TICK, Look, Pcm
from mouthpiece.session.engine import Engine, EngineConfig
from mouthpiece.session.events import Frame, Sound

PATIENCE_S = 30.0
QUIET = np.zeros(TICK, np.int16)


class Room:
    """Ticks the engine, plays the person's voice into the conversation, keeps what the avatar said and showed."""

    def __init__(self) -> None:
        self.engine = Engine(EngineConfig(Look("mia")), open_lipsync())
        self.talk: Talk | None = None
        self.events: list[tuple[float, ConversationEvent]] = []
        self.heard: list[Pcm] = []
        self.open: list[float] = []
        self.scripts: list[Script] = []
        self.skipped_at: list[int] = []
        self._voice: list[Pcm] = []
        self._spoken = asyncio.Event()
        self._news = asyncio.Event()
        self._ticker = Ticker(self._tick)
        self._openness = 0.0

    # --- agent.base.Mouth -------------------------------------------------------------------------------------------
    @property
    def queued(self) -> int:
        return self.engine.queued

    def push_audio(self, data: bytes, script: Script | None = None) -> None:
        self.scripts += [script] if script is not None else []
        self.engine.push(data, script)

    def skip(self) -> None:
        self.skipped_at.append(len(self.heard))
        self.engine.skip()

    # --- what a test does -------------------------------------------------------------------------------------------
    def tell(self, event: ConversationEvent) -> None:
        self.events.append((asyncio.get_running_loop().time(), event))
        self._news.set()

    def say(self, pcm: Pcm) -> None:
        """The person speaks, then is quiet."""
        self._voice += [np.pad(pcm[i : i + TICK], (0, max(0, TICK - len(pcm[i:])))) for i in range(0, len(pcm), TICK)]
        self._spoken.clear()

    async def spoken(self) -> None:
        """The person has said all of it."""
        async with asyncio.timeout(PATIENCE_S):
            await self._spoken.wait()

    async def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait for something that an event or a tick brings. Raises TimeoutError, which says what came instead."""
        try:
            async with asyncio.timeout(patience_s):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            told = [f"{at:.2f} {event}" for at, event in self.events if not isinstance(event, Caption) or event.final]
            raise TimeoutError("it did not come, but:\n" + "\n".join(told[-20:])) from error

    async def until_said(self, lines: int) -> None:
        """Wait for so many lines of the transcript."""
        await self.until(lambda: len(self.lines) >= lines)

    async def until_spoke(self, times: int) -> None:
        """Wait until the avatar has begun to speak so many times."""
        await self.until(lambda: self.states("assistant").count("speaking") >= times)

    def of(self, kind: type[ConversationEvent] | tuple[type[ConversationEvent], ...]) -> list[ConversationEvent]:
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def lines(self) -> list[Line]:
        return [event.line for _, event in self.events if isinstance(event, Said)]

    @property
    def turns(self) -> list[Turn]:
        return [event for _, event in self.events if isinstance(event, Turn)]

    def captions(self, role: str) -> list[str]:
        return [e.text for _, e in self.events if isinstance(e, Caption) and e.role == role]

    def states(self, who: str) -> list[str]:
        return [e.what for _, e in self.events if isinstance(e, StateChanged) and e.who == who]

    @property
    def audible(self) -> list[bool]:
        """For each tick that was played, whether it could be heard."""
        return [bool((np.abs(pcm.astype(int)) >= SILENCE_BELOW).any()) for pcm in self.heard]

    # ----------------------------------------------------------------------------------------------------------------
    async def start(self) -> None:
        self._ticker.start()

    async def close(self) -> None:
        if self.talk is not None:
            await self.talk.close()
        self._ticker.stop()

    def _tick(self, k: int, due: float) -> None:
        for event in [*self.engine.play(self.engine.now + TICK), *self.engine.show()]:
            if isinstance(event, Sound):
                self.heard.append(event.pcm.copy())
            elif isinstance(event, Frame):
                self._openness = event.pose.jaw_open
        self.open.append(self._openness)
        if self.talk is not None:
            self.talk.hear(self._voice.pop(0) if self._voice else QUIET)
            self.talk.played(self._openness)
        if not self._voice:
            self._spoken.set()
        self._news.set()
