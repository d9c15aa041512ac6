"""Whole conversations in real time: what is said, who may interrupt whom, and what happens when a part fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from livekit.agents import APIConnectionError
from tests.agent.conftest import Open
from tests.support.twin_parts import BrokenVoice, KnowingEars, ScriptedMind

from mouthpiece.agent.avatar import NO_MIND, NO_VOICE
from mouthpiece.agent.base import Fault, Finished, Line, Plan
from mouthpiece.agent.conversation import NO_EARS
from mouthpiece.media import Pcm

Person = Callable[[str], Awaitable[Pcm]]
LONG = (
    "This is a rather long answer about many things. It begins with apples and pears. "
    "It goes on with bread and butter. It ends, after a long while, with nothing at all."
)


def plan(**more: object) -> Plan:
    return Plan("s", "You are kind.", **more)  # type: ignore[arg-type]


async def test_the_first_message_is_heard_captioned_and_told_to_the_lips(converse: Open) -> None:
    text = "Hello, my name is Ada."
    async with converse(plan(first_message=text), ears=KnowingEars(), mind=ScriptedMind("no")) as room:
        await room.until(lambda: bool(room.lines))
        assert [(line.role, line.content) for line in room.lines] == [("assistant", text)]
        assert room.captions("assistant")[-1] == text
        assert "Hello," in room.captions("assistant")
        assert len(room.scripts) == 1
        assert len(room.scripts[0].visemes) > 10
        assert max(room.open) > 0.2
        assert room.states("assistant")[:2] == ["listening", "speaking"]


async def test_a_question_is_answered_and_the_turn_is_measured(converse: Open, person: Person) -> None:
    mind = ScriptedMind("It is five o'clock.")
    async with converse(plan(), ears=KnowingEars("what time is it"), mind=mind) as room:
        room.say(await person("What time is it, please?"))
        await room.until(lambda: len(room.lines) == 2)
        assert [line.content for line in room.lines] == ["what time is it", "It is five o'clock."]
        assert mind.contexts[-1].items[-1].text_content == "what time is it"  # type: ignore[union-attr]
        await room.until(lambda: bool(room.turns))
        (turn,) = room.turns
        assert turn.decided is not None
        assert turn.heard is not None
        assert turn.mouth is not None
        assert 0 < turn.decided <= turn.heard <= turn.mouth
        assert turn.first_token is not None


async def test_talking_into_the_answer_stops_it_and_only_what_was_heard_was_said(
    converse: Open, person: Person
) -> None:
    mind = ScriptedMind(LONG, "All right.")
    async with converse(plan(), ears=KnowingEars("tell me", "stop please"), mind=mind) as room:
        room.say(await person("Please tell me something now."))
        await room.until(lambda: len(room.captions("assistant")) > 8)
        room.say(await person("Stop, stop it please, I have heard enough."))
        await room.until(lambda: bool(room.skipped_at))
        skipped = room.skipped_at[0]
        await room.until(lambda: len(room.heard) > skipped + 8)
        assert not any(room.audible[skipped + 2 : skipped + 8]), "silent within two ticks"
        await room.until(lambda: len(room.lines) >= 4)
        said = room.lines[1]
        assert said.interrupted
        assert LONG.startswith(said.content)
        assert 0 < len(said.content) < len(LONG)
        assert [line.content for line in room.lines[2:4]] == ["stop please", "All right."]
        history = [item.text_content for item in mind.contexts[-1].items if item.type == "message"]
        assert said.content in history


async def test_interruptions_in_a_row_leave_the_avatar_able_to_speak(converse: Open) -> None:
    async with converse(plan(first_message=LONG), ears=KnowingEars(), mind=ScriptedMind(LONG)) as room:
        assert room.talk is not None
        for n in range(1, 4):
            await room.until_spoke(n)
            room.talk.interrupt()
            await room.until_said(n)
            session = room.talk._session  # type: ignore[attr-defined]
            session.say("And now for something else.")
        await room.until(lambda: any(not line.interrupted for line in room.lines))
        assert room.lines[-1].content == "And now for something else."
        assert room.states("assistant")[-1] == "listening"


async def test_a_mind_that_fails_is_apologised_for_and_asked_again(converse: Open, person: Person) -> None:
    fault = APIConnectionError("nobody there", retryable=False)
    mind = ScriptedMind(fault, "I am back.")
    async with converse(plan(), ears=KnowingEars("hello", "hello again"), mind=mind) as room:
        room.say(await person("Hello, are you there?"))
        await room.until(lambda: NO_MIND in room.captions("assistant"))
        assert Fault("mind", "nobody there") in room.of(Fault) or "nobody there" in str(room.of(Fault))
        await room.until(lambda: not room.queued)
        room.say(await person("Hello again, are you there?"))
        await room.until(lambda: any(line.content == "I am back." for line in room.lines))


async def test_a_mind_that_hangs_is_apologised_for_and_asked_again(converse: Open, person: Person) -> None:
    mind = ScriptedMind(None, "I am back.")
    ears = KnowingEars("hello", "hello again")
    async with converse(plan(), ears=ears, mind=mind, answer_s=1.5) as room:
        room.say(await person("Hello, are you there?"))
        await room.until(lambda: any(NO_MIND in caption for caption in room.captions("assistant")))
        assert room.of(Fault) == [Fault("mind", "nothing came for 1.5 s")]
        await room.until(lambda: not room.queued)
        room.say(await person("Hello again, are you there?"))
        await room.until(lambda: any(line.content == "I am back." for line in room.lines))


async def test_ears_that_hang_are_apologised_for(converse: Open, person: Person) -> None:
    async with converse(plan(), ears=KnowingEars(), mind=ScriptedMind("no"), answer_s=1.5) as room:
        room.say(await person("Hello, are you there? I have been waiting for you all the day."))
        await room.until(lambda: NO_EARS in room.captions("assistant"))
        assert room.of(Fault) == [Fault("ears", "no words for 1.5 s")]


@pytest.mark.parametrize("seconds", [0.0, 0.5])
async def test_a_voice_that_fails_is_replaced(converse: Open, seconds: float) -> None:
    text = "The answer is forty two."
    parts = {"ears": KnowingEars(), "mind": ScriptedMind("no"), "speaks": BrokenVoice(seconds)}
    async with converse(plan(first_message=text), **parts) as room:
        await room.until(lambda: bool(room.lines))
        assert any("line went dead" in str(fault) for fault in room.of(Fault))
        assert any(NO_VOICE in caption for caption in room.captions("assistant"))
        assert any(text in caption for caption in room.captions("assistant")) == (seconds == 0.0)
        assert any(script.words for script in room.scripts) == (seconds > 0), "the words of another voice are known"


async def test_nobody_speaks_and_it_is_over(converse: Open) -> None:
    async with converse(plan(max_idle_s=0.3), ears=KnowingEars(), mind=ScriptedMind("no")) as room:
        await room.until(lambda: bool(room.of(Finished)))
        assert room.of(Finished) == [Finished("idle")]


async def test_it_ends_in_the_middle_of_a_sentence(converse: Open) -> None:
    async with converse(plan(first_message=LONG), ears=KnowingEars(), mind=ScriptedMind("no")) as room:
        await room.until(lambda: len(room.captions("assistant")) > 3)
    (line,) = room.lines
    assert line.interrupted
    assert LONG.startswith(line.content)
    assert 0 < len(line.content) < len(LONG)


async def test_a_conversation_goes_on_where_it_was(converse: Open, person: Person) -> None:
    mind = ScriptedMind("You said your name was Bob.")
    before = (Line("user", "my name is Bob", 1.0), Line("assistant", "Hello Bob.", 2.0))
    asked = plan(first_message="Hello!", history=before)
    async with converse(asked, ears=KnowingEars("what did I say"), mind=mind) as room:
        room.say(await person("What did I say before?"))
        await room.until(lambda: len(room.lines) == 2)
        assert "Hello!" not in room.captions("assistant")
        texts = [item.text_content for item in mind.contexts[-1].items if item.type == "message"]
        assert texts[-3:] == ["my name is Bob", "Hello Bob.", "what did I say"]


async def test_a_caller_s_own_voice_is_only_listened_for(converse: Open, person: Person) -> None:
    async with converse(plan(first_message="never said"), ears=KnowingEars("good morning")) as room:
        room.push_audio(bytes(32_000 * 20))
        room.say(await person("Good morning to you."))
        await room.until(lambda: bool(room.lines))
        assert [(line.role, line.content) for line in room.lines] == [("user", "good morning")]
        assert room.skipped_at
        assert room.captions("assistant") == []
