"""Colours of drawn people: RGB 0..255, mixed and scaled. Needs no painter."""

from __future__ import annotations

Colour = tuple[float, float, float]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """``share`` of ``b`` in ``a``."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def scaled(c: Colour, factor: float) -> Colour:
    """A darker or lighter colour."""
    return (min(255.0, c[0] * factor), min(255.0, c[1] * factor), min(255.0, c[2] * factor))
