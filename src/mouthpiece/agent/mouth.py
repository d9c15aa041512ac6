"""The avatar's speech on its way out, and how much of it was really heard.

The session plays at its own pace and drops everything at an interruption. What has been played is what was pushed less
what is still queued, so "started", "finished" and the position come from the session itself and from no clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from livekit import rtc
from livekit.agents.voice import io

from mouthpiece.agent.base import Mouth
from mouthpiece.agent.script import Spoken
from mouthpiece.media import SAMPLE_RATE

SPOKEN: Final = "mouthpiece.spoken"
"""Key of a frame's user data: the text that its sound belongs to."""

LIPS: Final = "mouthpiece.lips"
"""Key of a frame's user data: exactly what is said from its first sample on, where that is known."""

AHEAD: Final = 30 * SAMPLE_RATE
"""Samples that may wait in the session; a voice that is faster waits here."""


@dataclass(slots=True)
class _Segment:
    """One utterance: ``base`` samples were pushed before it, ``pushed`` are its own."""

    spoken: Spoken
    base: int
    pushed: int = 0
    whole: bool = False
    started: bool = False


class SpeechOutput(io.AudioOutput):
    """Plays into a session. ``said`` is told the words heard so far of what is being said, and whether that is all."""

    def __init__(self, mouth: Mouth, said: Callable[[str, bool], None]) -> None:
        super().__init__(
            label="mouthpiece session", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=SAMPLE_RATE
        )
        self._mouth = mouth
        self._said = said
        self._pushed = 0
        self._segments: list[_Segment] = []
        self._caption = ""
        self._open = False
        self._room = asyncio.Event()

    @property
    def speaking(self) -> bool:
        """Whether something was begun and has neither been played out nor cut off."""
        return bool(self._segments)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Queue sound at 16 kHz; waits while the session has plenty."""
        await super().capture_frame(frame)
        if not self._open:
            self._open = True
            self._segments.append(_Segment(frame.userdata.get(SPOKEN) or Spoken(), self._pushed))
        segment = self._segments[-1]
        told = segment.spoken.untold()
        self._mouth.push_audio(bytes(frame.data), frame.userdata.get(LIPS) or told)
        self._pushed += frame.samples_per_channel
        segment.pushed += frame.samples_per_channel
        while self._open and self._mouth.queued > AHEAD:
            self._room.clear()
            await self._room.wait()

    def flush(self) -> None:
        """The utterance is whole."""
        super().flush()
        if self._open:
            self._open = False
            self._segments[-1].whole = True

    def clear_buffer(self) -> None:
        """Fall silent: the mouth closes, and what was not heard was not said."""
        self._open = False
        self._room.set()
        played, segments = self._played(), self._segments
        self._mouth.skip()
        self._pushed, self._segments = 0, []
        for segment in segments:
            heard = min(max(played - segment.base, 0), segment.pushed) / SAMPLE_RATE
            text = segment.spoken.heard(heard)
            self._tell(text, final=True)
            self.on_playback_finished(playback_position=heard, interrupted=True, synchronized_transcript=text)

    def advance(self) -> None:
        """The session has played one more tick."""
        if self._mouth.queued <= AHEAD:
            self._room.set()
        if not self._segments:
            return
        segment, played = self._segments[0], self._played()
        heard = played - segment.base
        if heard > 0 and not segment.started:
            segment.started = True
            self.on_playback_started(created_at=time.time())
        if segment.whole and heard >= segment.pushed:
            self._finish(segment)
        elif segment.started:
            self._tell(segment.spoken.heard(heard / SAMPLE_RATE), final=False)

    def _finish(self, segment: _Segment) -> None:
        self._segments.pop(0)
        if segment.spoken.text:
            self._tell(segment.spoken.text, final=True)
        self.on_playback_finished(playback_position=segment.pushed / SAMPLE_RATE, interrupted=False)

    def _played(self) -> int:
        return self._pushed - self._mouth.queued

    def _tell(self, text: str, *, final: bool) -> None:
        if final or (text and text != self._caption):
            self._caption = "" if final else text
            if text:
                self._said(text, final)
