"""A voice over a path that loses, swaps and repeats."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.support.viewing import tone

from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.media import TICK, Pcm
from mouthpiece.transport.microphone import MicrophoneBuffer, Mirror, Reorder


def through(order: list[int]) -> list[int | None]:
    """Sequence numbers in the order of arrival to what is played; None for silence."""
    reorder = Reorder()
    played = [part for n in order for part in reorder.push(n & 0xFFFF, str(n).encode())]
    return [None if part is None else int(part) for part in played]


def test_in_order_nothing_waits() -> None:
    reorder = Reorder()
    for n in range(65_530, 65_542):
        assert list(reorder.push(n & 0xFFFF, b"x")) == [b"x"]


def test_a_swap_is_put_right() -> None:
    assert through([1, 3, 2, 4]) == [1, 2, 3, 4]
    assert through([1, 4, 3, 2, 5]) == [1, 2, 3, 4, 5]


def test_a_lost_packet_is_silence_once_three_later_ones_are_there() -> None:
    assert through([1, 3, 4]) == [1]
    assert through([1, 3, 4, 5]) == [1, None, 3, 4, 5]


def test_after_a_loss_nothing_is_late_for_ever() -> None:
    reorder = Reorder()
    for n in (1, 3, 4, 5, 6):
        list(reorder.push(n, b"x"))
    assert list(reorder.push(7, b"y")) == [b"y"]


def test_late_and_repeated_packets_are_dropped() -> None:
    assert through([1, 3, 4, 5, 2, 5, 6]) == [1, None, 3, 4, 5, 6]


def test_a_long_gap_is_left_out() -> None:
    assert through([1, 51, 52, 53]) == [1, *[None] * 5, 51, 52, 53]


def test_a_new_stream_starts_over() -> None:
    assert through([1, 2, 20_000, 20_001, 5]) == [1, 2, 20_000, 20_001, 5]


@given(st.randoms(use_true_random=False), st.integers(0, 65_535))
def test_any_path_plays_each_packet_at_most_once_and_in_order(chance: random.Random, start: int) -> None:
    sent = [start + n for n in range(60) if chance.random() > 0.1]
    order = sorted(sent, key=lambda n: n + chance.uniform(0, 6))
    played = [n for n in through(order) if n is not None]
    assert played == sorted(set(played))


@dataclass
class Arrived:
    sequence_number: int
    _data: bytes
    timestamp: int = 0


def test_sound_comes_out_at_once_and_damage_costs_only_itself() -> None:
    heard: list[Pcm] = []
    buffer = MicrophoneBuffer(heard.append)
    encoder, voice = OpusEncoder(), tone(1.0, hertz=500)
    for n in range(50):
        data = encoder.encode(voice[n * TICK : (n + 1) * TICK], n * TICK).data
        data = {10: b"", 11: b"\xff", 12: b"\x03\xff" * 50, 13: bytes(1400)}.get(n, data)
        assert buffer.add(Arrived(n, data)) == (False, None)
        assert len(heard) >= min(n + 1, 10)
    total = sum(part.size for part in heard)
    assert total > 45 * TICK
    rest = np.concatenate(heard)[-20 * TICK :]
    spectrum = np.abs(np.fft.rfft(rest * np.hanning(rest.size)))
    assert np.argmax(spectrum) * 16_000 / rest.size == 500


def test_a_mirror_keeps_the_distances_of_the_packets_across_the_end_of_the_clock() -> None:
    mirror = Mirror(0)
    times = [0xFFFF_FFFF - 960, 0xFFFF_FFFF, 959, 959 + 2880]
    assert [mirror.place(each) for each in times] == [0, 960, 1920, 4800]


def test_a_mirror_sends_back_neither_late_nor_repeated_packets() -> None:
    mirror = Mirror(0)
    assert [mirror.place(each) for each in (0, 1920, 960, 1920, 2880)] == [0, 1920, None, None, 2880]


def test_packets_are_told_as_they_came_and_empty_ones_are_none() -> None:
    came: list[tuple[bytes, int]] = []
    buffer = MicrophoneBuffer(lambda pcm: None, lambda payload, timestamp: came.append((payload, timestamp)))
    data = OpusEncoder().encode(tone(0.02), 0).data
    for n, payload in enumerate([data, b"", data]):
        buffer.add(Arrived(n, payload, n * 960))
    assert came == [(data, 0), (data, 1920)]
