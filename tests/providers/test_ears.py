"""The embedded ears: real PocketSphinx in its helper processes."""

from __future__ import annotations

import asyncio
import os
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

pytest.importorskip("pocketsphinx", reason="needs the extra: pip install 'mouthpiece[agents]'")

from livekit import rtc

from mouthpiece.errors import Unavailable
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.hearing import EmbeddedSTT, Utterance
from mouthpiece.providers.sphinx import FRAME, Gate, Heard, SphinxEars

QUIET = bytes(SAMPLE_RATE * 2)


@pytest_asyncio.fixture
async def ears() -> AsyncIterator[SphinxEars]:
    it = SphinxEars(limit=1)
    yield it
    await it.close()


def radio() -> bytes:
    folder = os.environ.get("MOUTHPIECE_TEST_DATA")
    if folder is None:
        pytest.skip("set MOUTHPIECE_TEST_DATA to a folder with recorded speech")
    with wave.open(str(Path(folder) / "data" / "speech" / "english_radio_1.wav")) as file:
        return bytes(file.readframes(4 * SAMPLE_RATE))


async def test_real_speech_becomes_words_while_it_is_said_and_for_good(ears: SphinxEars) -> None:
    sound = radio() + QUIET
    stream = EmbeddedSTT(ears).stream()
    for i in range(0, len(sound), 640):
        stream.push_frame(rtc.AudioFrame(sound[i : i + 640].ljust(640, b"\0"), SAMPLE_RATE, 1, 320))
    stream.end_input()
    events = [event async for event in stream]
    await stream.aclose()
    finals = " ".join(e.alternatives[0].text for e in events if e.type == "final_transcript")
    assert len({"holidays", "time", "celebrating", "loved", "ones", "enjoying"} & set(finals.split())) >= 4
    assert any(e.type == "interim_transcript" for e in events)


async def test_a_whole_recording_can_be_given_at_once(ears: SphinxEars) -> None:
    frame = rtc.AudioFrame(radio(), SAMPLE_RATE, 1, 4 * SAMPLE_RATE)
    event = await EmbeddedSTT(ears).recognize(frame)
    assert "celebrating" in event.alternatives[0].text


def test_the_gate_cuts_speech_out_of_quiet() -> None:
    gate = Gate()
    sound = QUIET + radio()[: 2 * SAMPLE_RATE * 2] + QUIET
    pieces = [piece for i in range(0, len(sound), 640) for piece in gate.push(sound[i : i + 640])]
    assert pieces.count("begin") == pieces.count("end") >= 1
    kept = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
    assert SAMPLE_RATE * 2 < kept < 3.2 * SAMPLE_RATE * 2
    assert not gate.open
    assert gate.push(QUIET) == []


def test_noise_that_is_no_voice_opens_nothing() -> None:
    hiss = np.random.default_rng(1).normal(0, 60, SAMPLE_RATE).astype("<i2").tobytes()
    assert Gate().push(hiss) == []
    assert Gate().push(bytes(FRAME - 1)) == []


async def test_voices_wait_for_the_only_helper_and_lose_nothing(ears: SphinxEars) -> None:
    heard: list[Heard] = []

    async def note(one: Heard) -> None:
        heard.append(one)

    first, second = Utterance(ears, note), Utterance(ears, note)
    sound = radio()
    for i in range(0, len(sound), 6400):
        first.feed(sound[i : i + 6400])
        second.feed(sound[i : i + 6400])
    await asyncio.gather(first.finish(), second.finish())
    finals = [one.words for one in heard if one.final]
    assert len(finals) == 2
    assert all("celebrating" in words for words in finals)


async def test_a_helper_that_dies_is_replaced(ears: SphinxEars) -> None:
    helper = await ears.take()
    helper.kill()
    with pytest.raises(Unavailable, match="ears stopped"):
        await helper.begin()
    ears.give_back(helper)
    fresh = await ears.take()
    await fresh.begin()
    fresh.send(b"E")
    assert (await fresh.next()).final
    ears.give_back(fresh)


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "print('nonsense')", "print('[1]')"])
async def test_a_broken_helper_is_a_clear_error(program: str) -> None:
    ears = SphinxEars(command=(sys.executable, "-c", program))
    helper = await ears.take()
    with pytest.raises(Unavailable, match="ears stopped"):
        await helper.begin()
    ears.give_back(helper)
    await ears.close()


async def test_an_utterance_that_nobody_wants_gives_its_helper_back(ears: SphinxEars) -> None:
    async def note(_: Heard) -> None:
        return

    utterance = Utterance(ears, note)
    utterance.feed(radio())
    await utterance.drop()
    again = await ears.take()
    ears.give_back(again)
