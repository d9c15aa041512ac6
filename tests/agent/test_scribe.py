"""Lines on their way into the transcript, while the database is slow, or away, or the writer is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mouthpiece.agent.base import Line
from mouthpiece.agent.scribe import Scribe
from mouthpiece.errors import Unavailable
from mouthpiece.store.conversations import SaidLine


class Shelf:
    """Where lines are kept; ``open`` lets a write pass, ``away`` makes it fail."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.writes = 0
        self.away = False
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def say(self, conversation_id: str, lines: Sequence[SaidLine]) -> None:
        self.begun.set()
        await self.open.wait()
        if self.away:
            raise Unavailable(reason="the database does not answer")
        self.writes += bool(lines)
        self.lines += [line.content for line in lines]


def line(text: str) -> Line:
    return Line("user", text, 1.0)


def scribe(shelf: Shelf) -> Scribe:
    return Scribe(shelf, "c")  # type: ignore[arg-type]


async def test_lines_that_come_while_one_is_written_go_into_the_next_write() -> None:
    shelf = Shelf()
    it = scribe(shelf)
    writing = asyncio.create_task(it.write())
    shelf.open.clear()
    it.keep(line("a"))
    await shelf.begun.wait()
    it.keep(line("b"))
    it.keep(line("c"))
    shelf.open.set()
    await it.flush()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert (shelf.lines, shelf.writes) == (["a", "b", "c"], 2)


async def test_a_writer_that_is_stopped_in_the_middle_loses_nothing_and_writes_nothing_twice() -> None:
    shelf = Shelf()
    it = scribe(shelf)
    writing = asyncio.create_task(it.write())
    shelf.open.clear()
    it.keep(line("a"))
    await shelf.begun.wait()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    it.keep(line("b"))
    last = asyncio.create_task(it.flush())
    await asyncio.sleep(0)
    shelf.open.set()
    await last
    assert shelf.lines == ["a", "b"]


async def test_what_cannot_be_written_is_written_later_in_its_order() -> None:
    shelf = Shelf()
    it = scribe(shelf)
    shelf.away = True
    it.keep(line("a"))
    await it.flush()
    it.keep(line("b"))
    shelf.away = False
    await it.flush()
    assert shelf.lines == ["a", "b"]
