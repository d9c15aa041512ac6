"""The gateway's grammar: every field of its document, every code, and whatever else a socket may carry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.spec.facts import CALL_CODES, CALL_FIELDS, CALL_TYPES
from tests.support.seeds import between, seed

from mouthpiece import errors
from mouthpiece.polyai import messages as m

OFFER = {"type": "offer", "sessionId": "", "data": {"type": "offer", "sdp": "v=0"}, "authToken": "key"}


def parsed(**more: object) -> m.ClientMessage:
    return m.parse(json.dumps({**OFFER, **more}))


def blocks(kind: str) -> Iterator[dict[str, object]]:
    """The sample messages of the document, of one type."""
    for block in re.findall(r"```json[^\n]*\n(.*?)\n```", seed(4), re.DOTALL):
        content = json.loads(block)
        if content["type"] == kind:
            yield content


# --- what clients say ----------------------------------------------------------------------------------------------
def test_the_offer_of_the_document_is_understood_with_all_its_facts() -> None:
    (sample,) = blocks("offer")
    assert m.parse(json.dumps(sample)) == m.Offer(
        session_id="",
        sdp="v=0 o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        token="your-auth-token",
        call={"callSid": "call-unique-id", "caller": "+14155551234", "callee": "+14155555678"},
    )


def test_every_field_of_the_documents_envelope_is_known() -> None:
    table = between(seed(4), "## Message structure", "## Message types")
    fields = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert set(fields) == CALL_FIELDS
    facts = {name: "x" for name in fields if name not in ("type", "sessionId", "data", "authToken", "mode")}
    facts["agentVersionOverride"] = {"artifactVersion": "7", "lambdaDeploymentVersion": "8"}  # type: ignore[assignment]
    offer = parsed(**facts, mode="traditional", unheard_of=1)
    assert isinstance(offer, m.Offer)
    assert (offer.call, offer.mode, offer.project) == (facts, "traditional", "x")


@pytest.mark.parametrize("session_id", ["", None, ...])
def test_a_new_call_has_an_empty_session_id_or_none(session_id: object) -> None:
    """``""`` as documented; null or nothing at all as PolyAI's apps send it."""
    content = {name: value for name, value in {**OFFER, "sessionId": session_id}.items() if value is not ...}
    offer = m.parse(json.dumps(content))
    assert isinstance(offer, m.Offer)
    assert offer.session_id == ""


@pytest.mark.parametrize("token", [None, "", "  ", 7, {}])
def test_an_offer_without_a_token_is_unauthorized_whatever_else_is_in_it(token: object) -> None:
    assert parsed(authToken=token, mode="nonsense", data=None) == m.Problem("UNAUTHORIZED", "Auth token required")
    assert "`Auth token required`" in seed(4)


@pytest.mark.parametrize("mode", ["end-to-end", "traditional", "echo"])
def test_the_modes(mode: str) -> None:
    offer = parsed(mode=mode)
    assert isinstance(offer, m.Offer)
    assert offer.mode == mode
    assert f"`{mode}`" in seed(4)


@pytest.mark.parametrize("mode", [None, "", ...])
def test_without_a_mode_it_is_end_to_end(mode: object) -> None:
    offer = parsed() if mode is ... else parsed(mode=mode)
    assert isinstance(offer, m.Offer)
    assert offer.mode == "end-to-end"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "e2e"),
        ("mode", 7),
        ("mode", ["echo"]),
        ("callSid", 7),
        ("caller", {"number": 1}),
        ("callee", "x" * 1_001),
        ("projectId", ["a"]),
        ("agentVersionOverride", "latest"),
        ("agentVersionOverride", {"artifactVersion": 7}),
    ],
)
def test_a_field_with_a_value_that_it_cannot_have_is_named(field: str, value: object) -> None:
    problem = parsed(**{field: value})
    assert isinstance(problem, m.Problem)
    assert problem.code == "INVALID_ARGUMENT"
    assert field in problem.message


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b'{"type":"ping"}',
        "",
        "hello",
        "[]",
        "7",
        "null",
        "{}",
        '{"type":7}',
        '{"type":"answer","sessionId":"","data":{}}',
        '{"type":"OFFER"}',
        '{"type":"close","sessionId":7}',
        '{"type":"ice-candidate","data":"candidate:1"}',
        '{"type":"ice-candidate","data":{"candidate":7}}',
        '{"type":"ice-candidate","data":{"candidate":"","sdpMid":7}}',
        '{"type":"ice-candidate","data":{"candidate":"","sdpMLineIndex":"0"}}',
        '{"type":"offer","authToken":"k","data":{"type":"offer"}}',
        '{"type":"offer","authToken":"k","data":{"type":"answer","sdp":"v=0"}}',
        '{"type":"offer","authToken":"k","data":{"type":"offer","sdp":""}}',
        '{"type":"offer","authToken":"k"}',
        "[" * 100_000,
        '{"type":"ping","x":"' + "x" * 300_000 + '"}',
    ],
    ids=lambda message: str(message[:40]),
)
def test_what_is_malformed_or_unsupported_is_an_invalid_message(message: str | bytes) -> None:
    problem = m.parse(message)
    assert isinstance(problem, m.Problem)
    assert problem.code == "INVALID_MESSAGE"
    assert problem.message


def test_the_other_samples_of_the_document() -> None:
    (candidate,), (close,) = blocks("ice-candidate"), blocks("close")
    session_id = "550e8400-e29b-41d4-a716-446655440000"
    text = "candidate:1 1 UDP 2130706431 192.168.1.1 54321 typ host"
    assert m.parse(json.dumps(candidate)) == m.Candidate(session_id, text, "0", 0)
    assert m.parse(json.dumps(close)) == m.Close(session_id)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"candidate": "candidate:1", "sdpMid": None, "sdpMLineIndex": None}, ("candidate:1", None, None)),
        ({"candidate": "", "sdpMid": "0"}, ("", "0", None)),
        ({"candidate": None}, ("", None, None)),
        (None, ("", None, None)),
        ({"candidate": "candidate:1", "sdpMLineIndex": True, "usernameFragment": "x"}, ("candidate:1", None, None)),
    ],
)
def test_candidates_as_apps_and_browsers_send_them(data: object, expected: tuple[str, str | None, int | None]) -> None:
    message = json.dumps({"type": "ice-candidate", "sessionId": None, "data": data})
    assert m.parse(message) == m.Candidate("", *expected)


@given(st.one_of(st.binary(), st.text(), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "sessionId", "data", "authToken", "mode", "sdp", "candidate", "callSid"]), inner),
    max_leaves=8).map(json.dumps)))  # fmt: skip
def test_anything_is_a_message_or_a_problem_that_can_be_said(message: str | bytes) -> None:
    result = m.parse(message)
    if isinstance(result, m.Problem):
        told = json.loads(m.error(result))
        assert told["data"]["code"] in CALL_CODES
        assert told["data"]["message"]


# --- what we say ---------------------------------------------------------------------------------------------------
def test_our_messages_are_the_documents_samples_again() -> None:
    session_id = "550e8400-e29b-41d4-a716-446655440000"
    said = {
        "answer": m.answer(session_id, "v=0 o=- 4611731400430051336 2 IN IP4 192.168.1.1"),
        "ice-candidate": m.candidate(
            m.Candidate(session_id, "candidate:1 1 UDP 2130706431 192.168.1.1 54321 typ host", "0", 0)
        ),
        "close": m.close(session_id),
        "error": m.error(m.Problem("UNAUTHORIZED", m.AUTH_INVALID, session_id)),
    }
    for kind, text in said.items():
        assert [json.loads(text)] == list(blocks(kind)), kind


def test_the_documents_messages_go_the_ways_of_our_table() -> None:
    text = between(seed(4), "## Message types", "Error codes:")
    ways = dict(re.findall(r"^### ([\w ]+) \(([\w ]+)\)", text, re.MULTILINE))
    names = {name.lower().replace(" ", "-"): way for name, way in ways.items()}
    assert set(names) == set(CALL_TYPES)
    for name, way in names.items():
        expected = {"client to server": ("in", "both"), "server to client": ("out",), "bidirectional": ("both",)}
        assert CALL_TYPES[name] in expected[way], name


def test_an_offer_for_a_worker_is_read_there_as_it_was_here() -> None:
    build = {"artifactVersion": "7"}
    offer = parsed(mode="echo", callSid="c", projectId="p", agentVersionOverride=build)
    assert isinstance(offer, m.Offer)
    assert m.parse(m.offer(offer)) == offer
    assert "key" not in repr(offer)


def test_the_documents_codes_are_all_there_are() -> None:
    table = between(seed(4), "Error codes:", "## WebRTC configuration")
    assert set(re.findall(r"^\| `([A-Z_]+)`", table, re.MULTILINE)) == CALL_CODES


def leaves(cls: type[errors.MouthpieceError]) -> Iterator[type[errors.MouthpieceError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from leaves(sub)


@pytest.mark.parametrize("fault", list(leaves(errors.MouthpieceError)), ids=lambda fault: fault.code)
def test_every_fault_has_a_code_and_words(fault: type[errors.MouthpieceError]) -> None:
    facts = {"retry_s", "reason", *re.findall(r"\{(\w+)\}", fault.text)}
    problem = m.problem(fault(**dict.fromkeys(facts, "7")), "some-id")
    assert problem.code in CALL_CODES
    assert problem.message
    assert problem.session_id == "some-id"
    if issubclass(fault, errors.Denied):
        assert problem.code == "UNAUTHORIZED"


def test_a_wrong_token_is_told_in_the_documents_words() -> None:
    for fault in (errors.InvalidApiKey(), errors.InvalidSessionToken()):
        assert m.problem(fault).message == "Invalid authentication token"
    assert "expired" in m.problem(errors.SessionTokenExpired()).message
