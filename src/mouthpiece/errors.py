"""One tree of errors: a code and facts, never wording for a protocol.

Rooms raise these; each protocol front end words them in its own ``messages.py``. ``str(error)`` is the plain text
for logs and people: lower case, what is wrong, what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class MouthpieceError(Exception):
    """Base of every error that the product raises on purpose.

    ``code`` is stable and upper case; keyword facts are kept in ``facts`` and shown in ``str(error)`` through
    ``text`` (a format string over them).
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    text: ClassVar[str] = "internal error"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.text.format_map(facts))


# --- who you are ---------------------------------------------------------------------------------------------------
class Denied(MouthpieceError):
    """The caller may not do this."""

    code, text = "DENIED", "not allowed"


class InvalidApiKey(Denied):
    """No API key, or one that no account has."""

    code, text = "INVALID_API_KEY", "the API key is missing or unknown"


class InvalidSessionToken(Denied):
    """A session token that is missing, forged, or damaged."""

    code, text = "INVALID_SESSION_TOKEN", "the session token is missing, damaged or not ours"


class SessionTokenExpired(InvalidSessionToken):
    """A session token whose time is over."""

    code, text = "SESSION_TOKEN_EXPIRED", "the session token has expired: ask for a new one"


class OriginNotAllowed(Denied):
    """The page's origin is not in the token's list."""

    code, text = "ORIGIN_NOT_ALLOWED", "this token may not be used from origin {origin}"


# --- what you sent -------------------------------------------------------------------------------------------------
class BadInput(MouthpieceError):
    """The request cannot be understood or is out of range."""

    code, text = "INVALID_REQUEST", "{reason}"


class InvalidFace(BadInput):
    """The face does not exist, or is not the caller's."""

    code, text = "INVALID_FACE_ID", "no face {face_id}: GET /faces lists yours"


class InvalidEmotion(BadInput):
    """The emotion half of ``face/emotion`` is unknown."""

    code, text = "INVALID_EMOTION", "no emotion {emotion}"


class InvalidOffer(BadInput):
    """An SDP offer that cannot be answered."""

    code, text = "INVALID_OFFER", "the offer cannot be answered: {reason}"


class OfferTimeout(BadInput):
    """No offer within the time allowed after connecting."""

    code, text = "OFFER_TIMEOUT", "no offer within {seconds} s"


class InvalidAudio(BadInput):
    """Audio that cannot be decoded as announced."""

    code, text = "INVALID_AUDIO", "the audio cannot be decoded: {reason}"


class TooLarge(BadInput):
    """A body, a duration or a queue over its limit."""

    code, text = "TOO_LARGE", "{what} is over the limit of {limit}"


class HostNotAllowed(BadInput):
    """A host that the caller may not have us connect to."""

    code, text = "HOST_NOT_ALLOWED", "{what} names {host}: the operator allows it with MOUTHPIECE_ALLOW_HOSTS"


class InvalidPortrait(BadInput):
    """A picture that cannot become a face."""

    code, text = "INVALID_PORTRAIT", "{reason}"


class NotAnImage(InvalidPortrait):
    """The upload is no picture that can be read."""

    code = "NOT_AN_IMAGE"


class TooManyPixels(InvalidPortrait):
    """The picture is too large to be read."""

    code, text = "TOO_MANY_PIXELS", "the picture has {pixels} pixels, over the limit of {limit}: make it smaller"


class NoFaceFound(InvalidPortrait):
    """Nobody in the picture."""

    code, text = "NO_FACE", "no face was found: use a picture that shows one face from the front, in good light"


class SeveralFaces(InvalidPortrait):
    """More than one face of like size."""

    code, text = "SEVERAL_FACES", "{count} faces of like size were found: cut the picture to one, or say face_index"


class FaceTooSmall(InvalidPortrait):
    """The face has too few pixels."""

    code, text = (
        "FACE_TOO_SMALL",
        "the face is {pixels} pixels high, and at least {least} are needed: use a closer picture",
    )


class FaceUpsideDown(InvalidPortrait):
    """The picture stands on its head, or lies on its side."""

    code, text = "FACE_NOT_UPRIGHT", "the face is turned by {degrees} degrees: turn the picture upright"


class FaceTurnedAway(InvalidPortrait):
    """The face looks too far to one side."""

    code, text = (
        "FACE_TURNED_AWAY",
        "the face is turned {degrees} degrees to the side, more than {limit}: use a frontal picture",
    )


class NotFound(MouthpieceError):
    """The thing is not there, or is another account's."""

    code, text = "NOT_FOUND", "no such {what}"


class RenderFailed(NotFound):
    """A video that was ordered and could not be made."""

    code, text = "RENDER_FAILED", "the video could not be made: {reason}"


class ConversationOver(NotFound):
    """A conversation that has ended for good."""

    code, text = "CONVERSATION_OVER", "this conversation is over: start another"


# --- what the server can do now ------------------------------------------------------------------------------------
class Unavailable(MouthpieceError):
    """The server cannot do this now; trying later may work."""

    code, text = "UNAVAILABLE", "not available now: {reason}"


class NoCapacity(Unavailable):
    """Every session slot is taken."""

    code, text = "NO_CAPACITY", "no free session: retry in {retry_s} s"


class RateLimited(Unavailable):
    """The account is over its own limit."""

    code, text = "RATE_LIMITED", "rate limit reached: {reason}; retry in {retry_s} s"


class QueueFull(Unavailable):
    """As many jobs wait as may wait."""

    code, text = "QUEUE_FULL", "the queue is full: retry in {retry_s} s"


class StorageFull(Unavailable):
    """Finished videos take all the space that they may have."""

    code, text = "STORAGE_FULL", "the space for videos is used up: retry in {retry_s} s"


class Draining(Unavailable):
    """The server is shutting down and takes nothing new."""

    code, text = "SHUTTING_DOWN", "the server is shutting down: retry in {retry_s} s"


class WorkerLost(Unavailable):
    """The process that held the session died."""

    code, text = "WORKER_LOST", "the media worker of this session died: connect again"


class NotConfigured(Unavailable):
    """A feature whose settings or extra are not there."""

    code, text = "NOT_CONFIGURED", "{what} is not set up on this server: {remedy}"


class NoLiveKit(NotConfigured):
    """A LiveKit session was asked for, and no LiveKit server is known."""

    code = "LIVEKIT_NOT_CONFIGURED"


class RoomUnreachable(Unavailable):
    """A LiveKit room that cannot be entered."""

    code, text = "LIVEKIT_UNREACHABLE", "the LiveKit room cannot be entered: {reason}"


class NotReady(Unavailable):
    """A result that is still being made."""

    code, text = "NOT_READY", "{what} is not ready yet: retry in {retry_s} s"


# --- what happened to the connection -------------------------------------------------------------------------------
class PeerConnectionLost(MouthpieceError):
    """The WebRTC peer never connected, or went silent."""

    code, text = "PEER_CONNECTION_LOST", "the peer connection was lost: {reason}"


# --- what the operator must mend -----------------------------------------------------------------------------------
class StartupError(MouthpieceError):
    """The server cannot start; the one line says what to do. The process exits with 2."""

    code, text = "STARTUP", "{reason}: {remedy}"
