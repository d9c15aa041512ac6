"""Audio to mouth poses. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mouthpiece.lipsync.base import LipSync

if TYPE_CHECKING:
    from mouthpiece.lipsync.track import TrackLipSync
    from mouthpiece.lipsync.visemes import TimedViseme

__all__ = ["follow_visemes", "open_lipsync", "warm"]


def open_lipsync() -> LipSync:
    """Lip sync from sound for one session. Sessions share the network's weights, nothing else."""
    from mouthpiece.lipsync.listen import AudioLipSync

    return AudioLipSync()


def follow_visemes(visemes: Iterable[TimedViseme] = ()) -> TrackLipSync:
    """Lip sync for one session from visemes that are known (``phones.timed_visemes``); ``tell`` adds more."""
    from mouthpiece.lipsync.track import TrackLipSync

    return TrackLipSync(visemes)


def warm() -> None:
    """Load the weights and compile, which takes a second or two; later ``open_lipsync`` calls cost 1 ms."""
    open_lipsync()
