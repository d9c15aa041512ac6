"""Which encoders the codec library was built with."""

from __future__ import annotations

from collections.abc import Iterable

import av


def missing_encoders(names: Iterable[str]) -> list[str]:
    """Those of the encoders (FFmpeg's names, like ``libx264``) that are not there."""
    return [name for name in names if not _encodes(name)]


def _encodes(name: str) -> bool:
    try:
        return av.Codec(name, "w").is_encoder
    except ValueError:
        return False
