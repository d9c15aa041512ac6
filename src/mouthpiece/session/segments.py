"""Which part of what was pushed has been played: for senders who must know when each of their segments is over."""

from __future__ import annotations

from collections import deque

from mouthpiece.session.events import SegmentPlayed, SegmentStarted


class Segments:
    """Counts samples in and out. A segment is what is pushed between two marks; empty ones are not reported.

    All counts are samples since the session began, of sound that came from the client.
    """

    def __init__(self) -> None:
        self._pushed = 0
        self._played = 0
        self._start = 0  # where the segment that is being played begins
        self._started = False
        self._ends: deque[int] = deque()  # where closed segments end

    def push(self, samples: int) -> None:
        """So many more samples wait to be played."""
        self._pushed += samples

    def mark(self) -> None:
        """What is pushed from now on is another segment."""
        if self._pushed > (self._ends[-1] if self._ends else self._start):
            self._ends.append(self._pushed)

    def play(self, samples: int) -> list[SegmentStarted | SegmentPlayed]:
        """What was learnt since the last tick, which ends now; then ``samples`` begin to be played."""
        news: list[SegmentStarted | SegmentPlayed] = []
        while self._ends and self._played >= self._ends[0]:
            end = self._ends.popleft()
            news += self._begin() if not self._started else []
            news.append(SegmentPlayed(end - self._start, interrupted=False))
            self._start, self._started = end, False
        self._played += samples
        if not self._started and self._played > self._start:
            news += self._begin()
        return news

    def drop(self) -> list[SegmentStarted | SegmentPlayed]:
        """What was not played is forgotten: every segment that was not over is, with what was played of it."""
        ends = (
            [*self._ends, self._pushed]
            if self._pushed > (self._ends[-1] if self._ends else self._start)
            else self._ends
        )
        news: list[SegmentStarted | SegmentPlayed] = []
        for end in ends:
            played = min(max(self._played - self._start, 0), end - self._start)
            news.append(SegmentPlayed(played, interrupted=self._played < end))
            self._start = end
        self._ends.clear()
        self._played = self._start = self._pushed
        self._started = False
        return news

    def _begin(self) -> list[SegmentStarted | SegmentPlayed]:
        self._started = True
        return [SegmentStarted()]
