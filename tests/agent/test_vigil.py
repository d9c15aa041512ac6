"""Whether an answer is overdue, and pieces that come in time or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from mouthpiece.agent.vigil import UTTERANCE_S, Vigil, in_time

LONG = UTTERANCE_S + 0.1
SHORT = UTTERANCE_S - 0.1
PATIENCE_S = 10.0


@dataclass
class Alarm:
    """What is set to happen; time passes when a test says so."""

    now: float = 0.0
    rang: int = 0
    set: dict[object, tuple[float, Callable[[], None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.vigil = Vigil(PATIENCE_S, self.ring, self.later)

    def ring(self) -> None:
        self.rang += 1

    def later(self, seconds: float, what: Callable[[], None]) -> Bell:
        bell = Bell(self)
        self.set[bell] = (self.now + seconds, what)
        return bell

    def says(self, seconds: float) -> None:
        self.vigil.spoken(None)
        self.wait(seconds)
        self.vigil.spoken(seconds)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for bell, (at, what) in list(self.set.items()):
            if at <= self.now:
                self.set.pop(bell)
                what()


@dataclass(eq=False)
class Bell:
    alarm: Alarm

    def cancel(self) -> None:
        self.alarm.set.pop(self, None)


@pytest.mark.parametrize(("seconds", "rings"), [(LONG, 1), (SHORT, 0)])
def test_what_was_said_must_be_answered_unless_it_was_a_cough(seconds: float, rings: int) -> None:
    alarm = Alarm()
    alarm.says(seconds)
    alarm.wait(PATIENCE_S - 0.1)
    assert alarm.rang == 0
    alarm.wait(0.2)
    assert alarm.rang == rings
    alarm.wait(10 * PATIENCE_S)
    assert alarm.rang == rings, "once for each question"


def test_an_answer_ends_the_wait() -> None:
    alarm = Alarm()
    alarm.says(LONG)
    alarm.wait(5.0)
    alarm.vigil.answered()
    alarm.wait(2 * PATIENCE_S)
    assert alarm.rang == 0


def test_it_waits_anew_from_the_end_of_whatever_else_is_said() -> None:
    alarm = Alarm()
    alarm.says(LONG)
    alarm.wait(5.0)
    alarm.says(2 * PATIENCE_S)
    assert alarm.rang == 0, "nobody is answered while they speak"
    alarm.says(SHORT)  # the question is still open
    alarm.wait(PATIENCE_S - 0.1)
    assert alarm.rang == 0
    alarm.wait(0.2)
    assert alarm.rang == 1


def test_first_words_are_waited_for_but_not_while_the_user_speaks() -> None:
    alarm = Alarm()
    alarm.vigil.ask()
    alarm.vigil.ask()
    alarm.wait(PATIENCE_S + 0.1)
    assert alarm.rang == 1
    alarm.vigil.spoken(None)
    alarm.vigil.ask()
    alarm.wait(PATIENCE_S + 0.1)
    assert alarm.rang == 1
    alarm.vigil.spoken(SHORT)
    alarm.wait(PATIENCE_S + 0.1)
    assert alarm.rang == 2


async def test_pieces_that_come_are_passed_on_and_one_that_does_not_is_a_fault() -> None:
    never = asyncio.Event()
    ended = []

    async def pieces(stalls: bool) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
            if stalls:
                await never.wait()
        finally:
            ended.append(stalls)

    assert [piece async for piece in in_time(pieces(False), 60.0)] == [1, 2]
    late = in_time(pieces(True), 0.05)
    assert [await anext(late), await anext(late)] == [1, 2]
    with pytest.raises(TimeoutError, match=r"nothing came for 0\.05 s"):
        await anext(late)
    assert ended == [False, True]
