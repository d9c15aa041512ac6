"""An agent's streams of sound, read in order, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from tests.support.viewing import Listening

from mouthpiece.transport.segments import Segments

PLAIN = {"sample_rate": "16000", "num_channels": "1"}


class Room(Listening):
    """What the session was told, as one list."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[object] = []
        self._changed = asyncio.Event()

    def note(self, what: object) -> None:
        self.told.append(what)
        self._changed.set()

    def on_segment_sound(self, data: bytes) -> None:
        self.note(data)

    def on_segment_end(self) -> None:
        self.note("end")

    def on_clear(self) -> None:
        self.note("clear")

    async def heard(self, count: int) -> list[object]:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.told


class Stream:
    """A stream that a test fills; None ends it, an exception breaks it."""

    def __init__(self, *pieces: bytes | Exception | None) -> None:
        self.pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        for piece in pieces:
            self.pieces.put_nowait(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self.pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@asynccontextmanager
async def reading(idle_s: float = 10.0) -> AsyncIterator[tuple[Segments, Room]]:
    room = Room()
    segments = Segments(room, lambda: room.note("unheard"), idle_s)
    task = asyncio.create_task(segments.run())
    try:
        yield segments, room
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_streams_are_read_one_after_the_other_and_each_end_is_told() -> None:
    async with reading() as (segments, room):
        segments.opened(Stream(b"ab", b"cd", None), PLAIN)
        segments.opened(Stream(b"ef", None), PLAIN)
        assert await room.heard(5) == [b"ab", b"cd", "end", b"ef", "end"]


async def test_a_newer_stream_ends_one_whose_end_was_lost() -> None:
    async with reading() as (segments, room):
        segments.opened(Stream(b"ab"), PLAIN)
        await room.heard(1)
        segments.opened(Stream(b"cd", None), PLAIN)
        assert await room.heard(4) == [b"ab", "end", b"cd", "end"]


@pytest.mark.parametrize("last", [None, ConnectionError("gone")])
async def test_a_stream_that_falls_silent_or_breaks_ends(last: Exception | None) -> None:
    async with reading(idle_s=0.05) as (segments, room):
        segments.opened(Stream(b"ab", *([last] if last else [])), PLAIN)
        assert await room.heard(2) == [b"ab", "end"]
        segments.opened(Stream(b"cd", None), PLAIN)
        assert (await room.heard(4))[2:] == [b"cd", "end"]


async def test_clear_throws_the_rest_away_and_the_next_segment_is_heard() -> None:
    async with reading() as (segments, room):
        first = Stream(b"ab")
        segments.opened(first, PLAIN)
        await room.heard(1)
        segments.clear()
        first.pieces.put_nowait(b"xx")
        assert await room.heard(3) == [b"ab", "clear", "end"]
        segments.opened(Stream(b"cd", None), PLAIN)
        assert (await room.heard(5))[3:] == [b"cd", "end"]


async def test_clear_before_anything_was_read_is_told_once_sound_comes() -> None:
    async with reading() as (segments, room):
        first, second = Stream(), Stream(b"zz", None)
        segments.opened(first, PLAIN)
        segments.opened(second, PLAIN)
        segments.clear()
        first.pieces.put_nowait(b"xx")
        first.pieces.put_nowait(None)
        told = await room.heard(4)
        assert told[0] == "clear"
        assert told.count("unheard") >= 1
        assert b"xx" not in told
        assert b"zz" not in told


@pytest.mark.parametrize(
    ("attributes", "make"),
    [
        ({"sample_rate": "48000", "num_channels": "1"}, lambda mono: np.repeat(mono, 3)),
        ({"sample_rate": "16000", "num_channels": "2"}, lambda mono: np.repeat(mono, 2)),
    ],
)
async def test_other_rates_and_channels_become_ours(
    attributes: dict[str, str], make: Callable[[np.ndarray], np.ndarray]
) -> None:
    mono = (8_000 * np.sin(np.arange(8_000) / 20)).astype(np.int16)
    data = make(mono).astype("<i2").tobytes()
    async with reading() as (segments, room):
        cut = 1_001  # in the middle of a sample
        segments.opened(Stream(data[:cut], data[cut:], None), attributes)
        async with asyncio.timeout(10):
            while "end" not in room.told:
                await room.heard(len(room.told) + 1)
        heard = np.frombuffer(b"".join(piece for piece in room.told if isinstance(piece, bytes)), "<i2")
    assert abs(len(heard) - len(mono)) <= 1
    n = min(len(heard), len(mono)) - 200
    assert np.corrcoef(heard[100:n], mono[100:n])[0, 1] > 0.99


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"sample_rate": "x", "num_channels": "1"},
        {"sample_rate": "16000"},
        {"sample_rate": "1", "num_channels": "1"},
    ],
)
async def test_a_stream_of_unknown_format_is_not_read(attributes: dict[str, str]) -> None:
    async with reading() as (segments, room):
        segments.opened(Stream(b"xx", None), attributes)
        segments.opened(Stream(b"ab", None), PLAIN)
        assert await room.heard(2) == [b"ab", "end"]
