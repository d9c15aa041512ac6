"""Sound waiting to be played: arrived in any pieces, taken in playout order."""

from __future__ import annotations

import numpy as np

from mouthpiece.media import Pcm


class Backlog:
    """A queue of PCM16LE, bounded in samples. An odd last byte waits for its other half."""

    def __init__(self, limit: int) -> None:
        self._bytes = bytearray()
        self._limit = limit
        self._refusing = False
        self.refused = 0
        """Samples refused so far, over the whole session."""
        self.taken = 0
        """Samples that left the queue so far, played or dropped: the position of the next one."""

    def __len__(self) -> int:
        """Whole samples queued."""
        return len(self._bytes) // 2

    def push(self, data: bytes) -> bool:
        """Append what fits; the newest is refused first. True when an episode of refusing begins.

        An episode lasts until a tenth of the backlog has been played.
        """
        room = self._limit * 2 - len(self._bytes)
        if len(data) <= room:
            self._bytes += data
            return False
        room = max(0, room - (room + len(self._bytes)) % 2)  # end on a whole sample: what follows will be whole again
        self._bytes += data[:room]
        self.refused += (len(data) - room + 1) // 2
        begins, self._refusing = not self._refusing, True
        return begins

    def take(self, n: int) -> Pcm:
        """The next ``n`` samples, or as many as there are."""
        size = min(n, len(self)) * 2
        pcm = np.frombuffer(bytes(self._bytes[:size]), "<i2").astype(np.int16, copy=False)
        del self._bytes[:size]
        self.taken += len(pcm)
        self._refusing = self._refusing and len(self) > self._limit * 9 // 10
        return pcm

    def clear(self) -> None:
        """Forget all of it."""
        self.taken += len(self)
        self._bytes.clear()
        self._refusing = False
