"""Losses, told to everybody who asked."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator

from mouthpiece.cluster.base import WorkerLost

_MOST = 256  # a listener that is this many losses behind misses the oldest


class Subscription(AsyncIterator[WorkerLost]):
    """What one listener has not read yet. Ends when the host closes."""

    def __init__(self) -> None:
        self._waiting: deque[WorkerLost] = deque(maxlen=_MOST)
        self._wake = asyncio.Event()
        self._over = False

    def put(self, event: WorkerLost | None) -> None:
        """Add a loss; None: no more will come."""
        if event is None:
            self._over = True
        else:
            self._waiting.append(event)
        self._wake.set()

    async def __anext__(self) -> WorkerLost:
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()


class Announcer:
    """Hands every loss to every subscription that is still held by somebody."""

    def __init__(self) -> None:
        self._listeners: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._over = False

    def subscribe(self) -> Subscription:
        """A subscription that begins now."""
        listener = Subscription()
        if self._over:
            listener.put(None)
        self._listeners.add(listener)
        return listener

    def tell(self, event: WorkerLost) -> None:
        """Announce a loss."""
        for listener in tuple(self._listeners):
            listener.put(event)

    def close(self) -> None:
        """End every subscription."""
        self._over = True
        for listener in tuple(self._listeners):
            listener.put(None)
