"""One avatar session as a pure state machine: sound and commands in, sounds, frames and facts out.

The session's clock is a count of 16 kHz samples, advanced by its driver in ticks of 20 ms; nothing here knows the time
of day. A tick emits exactly one ``Sound`` and the ``Frame``s that fall into it, drawn from the very samples that leave
with them, so sound and picture cannot drift apart.

How sound flows: client -> ``Backlog`` -> the *line* -> out. What enters the line is fed to the lip-sync engine at once,
and the line is kept one look-ahead long, so the pose of every picture is complete when its sound leaves. When nothing
is queued, the line is padded with zeros; padding that was not played yet gives way to sound that arrives in time, so
speech that comes in one piece starts on the next tick, and jitter below the look-ahead is not heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from mouthpiece.lipsync.base import LipSync
from mouthpiece.lipsync.script import Script
from mouthpiece.media import REST, SAMPLE_RATE, SILENCE_BELOW, TICK, Look, Pcm, frame_sample
from mouthpiece.session.buffer import Backlog
from mouthpiece.session.events import Backlogged, Ended, EndReason, Event, Frame, Silent, Sound, Spoke
from mouthpiece.session.mouth import MouthTrack
from mouthpiece.session.script import NOTHING, Cue, Scripts
from mouthpiece.session.segments import Segments

SILENT_AFTER: Final = 300 * SAMPLE_RATE // 1000
"""Samples below -50 dBFS after which speech is over."""

DOZE_AFTER: Final = SAMPLE_RATE // 2
"""Samples of silence heard by the lip-sync engine before a mouth at rest stops listening to zeros."""

FIRST_DELAY: Final = 40 * SAMPLE_RATE // 1000
LONGEST_DELAY: Final = 400 * SAMPLE_RATE // 1000
SETTLE_WITHIN: Final = SAMPLE_RATE
"""Samples after the last audible one within which a mouth is shut, or the session ends without waiting for it."""

SAME_SPEECH: Final = SAMPLE_RATE // 2
"""A gap shorter than this in the arriving sound is a late sender, not a pause: start later the next time."""

_ZEROS: Final = np.zeros(TICK, np.int16)
_ZEROS.flags.writeable = False


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """A session's rules; times in samples.

    ``handle_silence``: the face lives on while nothing is queued; otherwise the video holds.
    ``hears``: samples before and after each picture's moment that its frame brings. What comes after must be known
    when the picture is due, so sound and picture wait for it together.
    """

    look: Look
    fps: int = 25
    handle_silence: bool = True
    max_length: int = 3600 * SAMPLE_RATE
    max_idle: int = 300 * SAMPLE_RATE
    backlog: int = 300 * SAMPLE_RATE
    hears: tuple[int, int] = (0, 0)


class Engine:
    """One session. Not thread-safe; never blocks; every method is O(what it is given)."""

    def __init__(self, config: EngineConfig, lipsync: LipSync) -> None:
        self._config = config
        self._queue = Backlog(config.backlog)
        self._scripts = Scripts()
        self._next_script: Script | None = None
        self._mouth = MouthTrack(lipsync)
        self._segments = Segments()
        self._line: Pcm = np.zeros(0, np.int16)
        self._real = 0  # samples at the head of the line that came from the client; the rest is padding
        self._padded = DOZE_AFTER  # zeros heard by the lip-sync engine since the last real sample
        self._heard: list[tuple[int, Pcm, Cue]] = []  # entered the line since the last picture
        before, after = config.hears
        self._flow = _Flow(TICK + max(lipsync.lookahead, after))
        self._past: Pcm = np.zeros(before, np.int16)  # what was played last, for those who hear
        self._tick: Pcm = _ZEROS  # what is played now
        self._played = False  # between the two halves of a tick
        self._real_now = 0  # samples of the tick being played that came from the client
        self.tell_visemes = False
        """Whether frames tell viseme weights: for those who draw the mouth themselves."""
        self._now = 0
        self._frames = 0
        self._speaking = False
        self._last_audible = 0
        self._finishing = False
        self._news: list[Event] = []
        self._ended: EndReason | None = None

    @property
    def now(self) -> int:
        """Samples played so far: the session's clock."""
        return self._now

    @property
    def frames(self) -> int:
        """Pictures due so far, which is the number of the next one."""
        return self._frames

    @property
    def ended(self) -> EndReason | None:
        """Why the session is over, None while it runs."""
        return self._ended

    @property
    def queued(self) -> int:
        """Samples that wait to be played."""
        return len(self._queue) + self._real

    def push(self, data: bytes, script: Script | None = None) -> None:
        """Queue PCM16LE at 16 kHz, any length. Over the backlog's limit the newest is refused (``Backlogged``).

        ``script``: what is said in it.
        """
        if self._ended is None and not self._finishing:
            self.cue(script)
            if self._next_script is not None:
                self._scripts.add(self._queue.taken + len(self._queue), self._next_script)
                self._next_script = None
            before = len(self._queue)
            if self._queue.push(data):
                self._news.append(Backlogged(self._queue.refused))
            self._segments.push(len(self._queue) - before)

    def mark(self) -> None:
        """A segment ends here: when it has been played, or is dropped, ``SegmentPlayed`` says so."""
        self._segments.mark()

    def cue(self, script: Script | None) -> None:
        """What is said in the sound that is pushed next; None changes nothing."""
        if script is not None:
            self._next_script = script

    def play_immediate(self, data: bytes, script: Script | None = None) -> None:
        """Forget what is queued and play this at the next tick."""
        coming = script or self._next_script
        self.skip()
        self.push(data, coming)
        self._flow.hurry()

    def skip(self) -> None:
        """Fall silent at the next tick and forget what is queued."""
        self._queue.clear()
        self._scripts.clear()
        self._next_script = None
        self._news += self._segments.drop()
        if self._real:
            self._real = 0
            self._line = np.zeros(len(self._line), np.int16)
            self._hear()
            self._mouth.interrupt()
        self._flow.reset()
        self._hush(self._now)

    def finish(self) -> None:
        """Play out what is queued, let the mouth close, then end with ``DONE``. Later sound is ignored."""
        self._finishing = True

    def end(self, reason: EndReason) -> None:
        """End at once; the next ``advance`` says so. Idempotent: the first reason stays."""
        if self._ended is None:
            self._ended = reason
            self._news += self._segments.drop()
            self._hush(self._now)
            self._news.append(Ended(reason, self._frames))

    def advance(self, now: int) -> list[Event]:
        """Everything due up to session sample ``now``, in order. After ``Ended`` there is nothing more."""
        out: list[Event] = []
        while events := self.play(now):
            out += events
            out += self.show()
        return out

    def play(self, now: int) -> list[Event]:
        """First half of a tick: its sound, and what happened since. Empty when no tick is due.

        Live drivers send this for all sessions before they ``show`` any, so that sound never waits for the lip-sync
        network. Every ``play`` that returns something is followed by one ``show``.
        """
        out = self._drain()
        if self._ended is None and self._now + TICK <= now:
            self._fill()
            pcm, self._real_now = self._play()
            self._tick = pcm
            out += self._segments.play(self._real_now)
            out.append(Sound(self._now, pcm, silent=pcm is _ZEROS or not pcm.any()))
            self._listen(pcm)
            out += self._drain()
            self._played = True
        return out

    def show(self) -> list[Event]:
        """Second half: the pictures that belong to the sound just played, and whether the session is over."""
        out: list[Event] = []
        if self._played:
            self._played = False
            if self._picture_due():
                self._hear()
                self._picture(out, flowing=self._real_now > 0)
            if len(self._past):
                self._past = np.concatenate((self._past, self._tick))[TICK:]
            self._now += TICK
            self._judge()
        return out + self._drain()

    # --- one tick ---------------------------------------------------------------------------------------------------
    def _fill(self) -> None:
        """Keep the line one look-ahead long: with sound when there is some, else with zeros."""
        if self._flow.admit(len(self._queue), playing=self._real > 0, now=self._now, last=self._finishing):
            position = self._queue.taken
            pcm = self._queue.take(self._flow.length - self._real)
            self._heard.append((self._now + self._real, pcm, self._scripts.take(position, len(pcm))))
            self._line = np.concatenate((self._line[: self._real], pcm))
            self._real += len(pcm)
            self._padded = 0
        missing = self._flow.length - len(self._line)
        if missing > 0 and not self._dozing():
            zeros = np.zeros(missing, np.int16)
            self._heard.append((self._now + len(self._line), zeros, NOTHING))
            self._line = np.concatenate((self._line, zeros))
            self._padded += missing

    def _hear(self) -> None:
        """What entered the line since the last picture, at once: each waking of the network has cold caches to fill."""
        for start, pcm, cue in self._heard:
            self._mouth.feed(start, pcm, cue)
        self._heard.clear()

    def _dozing(self) -> bool:
        """Nothing to play, and the mouth has been at rest for long: spare the lip-sync engine the zeros."""
        if self._real or self._padded < DOZE_AFTER or not self._mouth.rested():
            return False
        self._line = self._line[:0]
        return True

    def _play(self) -> tuple[Pcm, int]:
        """The sound of this tick and how many of its samples came from the client."""
        if not len(self._line):
            return _ZEROS, 0
        real = min(self._real, TICK)
        pcm = self._line[:TICK] if real else _ZEROS
        self._line = self._line[TICK:]
        self._real -= real
        return pcm, real

    def _listen(self, pcm: Pcm) -> None:
        """Notice speech beginning and ending, on what is really played."""
        audible = np.flatnonzero((pcm >= SILENCE_BELOW) | (pcm <= -SILENCE_BELOW))
        if audible.size:
            if not self._speaking:
                self._speaking = True
                self._news.append(Spoke(self._now + int(audible[0])))
            self._last_audible = self._now + int(audible[-1])
        elif self._now + TICK - self._last_audible >= SILENT_AFTER:
            self._hush(self._last_audible + SILENT_AFTER)

    def _hush(self, sample: int) -> None:
        if self._speaking:
            self._speaking = False
            self._news.append(Silent(sample))

    def _picture_due(self) -> bool:
        return frame_sample(self._frames, self._config.fps) < self._now + TICK

    def _picture(self, out: list[Event], *, flowing: bool) -> None:
        config = self._config
        while self._picture_due():
            sample = frame_sample(self._frames, config.fps)
            pose = self._mouth.at(sample)
            resting = pose == REST
            hold = resting and not (flowing or config.handle_silence or self._frames == 0)
            told = self._mouth.visemes if self.tell_visemes else None
            sound = self._around(sample) if any(config.hears) and not resting else None
            out.append(Frame(self._frames, sample, pose, config.look, hold, resting, told, sound))
            self._frames += 1

    def _around(self, sample: int) -> Pcm:
        """The sound around a sample of this tick. What was asked to be heard beyond the line is silence."""
        known = np.concatenate((self._past, self._tick, self._line))[sample - self._now :]
        heard = known[: sum(self._config.hears)]
        return np.pad(heard, (0, sum(self._config.hears) - len(heard)))

    def _judge(self) -> None:
        """Whether the session is over."""
        if self._now >= self._config.max_length:
            self.end(EndReason.MAX)
        elif self._finishing and not self.queued and not self._speaking and self._settled():
            self.end(EndReason.DONE)
        elif self._now - self._last_audible >= self._config.max_idle:
            self.end(EndReason.IDLE)

    def _settled(self) -> bool:
        return self._mouth.rested() or self._now - self._last_audible >= SETTLE_WITHIN

    def _drain(self) -> list[Event]:
        news, self._news = self._news, []
        return news


class _Flow:
    """When arriving sound may begin to play.

    The line holds ``length`` samples. A start waits until a full line has arrived, or for as long as a full line lasts
    twice over (the whole utterance may be shorter). A sender that ran dry in the middle of speech is given a delay on
    top, doubled at each further time and halved by each real pause.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._delay = 0
        self._since: int | None = None  # when the waiting sound began to arrive
        self._dry_at = -SAME_SPEECH  # when the line last ran dry
        self._flowing = False
        self._hurried = False

    def reset(self) -> None:
        """The queue was dropped on purpose."""
        self._since, self._flowing, self._dry_at = None, False, -SAME_SPEECH

    def hurry(self) -> None:
        """What is queued begins to play at the next tick."""
        self._hurried = True

    def admit(self, queued: int, *, playing: bool, now: int, last: bool) -> bool:
        """Whether to move sound from the queue into the line at this tick."""
        if self._flowing and not playing and queued < TICK:
            self._flowing, self._dry_at = False, now
        if not queued:
            self._since = None
            return False
        if not (self._flowing or playing or self._hurried):
            self._flowing = last or self._waited_enough(queued, now)
            return self._flowing
        self._flowing, self._hurried, self._since = True, False, None
        return True

    def _waited_enough(self, queued: int, now: int) -> bool:
        if self._since is None:
            self._since = now
            self._adapt(now)
        waited = now - self._since
        if queued >= self.length and (waited >= self._delay or queued >= SAMPLE_RATE):
            return True
        return waited >= 2 * self.length + self._delay

    def _adapt(self, now: int) -> None:
        if 0 <= now - self._dry_at < SAME_SPEECH:
            self._delay = min(max(2 * self._delay, FIRST_DELAY), LONGEST_DELAY)
        else:
            self._delay = self._delay // 2 if self._delay > FIRST_DELAY else 0
