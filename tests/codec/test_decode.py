"""Files of strangers: every kind decodes, and nothing harms more than its own child."""

import base64
import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mouthpiece.codec.decode import AudioKind, AudioSource, DecodeLimits, Decoder, sniff
from mouthpiece.errors import InvalidAudio, TooLarge
from mouthpiece.media import SAMPLE_RATE, Pcm

TONE_HZ = 440


def tone(rate: int, seconds: float = 1.0) -> NDArray[np.int16]:
    return (12_000 * np.sin(2 * np.pi * TONE_HZ * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def wav(samples: NDArray[np.int16], rate: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def encoded(container: str, codec: str, samples: NDArray[np.int16], rate: int) -> bytes:
    """A compressed mono file."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, options={"strict": "experimental"})
        assert isinstance(stream, av.AudioStream)
        stream.layout = "stereo" if codec == "vorbis" else "mono"
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        context = stream.codec_context
        context.open()
        fit = av.AudioResampler(context.format, context.layout, rate, context.frame_size or 1024)
        for piece in [*fit.resample(frame), *fit.resample(None), None]:
            out.mux(stream.encode(piece))
    return file.getvalue()


def is_the_tone(pcm: Pcm, seconds: float = 1.0, slack: float = 0.06) -> bool:
    spectrum = np.abs(np.fft.rfft(pcm[:SAMPLE_RATE].astype(float)))
    peak = int(spectrum.argmax()) * SAMPLE_RATE / min(len(pcm), SAMPLE_RATE)
    level = float(np.sqrt(np.mean(np.square(pcm[2_000:12_000].astype(float)))))
    return (
        abs(peak - TONE_HZ) < 3
        and 5_500 < level < 9_500
        and abs(len(pcm) - seconds * SAMPLE_RATE) < slack * SAMPLE_RATE
    )


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (192_000, 3)])
async def test_raw_samples_of_any_rate_and_channels(rate: int, channels: int) -> None:
    samples = np.repeat(tone(rate), channels)
    assert is_the_tone(await Decoder().decode(samples.tobytes(), AudioSource("pcm16", rate, channels)), slack=0.0002)
    loud = (samples.astype(np.int32) << 16).tobytes()
    assert is_the_tone(await Decoder().decode(loud, AudioSource("pcm32", rate, channels)), slack=0.0002)


async def test_channels_are_averaged_and_16_khz_mono_is_kept_bit_for_bit() -> None:
    left = tone(SAMPLE_RATE)
    pcm = await Decoder().decode(np.stack([left, -left], 1).tobytes(), AudioSource("pcm16", channels=2))
    assert not pcm.any()
    assert np.array_equal(await Decoder().decode(left.tobytes(), AudioSource("pcm16")), left)
    assert np.array_equal(await Decoder().decode(left.tobytes() + b"x", AudioSource("pcm16")), left)
    assert np.array_equal(await Decoder().decode(wav(left, SAMPLE_RATE), AudioSource("wav")), left)


@pytest.mark.parametrize(
    ("kind", "codec", "rate"),
    [
        ("wav", "pcm_s24le", 44_100),
        ("wav", "pcm_f32le", 48_000),
        ("wav", "pcm_mulaw", 8_000),
        ("wav", "adpcm_ima_wav", 22_050),
        ("mp3", "libmp3lame", 44_100),
        ("mp3", "libmp3lame", 16_000),
        ("ogg", "vorbis", 44_100),
        ("ogg", "libopus", 48_000),
        ("ogg", "flac", 32_000),
    ],
)
async def test_files_say_their_own_rate(kind: AudioKind, codec: str, rate: int) -> None:
    data = encoded(kind, codec, tone(rate), rate)
    assert sniff(data[:12]) == kind
    assert is_the_tone(await Decoder().decode(data, AudioSource(kind, rate=11_025, channels=2)))
    text = base64.b64encode(data)
    assert is_the_tone(await Decoder().decode(text, AudioSource(kind, base64=True)))


async def test_base64_in_all_its_dialects() -> None:
    samples = tone(SAMPLE_RATE)
    plain = base64.b64encode(samples.tobytes())
    dialects = [
        plain,
        base64.urlsafe_b64encode(samples.tobytes()),
        plain.rstrip(b"="),
        plain.replace(b"/", b"\\/"),
        b"data:audio/pcm;rate=16000;base64," + plain,
        plain[:1000] + b"\r\n" + plain[1000:],
    ]
    for text in dialects:
        assert np.array_equal(await Decoder().decode(text, AudioSource("pcm16", base64=True)), samples)
    with pytest.raises(InvalidAudio, match="base64"):
        await Decoder().decode(b"*&^%" * 5, AudioSource("pcm16", base64=True))


async def test_a_truncated_file_gives_what_it_holds() -> None:
    rate = 44_100
    files: list[tuple[AudioKind, str]] = [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("ogg", "flac")]
    for kind, codec in files:
        data = encoded(kind, codec, tone(rate, 2.0), rate)
        pcm = await Decoder().decode(data[: len(data) * 3 // 4], AudioSource(kind))
        assert is_the_tone(pcm, 1.5, slack=0.6), kind


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", "wav", "empty"),
        (b"", "pcm16", "empty"),
        (b"x", "pcm16", "no sound"),
        (wav(tone(8_000)[:0], 8_000), "wav", "no sound"),
        (bytes(100), "wav", "not a readable wav"),
        (bytes(5_000), "ogg", "not a readable ogg"),
        (b"RIFF____WAVE" + bytes(range(256)) * 20, "wav", "not a readable wav"),
        (wav(tone(8_000), 8_000), "mp3", "is wav, not mp3"),
        (wav(tone(8_000), 8_000), "pcm16", "is wav, not pcm16"),
        (b"OggS" + bytes(400), "wav", "is ogg, not wav"),
        (b"ID3" + bytes(400), "ogg", "is mp3, not ogg"),
        (b"\xff\xfb" + b"no frames here " * 400, "mp3", "not a readable mp3|damaged|no sound"),
        (encoded("wav", "aac", tone(16_000), 16_000), "wav", "aac inside|not a readable|not supported"),
    ],
)
async def test_lies_and_rubbish_are_named(data: bytes, kind: AudioKind, reason: str) -> None:
    with pytest.raises(InvalidAudio, match=reason):
        await Decoder().decode(data, AudioSource(kind))


async def test_noise_never_crashes_us() -> None:
    noise = np.random.default_rng(7).bytes(200_000)
    heads: list[tuple[AudioKind, bytes]] = [
        ("mp3", b""),
        ("mp3", b"ID3\x04"),
        ("ogg", b"OggS\0\2"),
        ("wav", b"RIFF\xff\xff\xff\x7fWAVEfmt "),
    ]
    for kind, head in heads:
        with pytest.raises(InvalidAudio):
            await Decoder().decode(head + noise, AudioSource(kind))


@pytest.mark.parametrize("source", [AudioSource("pcm16", 10), AudioSource("pcm16", 16_000, 0), AudioSource("wav", 0)])
async def test_impossible_rates_and_channels_are_refused(source: AudioSource) -> None:
    with pytest.raises(InvalidAudio, match="not within"):
        await Decoder().decode(bytes(100), source)


async def test_a_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    """Ten minutes of silence in a few kilobytes."""
    data = encoded("ogg", "flac", np.zeros(600 * 16_000, np.int16), 16_000)
    assert len(data) < 600_000
    path = tmp_path / "out.pcm"
    with path.open("wb") as out, pytest.raises(TooLarge, match="5 s"):
        await Decoder(DecodeLimits(max_s=5)).decode_to(data, AudioSource("ogg"), out)
    assert path.stat().st_size <= 2 * 5 * SAMPLE_RATE
    with pytest.raises(TooLarge):
        await Decoder(DecodeLimits(max_s=5)).decode(bytes(2 * 80_002), AudioSource("pcm16"))
    assert len(await Decoder(DecodeLimits(max_s=5)).decode(bytes(2 * 80_000), AudioSource("pcm16"))) == 80_000


async def test_memory_cpu_and_time_are_bounded() -> None:
    big = bytes(60_000_000)
    with pytest.raises(InvalidAudio, match="memory"):
        await Decoder(DecodeLimits(memory=330_000_000, max_s=9e9)).decode(big, AudioSource("pcm16", base64=True))
    with pytest.raises(InvalidAudio, match="too long"):
        await Decoder(DecodeLimits(cpu_s=1, max_s=9e9)).decode(bytes(300_000_000), AudioSource("pcm16", 4_000))
    with pytest.raises(InvalidAudio, match="more than"):
        await Decoder(DecodeLimits(timeout_s=0.01)).decode(big, AudioSource("pcm16"))


async def test_the_file_gets_the_samples_and_the_count(tmp_path: Path) -> None:
    path = tmp_path / "out.pcm"
    with path.open("wb") as out:
        count = await Decoder().decode_to(tone(16_000).tobytes(), AudioSource("pcm16"), out)
    assert count == 16_000
    assert np.array_equal(np.fromfile(path, np.int16), tone(16_000))
