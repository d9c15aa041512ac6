"""What the benches say: where speech begins, pauses and ends."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.bench.utterances import QUESTIONS, embedded, loud, recorded, utterance
from mouthpiece.errors import BadInput
from mouthpiece.media import SAMPLE_RATE, Pcm


def hum(seconds: float) -> Pcm:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (8_000 * np.sin(2 * np.pi * 200 * t)).astype(np.int16)


def hush(seconds: float) -> Pcm:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def test_speech_is_found_between_the_silences_and_a_click_is_none() -> None:
    pcm = np.concatenate([hush(0.5), hum(1.0), hush(0.3), hum(0.5), hush(0.4), hum(0.02), hush(0.2)])
    it = utterance(pcm)
    assert (it.start / SAMPLE_RATE, it.end / SAMPLE_RATE) == (0.5, 2.3)
    assert it.pauses == [0.3]
    with pytest.raises(BadInput, match="nothing is said"):
        utterance(hush(1.0))


def test_a_pause_is_put_where_the_speaker_paused_anyway() -> None:
    it = utterance(np.concatenate([hum(1.0), hush(0.1), hum(1.0), hush(0.2)]))
    longer = it.with_pause(0.7)
    assert longer.pause_s == 0.7
    assert longer.pauses == pytest.approx([0.7], abs=0.02)
    assert longer.end - it.end == pytest.approx(0.6 * SAMPLE_RATE, abs=200)
    whole = utterance(hum(2.0)).with_pause(0.5)
    assert whole.pauses == pytest.approx([0.5], abs=0.02), "also where there is no gap at all"


def test_the_embedded_voice_asks_whole_questions() -> None:
    asked = embedded(QUESTIONS[:2])
    assert all(0.8 < (it.end - it.start) / SAMPLE_RATE < 6 for it in asked)
    assert all(loud(it.pcm).any() for it in asked)


def write(path: Path, pcm: Pcm, rate: int = SAMPLE_RATE, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, width, rate, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    return path


def test_recordings_are_read_from_a_file_or_a_folder_at_any_rate(tmp_path: Path) -> None:
    one = write(tmp_path / "a.wav", hum(1.0))
    write(tmp_path / "b.wav", hum(1.0), rate=8_000)  # half as many samples a second: it lasts two
    assert len(recorded(one)) == 1
    first, second = recorded(tmp_path)
    assert second.end == pytest.approx(2 * first.end, rel=0.02)


def test_what_is_no_recording_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no WAV file in"):
        recorded(tmp_path)
    (tmp_path / "x.wav").write_bytes(b"no")
    with pytest.raises(BadInput, match="not a WAV file"):
        recorded(tmp_path / "x.wav")
    with pytest.raises(BadInput, match="16-bit"):
        recorded(write(tmp_path / "y.wav", hum(1.0), width=1))
    with pytest.raises(BadInput, match=r"z\.wav: nothing"):
        recorded(write(tmp_path / "z.wav", hush(1.0)))
