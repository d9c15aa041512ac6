"""Calls in virtual time: what is said, what is done, and when a call without a socket is given up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.polyai import messages as m
from mouthpiece.polyai.signaling import (
    MAX_FAULTS,
    Begin,
    CallSignaling,
    HangUp,
    Leave,
    Newcomer,
    Resume,
    Say,
    Step,
    Trickle,
)
from mouthpiece.transport.candidates import MAX_CANDIDATES

ID = "the-call"
OFFER = m.Offer("", "v=0", "key")
LINE = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"
SDP = f"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na={LINE}\r\na={LINE.replace('50000', '50001')}\r\n"


def call(now: float = 0.0) -> CallSignaling:
    it = CallSignaling(ID, 10.0, now)
    it.attached()
    return it


def said(steps: list[Step]) -> list[dict[str, object]]:
    return [json.loads(step.text) for step in steps if isinstance(step, Say)]


def code(steps: list[Step]) -> object:
    (told,) = said(steps)
    assert isinstance(told["data"], dict)
    return told["data"]["code"]


# --- a socket without a call ---------------------------------------------------------------------------------------
def test_candidates_that_come_before_the_offer_are_kept_for_it_up_to_a_limit() -> None:
    socket = Newcomer()
    early = [m.Candidate("", f"candidate:{n}", None, 0) for n in range(MAX_CANDIDATES + 5)]
    for each in early:
        assert socket.receive(each) == []
    assert socket.receive(OFFER) == [Begin(OFFER, tuple(early[:MAX_CANDIDATES]))]
    assert socket.receive(OFFER) == [Begin(OFFER, ())], "a refused call may be asked for again"


@pytest.mark.parametrize("message", [m.Candidate(ID, LINE, "0", 0), m.Close(ID), m.Ping(ID)])
def test_a_message_with_a_session_id_belongs_to_that_call(message: m.ClientMessage) -> None:
    assert Newcomer().receive(message) == [Resume(ID, message)]


def test_pings_are_answered_and_a_close_without_a_call_closes() -> None:
    assert said(Newcomer().receive(m.Ping(""))) == [{"type": "pong", "sessionId": ""}]
    assert Newcomer().receive(m.Close("")) == [Leave(m.Goodbye())]


def test_an_offer_for_an_old_call_is_none() -> None:
    assert code(Newcomer().receive(m.Offer(ID, "v=0", "key"))) == "INVALID_MESSAGE"


def test_garbage_is_answered_up_to_a_limit() -> None:
    socket, garbage = Newcomer(), m.parse(b"\0")
    for _ in range(MAX_FAULTS - 1):
        assert code(socket.receive(garbage)) == "INVALID_MESSAGE"
    assert socket.receive(garbage)[-1] == Leave(m.Goodbye((), 1008, "too many messages that are not understood"))


# --- a call --------------------------------------------------------------------------------------------------------
def test_the_answer_is_followed_by_our_candidates_and_the_end_mark_and_then_theirs_are_tried() -> None:
    early = (m.Candidate("", LINE, None, 0), m.Candidate("", "", None, 0))
    steps = call().answered(SDP, early)
    answer, first, second, end = said(steps)
    assert (answer["type"], answer["sessionId"], answer["data"]) == ("answer", ID, {"type": "answer", "sdp": SDP})
    assert first["data"] == {"candidate": LINE, "sdpMid": "a", "sdpMLineIndex": 0}
    assert second["data"] == {"candidate": LINE.replace("50000", "50001"), "sdpMid": "a", "sdpMLineIndex": 0}
    assert end["data"] == {"candidate": "", "sdpMid": "a", "sdpMLineIndex": 0}
    assert [step for step in steps if isinstance(step, Trickle)] == [Trickle(early[0])]


@pytest.mark.parametrize("session_id", ["", ID])
def test_messages_of_the_call(session_id: str) -> None:
    it, candidate = call(), m.Candidate(session_id, LINE, "0", 0)
    assert it.receive(candidate) == [Trickle(candidate)]
    assert it.receive(m.Candidate(session_id, "", "0", 0)) == [], "the end mark"
    assert said(it.receive(m.Ping(session_id))) == [{"type": "pong", "sessionId": ID}]
    assert it.receive(m.Close(session_id)) == [HangUp()]


@pytest.mark.parametrize("message", [m.Candidate("other", LINE, "0", 0), m.Close("other"), m.Ping("other")])
def test_a_message_for_another_call_is_refused_and_changes_nothing(message: m.ClientMessage) -> None:
    it = call()
    (told,) = said(it.receive(message))
    assert (told["type"], told["sessionId"]) == ("error", "other")
    assert it.receive(m.Close(ID)) == [HangUp()]


def test_a_second_offer_is_refused_and_its_token_is_asked_for_first() -> None:
    it = call()
    assert code(it.receive(OFFER)) == "INVALID_MESSAGE"
    assert code(it.receive(m.parse('{"type":"offer"}'))) == "UNAUTHORIZED"


def test_too_much_garbage_costs_the_socket_and_not_the_call() -> None:
    it, garbage = call(), m.parse("garbage")
    steps = [it.receive(garbage) for _ in range(MAX_FAULTS)]
    assert isinstance(steps[-1][-1], Leave)
    it.detached(0.0)
    it.attached()
    assert it.receive(garbage)[1:] == [], "another socket begins afresh"


def test_at_the_end_the_client_is_told_why_and_that() -> None:
    problem = m.Problem("MEDIA_BRIDGE_FAILURE", "lost")
    (step,) = call().over(problem)
    assert isinstance(step, Leave)
    assert [json.loads(text)["type"] for text in step.goodbye.texts] == ["error", "close"]
    assert {json.loads(text)["sessionId"] for text in step.goodbye.texts} == {ID}


def test_a_client_that_closed_is_not_told_again_and_after_the_end_nothing_is_said() -> None:
    it = call()
    it.receive(m.Close(ID))
    assert it.over(None) == [Leave(m.Goodbye())]
    assert it.over(None) == []
    assert it.receive(m.Ping(ID)) == []
    assert it.due(1e9) == []


# --- the socket drops ----------------------------------------------------------------------------------------------
def test_a_call_whose_socket_comes_back_within_ten_seconds_goes_on() -> None:
    it = call()
    it.detached(100.0)
    assert it.patience_s(104.0) == pytest.approx(6.0)
    assert it.due(109.9) == []
    it.attached()
    assert it.patience_s(109.9) is None
    assert it.due(1e6) == []
    assert it.receive(m.Close(ID)) == [HangUp()]


def test_a_call_without_socket_and_voice_is_over_after_ten_seconds() -> None:
    it = call()
    it.detached(100.0)
    assert it.due(109.999) == []
    assert it.due(110.0) == [HangUp()]


def test_a_call_whose_voice_arrives_is_alive_without_a_socket() -> None:
    """PolyAI's apps come back without a word, and are known again only when they say something."""
    it = call()
    it.detached(0.0)
    for tick in range(6_000):
        it.heard(tick * 0.02)
        assert it.due(tick * 0.02) == []
    assert it.due(119.98 + 9.9) == []
    assert it.due(119.98 + 10.0) == [HangUp()]


def test_a_call_that_never_had_a_socket_to_answer_is_given_up_too() -> None:
    it = CallSignaling(ID, 10.0, 50.0)
    assert it.due(59.0) == []
    assert it.due(60.0) == [HangUp()]


@given(st.lists(st.tuples(st.sampled_from(["attach", "detach", "voice", "wait"]), st.floats(0, 12)), max_size=40))
def test_it_is_given_up_exactly_when_both_were_gone_for_ten_seconds(story: list[tuple[str, float]]) -> None:
    it, now, attached, last = call(), 0.0, True, 0.0
    for event, seconds in story:
        now += seconds
        if event == "attach":
            it.attached()
            attached = True
        elif event == "detach" and attached:
            it.detached(now)
            attached, last = False, now
        elif event == "voice":
            it.heard(now)
            last = now
        expected = [HangUp()] if not attached and now - last >= 10.0 else []
        if abs(now - last - 10.0) > 1e-6:
            assert it.due(now) == expected
