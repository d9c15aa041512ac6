"""The embedded voice over HTTP: a WAV file that any player reads, and its phones for whoever looks for them."""

from __future__ import annotations

import io
import json
import struct
import wave

import numpy as np

from mouthpiece.web.routes import PHONES_CHUNK, to_wav

PCM = np.arange(1_601, dtype=np.int16)


def chunks(data: bytes) -> dict[bytes, bytes]:
    assert struct.unpack("<4sI4s", data[:12]) == (b"RIFF", len(data) - 8, b"WAVE")
    found, at = {}, 12
    while at < len(data):
        name, size = struct.unpack("<4sI", data[at : at + 8])
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def test_the_phones_stand_in_a_chunk_of_their_own_and_players_pass_over_it() -> None:
    phones = json.dumps([[0, 800, "ˈp"]], ensure_ascii=False).encode()
    data = to_wav(PCM, phones)
    assert json.loads(chunks(data)[PHONES_CHUNK]) == [[0, 800, "ˈp"]]
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, len(PCM))
        assert file.readframes(len(PCM)) == PCM.tobytes()


def test_without_phones_there_is_no_chunk() -> None:
    assert set(chunks(to_wav(PCM))) == {b"fmt ", b"data"}
