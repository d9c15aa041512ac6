"""The responder: honest, and no smarter than its notes."""

from __future__ import annotations

import pytest

from mouthpiece.providers.responder import FALLBACK, HONEST, NOTHING, Responder

PROMPT = """You are Ada, the guide of a museum. Keep your answers short.
The museum opens at nine and closes at half past five. On Mondays it is closed.
Tickets cost twelve dollars for adults. Children under six pay nothing.
- The oldest picture was painted by Anna Bruegel in 1568.
The parking garage is behind the building."""


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("When does the museum open?", "opens at nine"),
        ("how much is a ticket", "twelve dollars"),
        ("what do children pay", "pay nothing"),
        ("who painted the oldest picture", "Bruegel"),
        ("where can I park", "parking garage"),
        ("are you open on monday", "Mondays it is closed"),
    ],
)
def test_questions_find_their_sentence(question: str, words: str) -> None:
    assert words in Responder(PROMPT).answer(question, first=False)


def test_it_says_once_what_it_is() -> None:
    assert Responder(PROMPT).answer("hello", first=True).startswith(HONEST)
    assert HONEST not in Responder(PROMPT).answer("hello", first=False)


@pytest.mark.parametrize(
    ("question", "answer"), [("quantum chromodynamics", FALLBACK), ("thank you very much", "You are welcome.")]
)
def test_what_is_not_in_the_notes_is_not_made_up(question: str, answer: str) -> None:
    assert Responder(PROMPT).answer(question, first=False) == answer


def test_orders_to_the_model_are_no_knowledge() -> None:
    assert Responder("You are a helpful robot. Keep your responses brief.").answer("robot", first=False) == NOTHING
    assert Responder("").answer("", first=False) == NOTHING
