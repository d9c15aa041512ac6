"""Ears and voices from the operator's own files: what is missing is said, and the real packages run real models."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions
from tests.support.environments import ROOT, python_guest

from mouthpiece.cli import check_parts
from mouthpiece.errors import NotConfigured
from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.providers.base import Choice
from mouthpiece.providers.catalog import Catalog
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.providers.guard import Rules
from mouthpiece.providers.hearing import EmbeddedSTT
from mouthpiece.providers.local import LocalModels
from mouthpiece.providers.own import open_ears, open_voice
from mouthpiece.providers.own_speech import OwnSpeech, OwnSTT, OwnTTS
from mouthpiece.providers.speech import EmbeddedTTS
from mouthpiece.providers.sphinx import SphinxEars
from mouthpiece.settings import AgentSettings, Settings

ONCE = APIConnectOptions(max_retry=0, timeout=5.0)
PACKAGES = ("faster-whisper==1.2.1", "piper-tts==1.8.0", "kokoro-onnx==0.6.1", "onnx==1.23.2")


class Hum:
    """A voice that hums for as long as a text is, in two pieces, and has no word for "error"."""

    name, rate = "hum", 24_000

    def open(self) -> None:
        pass

    def speaks(self, language: str) -> bool:
        return language.startswith("en")

    def say(self, text: str) -> Iterator[Pcm]:
        yield np.full(100 * len(text), 1000, np.int16)
        if "error" in text:
            raise ValueError("no word for it")
        yield np.full(50 * len(text), -1000, np.int16)


class Counting:
    """Ears that tell how much they heard, and in which language; loud sound hurts them."""

    name = "counting"

    def open(self) -> None:
        raise RuntimeError("nothing to open")

    def hear(self, pcm: Pcm, language: str) -> str:
        if np.abs(pcm).max() > 20_000:
            raise ValueError("too loud")
        return f"{len(pcm) / SAMPLE_RATE:.1f} seconds of {language}"


@pytest_asyncio.fixture
async def own() -> AsyncIterator[OwnSpeech]:
    speech = OwnSpeech(Counting(), Hum(), ThreadPoolExecutor(1))
    yield speech
    speech.close()


async def said(voice: OwnTTS, text: str) -> list[bytes]:
    async with voice.synthesize(text, conn_options=ONCE) as stream:
        return [bytes(event.frame.data) async for event in stream]


def frame(loudness: int, seconds: float, rate: int) -> rtc.AudioFrame:
    n = round(seconds * rate)
    return rtc.AudioFrame(np.full(n, loudness, np.int16).tobytes(), rate, 1, n)


# --- the library's parts ---------------------------------------------------------------------------------------------
async def test_a_voice_is_heard_piece_by_piece(own: OwnSpeech) -> None:
    pieces = await said(OwnTTS(Hum(), own.executor), "a hum of some length")
    assert len(pieces) > 1
    sound = np.frombuffer(b"".join(pieces), np.int16)
    assert (sound[:2000] == 1000).all()
    assert (sound[2000:3000] == -1000).all()
    assert not sound[3000:].any(), "the library fills up its last frame"


async def test_a_voice_that_fails_is_a_provider_that_fails(own: OwnSpeech) -> None:
    with pytest.raises(APIConnectionError, match="no word for it"):
        await said(OwnTTS(Hum(), own.executor), "an error")


async def test_ears_hear_at_their_rate_and_in_the_language(own: OwnSpeech) -> None:
    ears = OwnSTT(Counting(), own.executor, "de-DE")
    event = await ears.recognize([frame(100, 0.5, 48_000), frame(100, 0.5, 48_000)], conn_options=ONCE)
    assert event.alternatives[0].text == "1.0 seconds of de-DE"
    with pytest.raises(APIConnectionError, match="too loud"):
        await ears.recognize(frame(30_000, 0.2, SAMPLE_RATE), conn_options=ONCE)


async def test_a_model_that_does_not_load_stops_nobody(own: OwnSpeech, caplog: pytest.LogCaptureFixture) -> None:
    await own.warm()
    assert "counting does not load" in caplog.text


# --- in the catalog --------------------------------------------------------------------------------------------------
async def test_they_take_the_places_of_the_embedded_ones_where_they_know_the_language(own: OwnSpeech) -> None:
    voice = EspeakVoice()
    catalog = Catalog(AgentSettings(find_local=False), Rules(), voice, SphinxEars(), LocalModels(0, ()), own)
    english, french = await catalog.parts(Choice(), "en-GB"), await catalog.parts(Choice(), "fr")
    assert isinstance(english.ears, OwnSTT)
    assert isinstance(english.voice, OwnTTS)
    assert isinstance(french.ears, OwnSTT)
    assert isinstance(french.voice, EmbeddedTTS)
    assert catalog.warnings(Choice(), "fr") == []
    assert catalog.notices(Choice(), "fr") == []
    for parts in (english, french):
        await parts.close()
    await voice.close()


async def test_without_files_the_embedded_ones_stay() -> None:
    voice = EspeakVoice()
    own = OwnSpeech.of(AgentSettings())
    catalog = Catalog(AgentSettings(find_local=False), Rules(), voice, SphinxEars(), LocalModels(0, ()), own)
    parts = await catalog.parts(Choice(), "en")
    assert isinstance(parts.ears, EmbeddedSTT)
    assert isinstance(parts.voice, EmbeddedTTS)
    await parts.close()
    await voice.close()


# --- what is missing -------------------------------------------------------------------------------------------------
def _voice_file(folder: Path, description: str) -> Path:
    file = folder / "voice.onnx"
    file.write_bytes(b"not a network")
    file.with_name("voice.onnx.json").write_text(description)
    return file


@pytest.mark.parametrize(
    ("setting", "missing"),
    [("whisper_model", "model.bin"), ("piper_voice", "nowhere"), ("kokoro_model", "nowhere")],
)
def test_a_missing_file_is_named(tmp_path: Path, setting: str, missing: str) -> None:
    settings = AgentSettings(**{setting: tmp_path / "nowhere"})  # type: ignore[arg-type]
    with pytest.raises(NotConfigured, match=rf"agents\.{setting} needs the file .*{missing}"):
        (open_ears if setting == "whisper_model" else open_voice)(settings)


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"pip install 'mouthpiece\[piper\]'"):
        open_voice(AgentSettings(piper_voice=_voice_file(tmp_path, "{}")))


def test_what_is_missing_is_said_and_the_embedded_part_takes_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = AgentSettings(whisper_model=tmp_path, piper_voice=tmp_path / "voice.onnx")
    with caplog.at_level(logging.ERROR):
        speech = OwnSpeech.of(settings)
    assert (speech.ears, speech.voice) == (None, None)
    assert "the embedded ears takes its place" in caplog.text
    assert "the embedded voice takes its place" in caplog.text
    speech.close()


def test_the_doctor_says_what_is_missing(tmp_path: Path) -> None:
    assert check_parts.own_speech(Settings()).level == "ok"
    found = check_parts.own_speech(Settings(agents=AgentSettings(whisper_model=tmp_path)))
    assert found.level == "warning"
    assert "model.bin" in found.remedy


# --- the real packages -----------------------------------------------------------------------------------------------
@pytest.mark.client
@pytest.mark.timeout(600)
def test_the_real_packages_open_and_use_models(tmp_path: Path) -> None:
    """With random weights: nobody understands anything, but every step from text to sound and back is taken."""
    driver = ROOT / "tests" / "clients" / "drivers" / "own_speech.py"
    command = [str(python_guest(*PACKAGES)), str(driver), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for name, rate in (("piper", 22_050), ("kokoro", 24_000)):
        heard = told[name]
        short, long = heard["samples"]
        assert heard["rate"] == rate
        assert heard["speaks"] == [True, False]
        assert (heard["type"], heard["loud"] > 1000) == ("int16", True)
        assert 0.3 * rate < short < long, "sound goes on for as long as there are phones"
    english, german, unknown = told["whisper"]
    assert english, "it wrote something"
    assert english != german, "the language was told to the model"
    assert isinstance(unknown, str)
