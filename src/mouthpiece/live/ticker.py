"""The one clock of a worker: a tick every 20 ms, for all sessions at once.

Wake-ups cost more than the packets that they send, so a worker wakes once a tick for all its sessions. Ticks lie on a
fixed grid; a tick that comes late does not move the ones after it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

TICK_S: Final = 0.020
STALL: Final = 50
"""Ticks behind (one second) from which on the missed time is skipped, not made up: the machine slept or hung."""


class Ticker:
    """Calls ``on_tick(k, due)`` for every tick number ``k``, due at ``due`` on ``clock``."""

    def __init__(self, on_tick: Callable[[int, float], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_tick = on_tick
        self._clock = clock
        self._origin = 0.0
        self._next = 0
        self._handle: asyncio.TimerHandle | None = None
        self.skipped = 0
        """Ticks that were never run because the process stood still."""

    @property
    def next(self) -> int:
        """Number of the tick that runs next."""
        return self._next

    def due(self, k: int) -> float:
        """When tick ``k`` is due, on the clock."""
        return self._origin + k * TICK_S

    def start(self) -> None:
        """Begin to tick on the running loop."""
        self._origin = self._clock() - self._next * TICK_S
        self._arm()

    def stop(self) -> None:
        """Stop ticking. Idempotent."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def run_due(self) -> None:
        """Run every tick that is due now; skip over a long stall."""
        behind = int((self._clock() - self._origin) / TICK_S) - self._next
        if behind > STALL:
            self.skipped += behind
            self._origin += behind * TICK_S
        while self.due(self._next) <= self._clock():
            k = self._next
            self._next += 1
            self._on_tick(k, self.due(k))

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(max(0.0, self.due(self._next) - self._clock()), self._fire)

    def _fire(self) -> None:
        try:
            self.run_due()
        finally:
            self._arm()
