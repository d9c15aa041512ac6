"""How much a path carries, from what receivers say: REMB's estimate, and our own rule on reported loss.

Receivers that only know REMB do not lower it when packets get lost (15 % of random loss still gave 875 kb/s), so the
loss in receiver reports bounds it, as in Google's loss-based controller (draft-ietf-rmcat-gcc-02 section 6).
"""

from __future__ import annotations

from typing import Final

LOSS_HIGH: Final = 0.10
LOSS_LOW: Final = 0.02
GROWTH: Final = 1.05
WORTH_TELLING: Final = 0.05
"""A change of this fraction is told; less is noise."""


class BitrateRule:
    """The bitrate to aim at, in bits a second, for one receiver. Pure: fed with reports, answers with news."""

    def __init__(self, start: int, floor: int, ceiling: int) -> None:
        self._floor, self._ceiling = floor, ceiling
        self._own = float(start)
        self._remb: int | None = None
        self._told = start

    def estimate(self, bits_per_second: int) -> int | None:
        """REMB arrived (draft-alvestrand-rmcat-remb-03); the new aim, None when it is as before."""
        self._remb = bits_per_second
        return self._news()

    def loss(self, fraction: float) -> int | None:
        """A receiver report came with this fraction lost, 0..1 (RFC 3550 section 6.4.1); the new aim, or None."""
        if fraction > LOSS_HIGH:
            self._own *= 1 - 0.5 * fraction
        elif fraction < LOSS_LOW:
            self._own *= GROWTH
        self._own = max(self._floor, min(self._own, self._ceiling))
        return self._news()

    def _news(self) -> int | None:
        aim = self._own if self._remb is None else min(self._own, self._remb)
        bounded = int(max(self._floor, min(aim, self._ceiling)))
        at_edge = bounded in (self._floor, self._ceiling) and bounded != self._told
        if not at_edge and abs(bounded - self._told) < WORTH_TELLING * self._told:
            return None
        self._told = bounded
        return bounded
