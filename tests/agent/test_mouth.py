"""Started, finished and the position are the session's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from livekit import rtc
from livekit.agents.voice import io

from mouthpiece.agent.ears import UNHEARD, MicrophoneInput
from mouthpiece.agent.mouth import AHEAD, SPOKEN, SpeechOutput
from mouthpiece.agent.script import Sentence, Spoken
from mouthpiece.lipsync.articulation import Word
from mouthpiece.lipsync.script import Script
from mouthpiece.media import SAMPLE_RATE, TICK


@dataclass
class Session:
    """A mouth that plays when it is told to."""

    queued: int = 0
    skips: int = 0
    scripts: list[Script] = field(default_factory=list)

    def push_audio(self, data: bytes, script: Script | None = None) -> None:
        self.scripts += [script] if script is not None else []
        self.queued += len(data) // 2

    def skip(self) -> None:
        self.queued, self.skips = 0, self.skips + 1


class Stand:
    def __init__(self) -> None:
        self.session = Session()
        self.said: list[tuple[str, bool]] = []
        self.output = SpeechOutput(self.session, lambda text, final: self.said.append((text, final)))
        self.finished: list[io.PlaybackFinishedEvent] = []
        self.started = 0
        self.output.on("playback_finished", self.finished.append)
        self.output.on("playback_started", self._begun)

    def _begun(self, _: object) -> None:
        self.started += 1

    def play(self, seconds: float) -> None:
        for _ in range(round(seconds * SAMPLE_RATE / TICK)):
            self.session.queued = max(0, self.session.queued - TICK)
            self.output.advance()

    async def say(self, seconds: float, text: str = "One two three four.") -> None:
        starts = tuple((n * seconds / 4, text.index(word)) for n, word in enumerate(text.split()))
        spoken = Spoken([Sentence(text, starts, seconds, (Word((1,)),))])
        samples = round(seconds * SAMPLE_RATE)
        frame = rtc.AudioFrame(bytes(2 * samples), SAMPLE_RATE, 1, samples)
        frame.userdata[SPOKEN] = spoken
        await self.output.capture_frame(frame)
        self.output.flush()


@pytest.fixture
async def stand() -> Stand:
    return Stand()


async def test_playback_starts_with_the_first_sample_and_finishes_with_the_last(stand: Stand) -> None:
    await stand.say(2.0)
    assert (stand.started, stand.finished) == (0, [])
    stand.play(0.02)
    assert stand.started == 1
    stand.play(1.96)
    assert stand.finished == []
    stand.play(0.02)
    assert [(e.playback_position, e.interrupted) for e in stand.finished] == [(2.0, False)]
    assert stand.said[-1] == ("One two three four.", True)
    assert [text for text, _ in stand.said][:2] == ["One", "One two"]
    assert stand.session.scripts == [Script(words=(Word((1,)),))]


async def test_a_cut_reports_what_was_heard_and_nothing_more(stand: Stand) -> None:
    await stand.say(2.0)
    stand.play(0.7)
    stand.output.clear_buffer()
    assert stand.session.skips == 1
    (end,) = stand.finished
    assert (round(end.playback_position, 2), end.interrupted, end.synchronized_transcript) == (0.7, True, "One two")
    assert stand.said[-1] == ("One two", True)
    stand.output.clear_buffer()
    stand.play(1.0)
    assert len(stand.finished) == 1


async def test_what_was_never_begun_was_not_said(stand: Stand) -> None:
    await stand.say(2.0)
    stand.output.clear_buffer()
    assert stand.finished[0].playback_position == 0
    assert stand.finished[0].synchronized_transcript == ""
    assert stand.said == []


async def test_speech_after_speech_after_a_cut(stand: Stand) -> None:
    for _ in range(3):
        await stand.say(1.0)
        stand.play(0.5)
        stand.output.clear_buffer()
    await stand.say(1.0)
    stand.play(1.0)
    await stand.say(1.0, "Five six seven eight.")
    stand.play(0.98)
    assert [e.interrupted for e in stand.finished] == [True, True, True, False]
    stand.play(0.02)
    assert stand.finished[-1].interrupted is False
    assert (await stand.output.wait_for_playout()).playback_position == 1.0


async def test_a_fast_voice_waits_and_a_cut_frees_it(stand: Stand) -> None:
    late = asyncio.ensure_future(stand.say(AHEAD / SAMPLE_RATE + 1))
    await asyncio.sleep(0)
    assert not late.done()
    stand.play(1.0)
    await late
    again = asyncio.ensure_future(stand.say(AHEAD / SAMPLE_RATE + 1))
    await asyncio.sleep(0)
    stand.output.clear_buffer()
    await again
    assert stand.session.queued == 0


async def test_the_microphone_drops_the_oldest_and_counts() -> None:
    import numpy as np

    microphone = MicrophoneInput()
    for n in range(UNHEARD + 3):
        microphone.push(np.full(TICK, n, np.int16))
    assert microphone.dropped == 3
    first = await anext(microphone)
    assert np.frombuffer(first.data, np.int16)[0] == 3
    microphone.close()
    assert len([frame async for frame in microphone]) == UNHEARD - 1
