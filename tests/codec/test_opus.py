"""Live Opus, judged by what a decoder hears."""

from __future__ import annotations

from collections.abc import Iterable

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from mouthpiece.codec.opus import SILENCE_PACKET, Downsampler, OpusEncoder
from mouthpiece.media import SAMPLE_RATE, TICK, Pcm

Samples = NDArray[np.float64]


def speechlike(seconds: float) -> Pcm:
    """A voice-like sum: 150 Hz with harmonics, its loudness moving; aperiodic enough to align by correlation."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 2 * np.pi * (150 * t + 6 * np.sin(2 * np.pi * 1.3 * t))
    voice = sum(np.sin(k * pitch) / k for k in range(1, 12))
    return np.asarray(4000 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3.1 * t)), np.int16)


def encode(encoder: OpusEncoder, pcm: Pcm, first: int = 0) -> list[bytes]:
    return [encoder.encode(pcm[at : at + TICK], first + at).data for at in range(0, pcm.size, TICK)]


def decode(packets: Iterable[bytes]) -> Samples:
    """48 kHz mono; 960 samples a packet."""
    codec = av.CodecContext.create("libopus", "r")
    codec.sample_rate, codec.layout, codec.format = 48_000, "mono", "s16"
    frames = [f for data in packets for f in codec.decode(av.Packet(data)) if isinstance(f, AudioFrame)]
    return np.concatenate([f.to_ndarray().reshape(-1) for f in frames]).astype(np.float64)


def delay(heard: Samples, said: Samples) -> int:
    """Samples by which ``heard`` lags, 0 to 30 ms."""
    part = slice(9600, 38_400)
    return int(max(range(1440), key=lambda d: float(np.dot(heard[part.start + d : part.stop + d], said[part]))))


def snr(heard: Samples, said: Samples) -> float:
    return float(10 * np.log10((said**2).mean() / ((heard - said) ** 2).mean()))


def test_every_packet_is_20_ms_and_keeps_its_sample() -> None:
    encoder = OpusEncoder()
    sound = encoder.encode(speechlike(0.02), 640)
    assert sound.sample == 640
    assert decode([sound.data]).size == 960
    assert 20 < len(encoder.encode(speechlike(0.02), 960).data) < 300


def test_speech_survives() -> None:
    said = speechlike(2.0)
    heard, wanted = decode(encode(OpusEncoder(), said)), np.repeat(said.astype(float), 3)
    lag = delay(heard, wanted)
    assert lag < 0.012 * 48_000
    assert snr(heard[9600 + lag : 90_000 + lag], wanted[9600:90_000]) > 9


def test_silence_decodes_to_exact_zeros_from_the_third_packet() -> None:
    said = np.concatenate([speechlike(0.4), np.zeros(SAMPLE_RATE // 2, np.int16)])
    packets = encode(OpusEncoder(), said)
    speech = round(0.4 * SAMPLE_RATE) // TICK
    assert all(packet == SILENCE_PACKET for packet in packets[speech + 1 :])
    assert packets[speech] != SILENCE_PACKET
    heard = decode(packets)
    assert not heard[(speech + 2) * 960 :].any()
    assert heard[: speech * 960].any()


def test_the_end_of_a_word_is_not_cut() -> None:
    """The codec looks ahead 6.5 ms, so the last of the sound comes with the packet after it."""
    said = np.concatenate([speechlike(0.4), np.zeros(4 * TICK, np.int16)])
    with_tail = decode(encode(OpusEncoder(), said))
    wanted = np.repeat(said.astype(float), 3)
    lag = delay(np.concatenate([with_tail, np.zeros(48_000)]), np.concatenate([wanted, np.zeros(48_000)]))
    end = round(0.4 * 48_000)
    last = slice(end - 480, end)
    assert snr(with_tail[last.start + lag : last.stop + lag], wanted[last]) > 6


def loudness(samples: Samples) -> float:
    return float(np.sqrt((samples**2).mean()))


def test_speech_after_silence_starts_at_full_strength() -> None:
    pause = np.zeros(SAMPLE_RATE // 2, np.int16)
    said = np.concatenate([speechlike(1.0), pause, speechlike(1.0)])
    heard, wanted = decode(encode(OpusEncoder(), said)), np.repeat(said.astype(float), 3)
    lag = delay(heard, wanted)
    onset = slice(round(1.5 * 48_000), round(1.54 * 48_000))
    got, want = heard[onset.start + lag : onset.stop + lag], wanted[onset]
    assert loudness(got) == pytest.approx(loudness(want), rel=0.15)
    assert snr(got, want) > 8


@pytest.mark.parametrize("silence", [0, 1, 25])
def test_speech_starts_right_whatever_the_decoder_heard_before(silence: int) -> None:
    said = speechlike(0.4)
    heard = decode([SILENCE_PACKET] * silence + encode(OpusEncoder(), said))[silence * 960 :]
    assert loudness(heard[480:2400]) == pytest.approx(loudness(said[160:800].astype(float)), rel=0.2)


def test_a_session_may_begin_with_silence() -> None:
    encoder = OpusEncoder()
    assert encode(encoder, np.zeros(3 * TICK, np.int16)) == [SILENCE_PACKET] * 3
    heard = decode([SILENCE_PACKET] * 50)
    assert not heard.any()


@pytest.mark.parametrize("pcm", [np.zeros(319, np.int16), np.zeros(TICK, np.float32), np.zeros((1, TICK), np.int16)])
def test_anything_but_one_tick_of_int16_is_refused(pcm: Pcm) -> None:
    with pytest.raises(ValueError, match="320 int16 samples"):
        OpusEncoder().encode(pcm, 0)


def test_a_microphone_of_any_rate_becomes_16_khz_mono() -> None:
    downsampler, out = Downsampler(), []
    t = np.arange(48_000) / 48_000
    stereo = np.repeat((8000 * np.sin(2 * np.pi * 300 * t)).astype(np.int16), 2)
    for at in range(0, stereo.size, 1920):
        frame = AudioFrame.from_ndarray(stereo[None, at : at + 1920], format="s16", layout="stereo")
        frame.sample_rate = 48_000
        out.append(downsampler.push(frame))
    pcm = np.concatenate(out)
    assert pcm.dtype == np.int16
    assert pcm.size == pytest.approx(SAMPLE_RATE, abs=50)
    assert np.argmax(np.abs(np.fft.rfft(pcm))) * SAMPLE_RATE / pcm.size == pytest.approx(300, abs=2)
    assert downsampler.push(None).size == 0
