"""What a worker counts while it runs. Plain numbers; the app words them for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

BOUNDS_MS: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
"""Upper bounds of the histogram's buckets, in milliseconds; one more bucket holds what is above."""


class Histogram:
    """Milliseconds in fixed buckets."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.total_ms = 0.0

    def add(self, seconds: float) -> None:
        """Count one observation, in seconds."""
        ms = seconds * 1000
        self.counts[bisect_left(BOUNDS_MS, ms)] += 1
        self.total_ms += ms

    @property
    def count(self) -> int:
        """Observations so far."""
        return sum(self.counts)

    def quantile(self, q: float) -> float:
        """Milliseconds below which a fraction ``q`` lies, interpolated in its bucket; 0 when nothing was counted."""
        left = q * self.count
        for i, n in enumerate(self.counts):
            if n and left <= n:
                low = BOUNDS_MS[i - 1] if i else 0.0
                high = BOUNDS_MS[i] if i < len(BOUNDS_MS) else 2 * low
                return low + (high - low) * left / n
            left -= n
        return 0.0


@dataclass(slots=True)
class Stats:
    """One worker's counters since it started; ``*_s`` are CPU-seconds of the thread that did the work."""

    started: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ticks: int = 0
    skipped_ticks: int = 0
    sounds: int = 0
    pictures: int = 0
    idle_pictures: int = 0
    late_pictures: int = 0
    refused_samples: int = 0
    sound_s: float = 0.0
    show_s: float = 0.0
    draw_s: float = 0.0
    encode_s: float = 0.0
    sound_lateness: Histogram = field(default_factory=Histogram)
    picture_lateness: Histogram = field(default_factory=Histogram)
    first_picture: Histogram = field(default_factory=Histogram)
