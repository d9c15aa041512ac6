"""Notices a peer that never connected, or that went silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watch:
    """Two timeouts over one timer: to connect, and then to hear anything back while media is being sent.

    Nothing is expected while nothing is sent (a held video, a session with data only): there ICE's own consent
    checks notice after half a minute (RFC 7675).
    """

    def __init__(self, connect_s: float, silence_s: float, lost: Callable[[str], None]) -> None:
        self._connect_s, self._silence_s = connect_s, silence_s
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None
        self._unanswered: float | None = None

    def start(self) -> None:
        """The answer is out: the peer should connect."""
        self._timer = asyncio.get_running_loop().call_later(self._connect_s, self._not_connected)

    def connected(self) -> None:
        """The peer is there: from now on it should report."""
        self.stop()
        self._rearm(self._silence_s)

    def sending(self) -> None:
        """Media leaves now."""
        if self._unanswered is None:
            self._unanswered = asyncio.get_running_loop().time()

    def heard(self) -> None:
        """Something came back."""
        self._unanswered = None

    def stop(self) -> None:
        """Watch no more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _not_connected(self) -> None:
        self._timer = None
        self._lost(f"not connected within {self._connect_s:g} s")

    def _rearm(self, delay: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay, self._check)

    def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        since = now if self._unanswered is None else self._unanswered
        left = since + self._silence_s - now
        if left <= 0:
            self._timer = None
            self._lost(f"no report from the receiver for {self._silence_s:g} s")
        else:
            self._rearm(max(left, self._silence_s / 10))
