"""What the session engine says: plain values, drained by whoever drives it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mouthpiece.media import Look, MouthPose, Pcm


class EndReason(StrEnum):
    """Why a session ended."""

    IDLE = "idle"  # no sound above silence for max_idle
    MAX = "max"  # max_length is over
    DONE = "done"  # asked to finish; what was queued has been played
    CLOSED = "closed"  # the client left
    PEER_LOST = "peer_lost"  # the media connection never came or went silent
    TAKEN_OVER = "taken_over"  # the same token connected again
    SHUTDOWN = "shutdown"  # the server is going away
    FAILED = "failed"  # our fault; logged


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples ``sample`` .. ``sample + 320`` of the session, to be sent now. ``silent``: exact zeros."""

    sample: int
    pcm: Pcm
    silent: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """Picture ``n`` falls at ``sample``: to be drawn with this mouth and look, and sent with the sound of that moment.

    ``hold``: the video holds (nothing is drawn or sent) because silence is not to be handled.
    ``resting``: the mouth has been at rest since the last picture, so the idle picture of the look will do.
    ``visemes``: weights of the fifteen visemes, sum 1, if the engine is asked to tell them.
    ``sound``: what is heard around it, as far as ``EngineConfig.hears`` asks, while the mouth moves.
    """

    n: int
    sample: int
    pose: MouthPose
    look: Look
    hold: bool = False
    resting: bool = False
    visemes: tuple[float, ...] | None = None
    sound: Pcm | None = None


@dataclass(frozen=True, slots=True)
class Spoke:
    """The first audible sample of speech is being played at ``sample``."""

    sample: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Speech is over (300 ms without an audible sample, or cut off) at ``sample``."""

    sample: int


@dataclass(frozen=True, slots=True)
class Backlogged:
    """Audio was refused: more than the allowed backlog is queued; ``refused`` samples so far. Once per episode."""

    refused: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; ``frames`` pictures were due in all. Nothing follows."""

    reason: EndReason
    frames: int


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    """The first sample of a segment (what is pushed between two marks) is being played."""


@dataclass(frozen=True, slots=True)
class SegmentPlayed:
    """A segment is over: ``samples`` of it were played; ``interrupted``: the rest was dropped. Once per segment."""

    samples: int
    interrupted: bool


Event = Sound | Frame | Spoke | Silent | Backlogged | SegmentStarted | SegmentPlayed | Ended
