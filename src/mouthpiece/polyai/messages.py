"""The grammar of the gateway's signalling: JSON text both ways, one envelope for every message.

Pure. Source: PolyAI's document of its WebRTC gateway. Where it is silent, what the clients of PolyAI send and accept
decides: ``sessionId`` may be null, a candidate's ``sdpMid`` and ``sdpMLineIndex`` too, an empty candidate is the end
mark, and ``ping`` is answered with ``pong``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from mouthpiece import errors

Mode = Literal["end-to-end", "traditional", "echo"]
MODES: Final = ("end-to-end", "traditional", "echo")

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
UNACCEPTABLE: Final = 1008

LONGEST_MESSAGE: Final = 256 * 1024
"""Characters of one message: twice the longest SDP that is read."""

LONGEST_TEXT: Final = 1_000
"""Characters of one fact about a call."""

AUTH_REQUIRED: Final = "Auth token required"
AUTH_INVALID: Final = "Invalid authentication token"

_TEXTS: Final = ("callSid", "caller", "callee", "accountId", "projectId", "variantId")
_BUILD: Final = ("artifactVersion", "lambdaDeploymentVersion")


# --- what clients say ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Offer:
    """A call is to begin. ``call``: what is told about it, in the wire's own names."""

    session_id: str
    sdp: str
    token: str = field(repr=False)
    mode: Mode = "end-to-end"
    project: str = ""
    call: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ICE candidate; an empty one is the end mark."""

    session_id: str
    candidate: str
    mid: str | None
    index: int | None


@dataclass(frozen=True, slots=True)
class Close:
    """The call is to end."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Is anybody there?"""

    session_id: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that cannot be done, as the wire words it. ``session_id``: of the message that it answers."""

    code: str
    message: str
    session_id: str = ""


ClientMessage = Offer | Candidate | Close | Ping | Problem


def parse(message: str | bytes) -> ClientMessage:
    """What a client says; a ``Problem`` says what is wrong with it."""
    if isinstance(message, bytes):
        return _malformed("signalling is text: binary messages are not understood")
    if len(message) > LONGEST_MESSAGE:
        return _malformed(f"a message has at most {LONGEST_MESSAGE} characters")
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return _malformed("a message is one JSON object")
    if not isinstance(content, dict):
        return _malformed("a message is one JSON object")
    session_id = content.get("sessionId")
    if not isinstance(session_id, str | None):
        return _malformed("sessionId must be a string")
    return _parse(content, session_id or "")


def _parse(content: Mapping[str, object], session_id: str) -> ClientMessage:
    match content.get("type"):
        case "offer":
            return _offer(content, session_id)
        case "ice-candidate":
            return _candidate(content.get("data"), session_id)
        case "close":
            return Close(session_id)
        case "ping":
            return Ping(session_id)
        case str() as kind:
            return _malformed(f"unsupported type {kind[:40]!r}: send offer, ice-candidate, close or ping", session_id)
        case _:
            return _malformed("type is missing", session_id)


def _malformed(message: str, session_id: str = "") -> Problem:
    return Problem("INVALID_MESSAGE", message, session_id)


def _offer(content: Mapping[str, object], session_id: str) -> Offer | Problem:
    token = content.get("authToken")
    if not isinstance(token, str) or not token.strip():
        return Problem("UNAUTHORIZED", AUTH_REQUIRED, session_id)
    data = content.get("data")
    sdp = data.get("sdp") if isinstance(data, dict) and data.get("type", "offer") == "offer" else None
    if not isinstance(sdp, str) or not sdp:
        return _malformed('the data of an offer is {"type":"offer","sdp":…}', session_id)
    mode = content.get("mode")
    if mode not in (None, "", *MODES):
        return Problem("INVALID_ARGUMENT", f"unknown mode {str(mode)[:40]!r}: use {', '.join(MODES)}", session_id)
    wrong = next(_wrong_facts(content), None)
    if wrong is not None:
        return Problem("INVALID_ARGUMENT", wrong, session_id)
    known = cast("Mode", mode or "end-to-end")
    return Offer(session_id, sdp, token.strip(), known, str(content.get("projectId") or ""), _facts(content))


def _wrong_facts(content: Mapping[str, object]) -> Iterator[str]:
    for name in _TEXTS:
        if not _is_text(content.get(name)):
            yield f"{name} must be a string of at most {LONGEST_TEXT} characters"
    build = content.get("agentVersionOverride")
    if build is not None and not (isinstance(build, dict) and all(_is_text(build.get(name)) for name in _BUILD)):
        yield f"agentVersionOverride must be an object of strings: {', '.join(_BUILD)}"


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


def _facts(content: Mapping[str, object]) -> dict[str, object]:
    """What was told about the call; fields that we do not know are not kept."""
    facts: dict[str, object] = {name: content[name] for name in _TEXTS if content.get(name)}
    build = content.get("agentVersionOverride")
    pinned = {name: build[name] for name in _BUILD if build.get(name)} if isinstance(build, dict) else {}
    return facts | ({"agentVersionOverride": pinned} if pinned else {})


def _candidate(data: object, session_id: str) -> Candidate | Problem:
    if data is None:  # a browser's own end mark
        return Candidate(session_id, "", None, None)
    wrong = _malformed("the data of an ice-candidate is {candidate, sdpMid, sdpMLineIndex}", session_id)
    if not isinstance(data, dict):
        return wrong
    text, mid, index = (data.get(name) for name in ("candidate", "sdpMid", "sdpMLineIndex"))
    if not isinstance(text, str | None) or not isinstance(mid, str | None) or not isinstance(index, int | None):
        return wrong
    return Candidate(session_id, text or "", mid, None if isinstance(index, bool) else index)


# --- what we say ---------------------------------------------------------------------------------------------------
def _text(kind: str, session_id: str, data: object = None) -> str:
    envelope = {"type": kind, "sessionId": session_id}
    return json.dumps(envelope if data is None else {**envelope, "data": data}, separators=(",", ":"))


def offer(asked: Offer) -> str:
    """An offer as its client sent it, for a worker that has not read it."""
    content = {"type": "offer", "sessionId": asked.session_id, "data": {"type": "offer", "sdp": asked.sdp}}
    return json.dumps({**asked.call, **content, "authToken": asked.token, "mode": asked.mode})


def answer(session_id: str, sdp: str) -> str:
    """Our side, complete, and the id by which the call goes from now on."""
    return _text("answer", session_id, {"type": "answer", "sdp": sdp})


def candidate(each: Candidate) -> str:
    """One ICE candidate, ours or (for a worker) the client's."""
    data = {"candidate": each.candidate, "sdpMid": each.mid, "sdpMLineIndex": each.index}
    return _text("ice-candidate", each.session_id, data)


def close(session_id: str) -> str:
    """The call is over."""
    return _text("close", session_id)


def ping(session_id: str) -> str:
    """A client's ping, for a worker that has not read it."""
    return _text("ping", session_id)


def pong(session_id: str) -> str:
    """Somebody is there."""
    return _text("pong", session_id)


def error(problem: Problem) -> str:
    """What cannot be done, and why."""
    return _text("error", problem.session_id, {"code": problem.code, "message": problem.message})


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last messages of a socket, its close code, and a reason for whoever reads close frames."""

    texts: tuple[str, ...] = ()
    code: int = NORMAL
    reason: str = ""


# --- errors in its words -------------------------------------------------------------------------------------------
_CODES: Final[tuple[tuple[type[errors.MouthpieceError], str], ...]] = (
    (errors.Denied, "UNAUTHORIZED"),
    (errors.InvalidOffer, "HANDLER_ERROR"),
    (errors.OfferTimeout, "HANDLER_ERROR"),
    (errors.BadInput, "INVALID_ARGUMENT"),
    (errors.NotFound, "INVALID_ARGUMENT"),
    (errors.NotConfigured, "AGENT_FAILURE"),
    (errors.WorkerLost, "MEDIA_BRIDGE_FAILURE"),
    (errors.PeerConnectionLost, "MEDIA_BRIDGE_FAILURE"),
)


def problem(fault: errors.MouthpieceError, session_id: str = "") -> Problem:
    """A fault as the wire words it; what has no code of its own is an error of handling the message."""
    code = next((code for cls, code in _CODES if isinstance(fault, cls)), "HANDLER_ERROR")
    guessed = isinstance(fault, errors.InvalidApiKey) or type(fault) is errors.InvalidSessionToken
    return Problem(code, AUTH_INVALID if guessed else str(fault), session_id)
