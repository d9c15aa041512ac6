"""The signalling of calls as two state machines: a socket that has no call yet, and a call that has or lacks a socket.

Pure: messages and the time go in, steps come out. A call outlives its socket: a client may come back on another
one and go on by the call's ``sessionId``. PolyAI's own apps open the new socket without a word until they have
something to say, so a call whose voice still arrives is alive, whatever became of its socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mouthpiece.polyai import messages as m
from mouthpiece.transport.candidates import MAX_CANDIDATES
from mouthpiece.transport.sound_sdp import candidates_of

MAX_FAULTS: Final = 100
"""Messages that are not understood, on one socket; then it is closed. A call that it carries goes on without it."""


# --- what is to be done --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Say:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Begin:
    """A call is to begin; ``early`` are the candidates that came before its offer."""

    offer: m.Offer
    early: tuple[m.Candidate, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """The socket belongs to a call that runs, and ``message`` is for that call."""

    session_id: str
    message: m.ClientMessage


@dataclass(frozen=True, slots=True)
class Trickle:
    """Give a candidate to the peer."""

    candidate: m.Candidate


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Close the socket with these words."""

    goodbye: m.Goodbye


Step = Say | Begin | Resume | Trickle | HangUp | Leave


class _Patience:
    """Answers what is not understood, up to a limit."""

    def __init__(self) -> None:
        self._faults = 0

    def refuse(self, problem: m.Problem) -> list[Step]:
        self._faults += 1
        said: list[Step] = [Say(m.error(problem))]
        if self._faults >= MAX_FAULTS:
            said.append(Leave(m.Goodbye(code=m.UNACCEPTABLE, reason="too many messages that are not understood")))
        return said


def unknown(session_id: str) -> m.Problem:
    """There is no such call."""
    return m.Problem("INVALID_MESSAGE", "no call has this sessionId, or it is over", session_id)


# --- a socket without a call ---------------------------------------------------------------------------------------
class Newcomer:
    """A socket whose client has not said yet what it wants."""

    def __init__(self) -> None:
        self._early: list[m.Candidate] = []
        self._patience = _Patience()

    def receive(self, message: m.ClientMessage) -> list[Step]:
        """What a message asks for."""
        match message:
            case m.Problem():
                return self.refuse(message)
            case m.Offer():
                return self._offered(message)
            case m.Candidate() | m.Close() | m.Ping() if message.session_id:
                return [Resume(message.session_id, message)]
            case m.Candidate():
                self._early += [message] if len(self._early) < MAX_CANDIDATES else []
                return []
            case m.Close():
                return [Leave(m.Goodbye())]
            case m.Ping():
                return [Say(m.pong(""))]

    def _offered(self, offer: m.Offer) -> list[Step]:
        if offer.session_id:
            return self.refuse(
                m.Problem("INVALID_MESSAGE", "a new call begins with an empty sessionId", offer.session_id)
            )
        early, self._early = tuple(self._early), []
        return [Begin(offer, early)]

    def refuse(self, problem: m.Problem) -> list[Step]:
        """Say that something cannot be done; the client may try again."""
        return self._patience.refuse(problem)


# --- a call --------------------------------------------------------------------------------------------------------
class CallSignaling:
    """A call from its offer to its end. Times are seconds of any clock that does not go back."""

    def __init__(self, session_id: str, resume_s: float, now: float) -> None:
        self.session_id = session_id
        self._resume_s = resume_s
        self._alive_at = now
        self._attached = False
        self._over = False
        self._closed_by_client = False
        self._patience = _Patience()

    # --- the socket -------------------------------------------------------------------------------------------------
    def attached(self) -> None:
        """The call has a socket, perhaps another one than before."""
        self._attached = True
        self._patience = _Patience()

    def detached(self, now: float) -> None:
        """The socket is gone."""
        self._attached = False
        self._alive_at = max(self._alive_at, now)

    def heard(self, now: float) -> None:
        """The client's voice arrives."""
        self._alive_at = now

    def patience_s(self, now: float) -> float | None:
        """Seconds until a call without socket and voice is given up; None while it has a socket, or is over."""
        return None if self._attached or self._over else self._alive_at + self._resume_s - now

    def due(self, now: float) -> list[Step]:
        """What the time asks for."""
        left = self.patience_s(now)
        return [HangUp()] if left is not None and left <= 0 else []

    # --- what is said -----------------------------------------------------------------------------------------------
    def answered(self, sdp: str, early: Sequence[m.Candidate]) -> list[Step]:
        """Our answer, and our candidates once more, one by one, for clients that read them there only."""
        ours = [m.Candidate(self.session_id, text, mid, index) for text, mid, index in candidates_of(sdp)]
        end = [replace(each, candidate="") for each in ours[-1:]]
        told: list[Step] = [Say(m.answer(self.session_id, sdp)), *(Say(m.candidate(each)) for each in [*ours, *end])]
        return [*told, *(Trickle(each) for each in early if each.candidate)]

    def receive(self, message: m.ClientMessage) -> list[Step]:
        """What a message of the call's socket asks for. An empty ``sessionId`` means this call."""
        if self._over:
            return []
        wrong = self._wrong(message)
        if wrong is not None:
            return self._patience.refuse(wrong)
        match message:
            case m.Candidate() if message.candidate:
                return [Trickle(message)]
            case m.Close():
                self._closed_by_client = True
                return [HangUp()]
            case m.Ping():
                return [Say(m.pong(self.session_id))]
        return []

    def _wrong(self, message: m.ClientMessage) -> m.Problem | None:
        if isinstance(message, m.Problem):
            return replace(message, session_id=self.session_id)
        if message.session_id not in ("", self.session_id):
            return unknown(message.session_id)
        if isinstance(message, m.Offer):
            why = "this call has its answer already: another call begins on another socket"
            return m.Problem("INVALID_MESSAGE", why, self.session_id)
        return None

    def over(self, problem: m.Problem | None, code: int = m.NORMAL) -> list[Step]:
        """The call is over, and why if that is somebody's fault. A client that said so itself is not told."""
        if self._over:
            return []
        self._over = True
        error = [] if problem is None else [m.error(replace(problem, session_id=self.session_id))]
        close = [] if self._closed_by_client else [m.close(self.session_id)]
        return [Leave(m.Goodbye((*error, *close), code))]
