"""The embedded voice: real espeak-ng in its helper process."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from mouthpiece.errors import BadInput, TooLarge, Unavailable
from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync.visemes import lip_gap
from mouthpiece.media import SAMPLE_RATE, TICK, Look
from mouthpiece.providers.espeak import EspeakVoice, Manner, Speech
from mouthpiece.session.engine import Engine, EngineConfig
from mouthpiece.session.events import Frame, Sound
from mouthpiece.settings import VoiceSettings

LONG = "Peter Piper picked a peck of pickled peppers. " * 90


@pytest_asyncio.fixture
async def voice() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    yield voice
    await voice.close()


def same(a: Speech, b: Speech) -> bool:
    """The same words: espeak-ng's noise and timing vary by some milliseconds from utterance to utterance."""
    near = abs(len(a.pcm) - len(b.pcm)) < 0.02 * SAMPLE_RATE + 0.02 * len(a.pcm)
    return near and [p.ipa for p in a.phones] == [p.ipa for p in b.phones]


def loudness(speech: Speech, start: int, end: int) -> float:
    return float(np.sqrt(np.mean(np.square(speech.pcm[start:end].astype(float)))))


def pitch_of(speech: Speech) -> float:
    """Pitch of the middle of the loudest vowel, in Hz, by autocorrelation."""
    top = int(np.convolve(np.abs(speech.pcm.astype(float)), np.ones(800), "same").argmax())
    part = speech.pcm[max(top - 640, 0) : top + 640].astype(float)
    echo = np.correlate(part, part, "full")[len(part) - 1 :]
    return SAMPLE_RATE / (int(echo[40:250].argmax()) + 40)


def helper_pid(voice: EspeakVoice) -> int:
    assert voice._helper is not None
    return voice._helper._process.pid


async def test_speech_is_audible_and_its_phones_fall_where_they_sound(voice: EspeakVoice) -> None:
    speech = await voice.speak("Mama. Papa.")
    assert 0.8 * SAMPLE_RATE < len(speech.pcm) < 3 * SAMPLE_RATE
    assert [p.ipa.strip("ˈˌː") for p in speech.phones if p.ipa] == ["m", "ɑ", "m", "ɐ", "p", "ɑ", "p", "ə"]
    samples = [p.sample for p in speech.phones]
    assert samples == sorted(samples)
    assert samples[-1] <= len(speech.pcm)
    pause = next(i for i, p in enumerate(speech.phones) if not p.ipa)
    vowel = speech.phones[1]
    assert loudness(speech, vowel.sample, speech.phones[2].sample) > 1000
    assert loudness(speech, speech.phones[pause].sample + 800, speech.phones[pause + 1].sample - 800) < 30


async def test_words_point_into_the_text(voice: EspeakVoice) -> None:
    text = "Hello big world"
    speech = await voice.speak(text)
    assert [text[w.start : w.start + w.length] for w in speech.words] == ["Hello", "big", "world"]


async def test_the_pieces_of_a_stream_make_the_same_speech(voice: EspeakVoice) -> None:
    whole = await voice.speak("One two three four five.")
    pieces = [piece async for piece in voice.stream("One two three four five.")]
    assert len(pieces) > 5
    joined = Speech(np.concatenate([p.pcm for p in pieces]), tuple(phone for p in pieces for phone in p.phones))
    assert same(joined, whole)


async def test_rate_pitch_and_language_change_the_speech(voice: EspeakVoice) -> None:
    plain = await voice.speak("three thirty three")
    fast = await voice.speak("three thirty three", Manner(rate=330))
    assert len(fast.pcm) < 0.7 * len(plain.pcm)
    high = await voice.speak("three thirty three", Manner(pitch=90))
    assert pitch_of(high) > 1.2 * pitch_of(plain)
    german = await voice.speak("ich", Manner("de"))
    assert "ç" in {p.ipa for p in german.phones}
    assert same(await voice.speak("three thirty three"), plain)


async def test_every_language_speaks_and_is_listed_once(voice: EspeakVoice) -> None:
    voices = await voice.voices()
    ids = [v.id for v in voices]
    assert len(ids) == len(set(ids)) > 100
    assert {"en-us", "de", "fr-fr", "cmn", "ja", "hi"} <= set(ids)
    for wanted in ("cmn", "ru", "en-us+f3"):
        assert len((await voice.speak("123", Manner(wanted))).pcm) > 4000


@pytest.mark.parametrize(
    "manner",
    [
        Manner("xx"),
        Manner("en-us+nobody"),
        Manner("en-us+../f3"),
        Manner("../../etc"),
        Manner(rate=5),
        Manner(pitch=200),
    ],
)
async def test_a_wrong_manner_is_refused_and_harms_nobody(voice: EspeakVoice, manner: Manner) -> None:
    with pytest.raises(BadInput):
        await voice.speak("hello", manner)
    assert len((await voice.speak("hello")).pcm) > 4000


async def test_text_is_bounded_and_its_control_characters_are_not_commands(voice: EspeakVoice) -> None:
    with pytest.raises(TooLarge):
        await voice.speak("a" * 5001)
    assert len((await voice.speak(" \n ")).pcm) == 0
    plain = await voice.speak("hello  world")
    tampered = await voice.speak("hello\x00\x01world")
    assert same(plain, tampered)


async def test_leaving_a_stream_stops_the_speaking(voice: EspeakVoice) -> None:
    async with contextlib.aclosing(voice.stream(LONG)) as pieces:
        first = await anext(pieces)
    assert len(first.pcm)
    assert voice._helper is not None
    assert not voice._helper._asked
    assert len((await voice.speak("next")).pcm) > 4000


async def test_many_speak_at_once_and_each_hears_its_own(voice: EspeakVoice) -> None:
    texts = ["one", "two hundred thousand", "three"]
    alone = [await voice.speak(text) for text in texts]
    together = await asyncio.gather(*(voice.speak(text) for text in texts))
    for a, b in zip(alone, together, strict=True):
        assert same(a, b)


async def test_a_dead_helper_is_replaced(voice: EspeakVoice) -> None:
    before = await voice.speak("hello")
    first = helper_pid(voice)
    os.kill(first, signal.SIGKILL)
    after = await voice.speak("hello")
    assert helper_pid(voice) != first
    assert same(before, after)


async def test_a_stopped_helper_is_ended_and_replaced() -> None:
    voice = EspeakVoice(VoiceSettings(answer_timeout_s=0.3))
    await voice.speak("hello")
    first = helper_pid(voice)
    os.kill(first, signal.SIGSTOP)
    assert len((await voice.speak("hello")).pcm) > 4000
    assert helper_pid(voice) != first
    await voice.close()


async def test_a_helper_that_dies_while_speaking_is_told() -> None:
    voice = EspeakVoice()
    stream = voice.stream(LONG)
    await anext(stream)
    assert voice._helper is not None
    await voice._helper.close()
    with pytest.raises(Unavailable, match="voice stopped"):
        [piece async for piece in stream]
    await voice.close()


@pytest.mark.parametrize(
    "program", ["raise SystemExit(3)", "print('nonsense')", "print('[1]')", "print('{\"id\": 1}')"]
)
async def test_a_broken_helper_is_a_clear_error(program: str, tmp_path: Path) -> None:
    voice = EspeakVoice(VoiceSettings(command=(sys.executable, "-c", program)))
    with pytest.raises(Unavailable, match="voice stopped"):
        await voice.speak("hello")
    await voice.close()
    missing = EspeakVoice(VoiceSettings(command=(str(tmp_path / "nothing"),)))
    with pytest.raises(Unavailable, match="does not start"):
        await missing.speak("hello")


async def test_another_program_can_take_the_helper_s_place() -> None:
    program = (
        "import sys,json\n"
        "for line in sys.stdin:\n"
        "    r = json.loads(line)\n"
        "    h = {'id': r['id'], 'bytes': 8, 'hz': 16000, 'phones': [[2, 'a']], 'words': [[0, 1, 2]]}\n"
        "    sys.stdout.write(json.dumps(h) + '\\n' + 'AAAABBBB' + json.dumps({'id': r['id'], 'end': True}) + '\\n')\n"
        "    sys.stdout.flush()\n"
    )
    voice = EspeakVoice(VoiceSettings(command=(sys.executable, "-c", program)))
    speech = await voice.speak("hi")
    assert speech.pcm.tobytes() == b"AAAABBBB"
    assert speech.phones[0].sample == 2
    assert speech.words[0].start == 0
    await voice.close()


@pytest.mark.parametrize("idle_ticks", [10, 11])
async def test_a_script_closes_the_lips_of_an_avatar_that_says_it(voice: EspeakVoice, idle_ticks: int) -> None:
    """From text to the pictures of a session at 25 a second: every p, b and m is seen shut."""
    speech = await voice.speak("Maybe Papa brought five big apples to my mother.")
    engine = Engine(EngineConfig(Look("any")), open_lipsync())
    engine.advance(idle_ticks * TICK)
    engine.push(speech.pcm.tobytes(), speech.script)
    events = engine.advance(len(speech.pcm) + 2 * SAMPLE_RATE)
    sounds = [e for e in events if isinstance(e, Sound)]
    played = np.concatenate([s.pcm for s in sounds])
    begins = sounds[0].sample + int(np.flatnonzero(played)[0]) - int(np.flatnonzero(speech.pcm)[0])
    gaps = {e.sample - begins: lip_gap(e.pose) for e in events if isinstance(e, Frame)}
    lips = [p for p in speech.timed_phones if p.ipa.strip("ˈˌ") in {"p", "b", "m"}]
    assert len(lips) == 9
    for phone in lips:
        assert min(gap for at, gap in gaps.items() if phone.start - 320 <= at < phone.end + 320) < 0.3, phone
    assert max(gaps.values()) > 4.0


async def test_the_words_of_somebody_elses_speech_can_be_looked_up(voice: EspeakVoice) -> None:
    words = await voice.pronounce("Hello big world")
    assert len(words) == 3
    assert len(words[1].phones) == 3
