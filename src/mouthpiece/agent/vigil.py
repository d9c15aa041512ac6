"""Whether an answer is overdue: the one failure that a speech-to-speech model does not report itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Final, Protocol, TypeVar

UTTERANCE_S: Final = 0.7
"""Shortest speech that must be answered: a cough and a "hm" need not be."""

Piece = TypeVar("Piece")


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """It will not."""


Later = Callable[[float, Callable[[], None]], Timer]
"""Does something after so many seconds."""


def _later(seconds: float, what: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, what)


class Vigil:
    """Waits for an answer whenever the user has said enough, and is quiet. ``overdue`` is called once for each.

    ``patience_s``: how long an answer may take.
    """

    def __init__(self, patience_s: float, overdue: Callable[[], None], later: Later = _later) -> None:
        self._patience_s = patience_s
        self._overdue = overdue
        self._later = later
        self._owed = False
        self._speaking = False
        self._timer: Timer | None = None

    def spoken(self, seconds: float | None) -> None:
        """The user began to speak (None), or has spoken for so long."""
        self._speaking = seconds is None
        self._owed = self._owed or (seconds is not None and seconds >= UTTERANCE_S)
        self._wait()

    def ask(self) -> None:
        """An answer is due without a question, such as the first words."""
        self._owed = True
        self._wait()

    def answered(self) -> None:
        """An answer has begun, or will not come."""
        self._owed = False
        self._wait()

    def _wait(self) -> None:
        """From now on, if there is something to wait for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._owed and not self._speaking:
            self._timer = self._later(self._patience_s, self._over)

    def _over(self) -> None:
        self.answered()
        self._overdue()


async def in_time(pieces: AsyncIterable[Piece], patience_s: float) -> AsyncGenerator[Piece, None]:
    """The pieces as they come. Raises TimeoutError when the next one does not, for so many seconds."""
    source = aiter(pieces)
    while True:
        try:
            async with asyncio.timeout(patience_s):
                piece = await anext(source)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise TimeoutError(f"nothing came for {patience_s:g} s") from error
        yield piece
