"""The grammar of Simli's v2 sockets and error bodies: client messages to values, our facts to their words.

Pure. The words are those that real clients look for (AsyncAPI of ``/compose/webrtc/p2p`` and the clients' own
classifiers): server messages are text, never empty, JSON is compact, and an answer has exactly the keys ``sdp`` and
``type`` in that order, because some clients look for substrings in the first word and reject other keys.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from mouthpiece import errors
from mouthpiece.face import camera
from mouthpiece.lipsync.phones import TimedPhone
from mouthpiece.lipsync.script import Script
from mouthpiece.session.events import EndReason

Layer = Literal["background", "foreground"]

NIL_ASSET: Final = "00000000-0000-0000-0000-000000000000"
"""The id that no upload has: back to the avatar's own background or foreground."""


# --- what clients say ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Offer:
    """A WebRTC offer."""

    sdp: str


@dataclass(frozen=True, slots=True)
class Audio:
    """PCM16LE, 16 kHz mono, to be queued."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class PlayImmediate:
    """PCM to be played now, instead of what is queued."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """Ours: what is said in the sound that is sent next."""

    script: Script


@dataclass(frozen=True, slots=True)
class Skip:
    """Stop speaking, drop the queue."""


@dataclass(frozen=True, slots=True)
class Done:
    """Play out what is queued, then end."""


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with the same rest, byte for byte: clients measure the round trip with it."""

    rest: str


@dataclass(frozen=True, slots=True)
class Camera:
    """A new camera. ``values`` in wire order: position y, x, z, zoom, rotation x, y, z, then orbit x, y.

    Four or seven values leave the others at rest. ``glide_s``: seconds to move there, None: at once.
    """

    values: tuple[float, ...]
    glide_s: float | None = None

    @property
    def valid(self) -> bool:
        """Whether every number is finite."""
        return all(map(math.isfinite, (*self.values, self.glide_s or 0.0)))

    @property
    def camera(self) -> camera.Camera:
        """The camera that the values mean."""
        return camera.Camera(**dict(zip(_CAMERA_ORDER, self.values, strict=False)))


@dataclass(frozen=True, slots=True)
class Ground:
    """Another background or foreground; ``asset_id`` as sent, None when it is no id at all."""

    layer: Layer
    asset_id: str | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Text outside the grammar; ``reason`` says what is wrong with it."""

    reason: str


ClientMessage = Offer | Audio | PlayImmediate | Said | Skip | Done | Ping | Camera | Ground | Unknown

_PLAY_IMMEDIATE: Final = b"PLAY_IMMEDIATE"
_CAMERA: Final = b"CAM_"
_GLIDE: Final = b"LERP"
_CAMERA_COUNTS: Final = (4, 7, 9)
_CAMERA_ORDER: Final = ("pos_y", "pos_x", "pos_z", "zoom", "rot_x", "rot_y", "rot_z", "orbit_x", "orbit_y")
_SIGNALS: Final[Mapping[str, ClientMessage]] = {"SKIP": Skip(), "DONE": Done()}
MOST_PHONES: Final = 20_000
"""Phones and words in one script: some twenty minutes of speech."""
_LONGEST: Final = 1 << 31
_LONGEST_WORD: Final = 100
_LAYERS: Final[Mapping[str, Layer]] = {"BG_": "background", "FG_": "foreground"}


def parse(message: str | bytes) -> ClientMessage:
    """What a client's message means. Never raises: what is not in the grammar is sound (binary) or Unknown (text).

    Binary is a command only when it is exactly ``SKIP`` or ``DONE``, begins with ``PLAY_IMMEDIATE``, or is ``CAM_``
    at one of its six lengths; every other binary message is sound.
    """
    return _parse_binary(message) if isinstance(message, bytes) else _parse_text(message)


def _parse_binary(data: bytes) -> ClientMessage:
    if data in (b"SKIP", b"DONE"):
        return _SIGNALS[data.decode()]
    if data.startswith(_PLAY_IMMEDIATE):
        return PlayImmediate(data[len(_PLAY_IMMEDIATE) :])
    if data.startswith(_CAMERA):
        return _parse_camera(data[len(_CAMERA) :]) or Audio(data)
    return Audio(data)


def _parse_camera(body: bytes) -> Camera | None:
    glide_s: float | None = None
    if body[-8:-4] == _GLIDE and (len(body) - 8) // 4 in _CAMERA_COUNTS:
        (glide_s,) = struct.unpack("<f", body[-4:])
        body = body[:-8]
    count, rest = divmod(len(body), 4)
    if rest or count not in _CAMERA_COUNTS:
        return None
    return Camera(struct.unpack(f"<{count}f", body), glide_s)


def _parse_text(text: str) -> ClientMessage:
    word = text.strip()
    if signal := _SIGNALS.get(word):
        return signal
    if text == "ping" or text.startswith("ping "):
        return Ping(text[5:])
    if layer := _LAYERS.get(word[:3]):
        return Ground(layer, word[3:] if _is_asset_id(word[3:]) else None)
    if word.startswith("{"):
        return _parse_json(word)
    return Unknown("unknown message")


def _is_asset_id(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and set("".join(parts).lower()) <= set("0123456789abcdef")


def _parse_json(text: str) -> ClientMessage:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Unknown("the message is not JSON")
    if isinstance(value, dict) and value.get("type") == "script":
        return _parse_script(value)
    if not isinstance(value, dict) or value.get("type") != "offer":
        return Unknown('the message is not {"type":"offer","sdp":...}')
    sdp = value.get("sdp")
    return Offer(sdp) if isinstance(sdp, str) and sdp else Unknown("the offer has no sdp")


def _parse_script(value: Mapping[str, object]) -> ClientMessage:
    phones, words = value.get("phones", []), value.get("words", [])
    if not isinstance(phones, list) or not isinstance(words, list) or len(phones) + len(words) > MOST_PHONES:
        return Unknown(f"a script has lists of phones and words, {MOST_PHONES} at most")
    timed = [phone for row in phones if (phone := _phone(row)) is not None]
    if len(timed) < len(phones) or any(b.start < a.end for a, b in pairwise(timed)):
        return Unknown("a script's phones are [start, end, IPA] in samples at 16 kHz, in order")
    if not all(isinstance(word, str) and len(word) < _LONGEST_WORD for word in words):
        return Unknown("a script's words are texts in IPA")
    return Said(Script(Script.of_phones(timed).visemes, Script.of_words(words).words))


def _phone(row: object) -> TimedPhone | None:
    match row:
        case [int(start), int(end), str(ipa)] if 0 <= start <= end < _LONGEST and len(ipa) < _LONGEST_WORD:
            return TimedPhone(start, end, ipa)
        case _:
            return None


# --- what we say ---------------------------------------------------------------------------------------------------
START: Final = "START"
STOP: Final = "STOP"
SPEAK: Final = "SPEAK"
SILENT: Final = "SILENT"
BACKLOG_FULL: Final = "WARNING: audio backlog full"
JSON_SEPARATORS: Final = (",", ":")


def _compact(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=JSON_SEPARATORS)


def answer(sdp: str) -> str:
    """The answer, exactly as every client can read it."""
    return _compact({"sdp": sdp, "type": "answer"})


def offer(given: Offer) -> str:
    """An offer, to be passed on to a worker."""
    return _compact({"type": "offer", "sdp": given.sdp})


def video_metadata(fps: int, width: int, height: int) -> str:
    """What the video will be."""
    return _compact({"video_metadata": {"fps": fps, "width": width, "height": height}})


def room_join(url: str, token: str) -> str:
    """Where the client finds its LiveKit room, and with which token."""
    return _compact({"livekit_url": url, "livekit_token": token})


def not_joined(seconds: float) -> Goodbye:
    """The client never came to its LiveKit room; py 2.1 tries again when it reads the first line."""
    lost = failure(errors.PeerConnectionLost(reason="the client did not join its room"))
    text = f"Client not connected to LiveKit room within {seconds:g} s"
    return Goodbye((text, *lost.texts), lost.code, lost.reason)


def destination(worker: str, session_id: str) -> str:
    """Where the session lives, for the client's log.

    Clients classify messages by substrings of this word, so the base64 must not spell one of theirs by chance.
    """
    name = worker.encode()
    while any(word in base64.b64encode(name).upper() for word in (b"SDP", b"LIVEKIT", b"VIDEO_METADATA", b"ENDFRAME")):
        name += b" "
    return _compact({"destination": base64.b64encode(name).decode(), "session_id": session_id})


def speaking(on: bool) -> str:
    """The avatar begins or stops to speak."""
    return SPEAK if on else SILENT


def pong(ping: Ping) -> str:
    """The reply to a ping: the same rest, byte for byte."""
    return f"pong {ping.rest}" if ping.rest else "pong"


def notice(message: ClientMessage) -> str | None:
    """The reply to a message that this server does not act on, in the words that clients take for a mere notice.

    None: nothing to say. Any other text before START ends py 2.1's attempt.
    """
    match message:
        case Camera():
            return None if message.valid else _BAD_CAMERA
        case Ground():
            return _ground_notice(message.layer, message.asset_id)
        case Unknown():
            return f"WARNING: {message.reason}, ignored"
        case _:
            return None


_BAD_CAMERA: Final = "Invalid camera override received"


def _ground_notice(layer: Layer, asset_id: str | None) -> str | None:
    if asset_id is None:
        return f"Invalid {layer} message: expected {layer[0].upper()}G_ and a 36 character id"
    return None


def not_yours(layer: str, asset_id: str) -> str:
    """The picture that was asked for cannot be had."""
    return f"{layer} {asset_id} is not one of your uploaded {layer}s"


# --- how it ends ---------------------------------------------------------------------------------------------------
NORMAL, GOING_AWAY, POLICY, OUR_FAULT, TRY_LATER = 1000, 1001, 1008, 1011, 1013
"""WebSocket close codes (RFC 6455 section 7.4 and the IANA registry)."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last messages of a socket, its close code, and a reason for whoever reads close frames."""

    texts: tuple[str, ...]
    code: int
    reason: str = ""


_CLOSING: Final[Mapping[EndReason, str]] = {
    EndReason.IDLE: "IDLE",
    EndReason.MAX: "MAX",
    EndReason.DONE: "DONE",
    EndReason.TAKEN_OVER: "TAKEN_OVER",
    EndReason.SHUTDOWN: "SHUTDOWN",
}


def ending(reason: EndReason, frames: int) -> Goodbye:
    """The end of a session. ``ENDFRAME`` first: without it js 3 takes ``CLOSING`` for an error."""
    if reason is EndReason.CLOSED:
        return Goodbye((), NORMAL)
    if reason is EndReason.PEER_LOST:
        return failure(errors.PeerConnectionLost(reason="no media connection"))
    if reason is EndReason.FAILED:
        return failure(errors.MouthpieceError())
    code = GOING_AWAY if reason is EndReason.SHUTDOWN else NORMAL
    return Goodbye((f"ENDFRAME {frames}", f"CLOSING REASON: {_CLOSING[reason]}", STOP), code)


def error(fault: errors.MouthpieceError) -> str:
    """One error line: ``ERROR`` and nothing but the code (clients map it), or ``RATE`` with what to do."""
    match fault:
        case errors.NoCapacity():
            return f"RATE no free session, retry in {fault.facts['retry_s']} s"
        case errors.RateLimited():
            return f"RATE {fault.facts['reason']}, retry in {fault.facts['retry_s']} s"
        case errors.Draining():
            return f"RATE server is shutting down, retry in {fault.facts['retry_s']} s"
        case _:
            return f"ERROR {fault.code}"


def refusal(fault: errors.MouthpieceError) -> Goodbye:
    """Before a session: the reason, then a close. Accept the socket first, or clients hide the reason."""
    return Goodbye((error(fault),), _close_code(fault), _reason(fault))


def failure(fault: errors.MouthpieceError) -> Goodbye:
    """In a running session: the reason, ``STOP``, then a close."""
    return Goodbye((error(fault), STOP), _close_code(fault), _reason(fault))


def _reason(fault: errors.MouthpieceError) -> str:
    """A close frame carries at most 123 bytes of text (RFC 6455, 5.5)."""
    return str(fault).encode()[:120].decode(errors="ignore")


def _close_code(fault: errors.MouthpieceError) -> int:
    match fault:
        case errors.NoCapacity() | errors.RateLimited() | errors.Draining():
            return TRY_LATER
        case errors.Denied() | errors.BadInput() | errors.NotFound():
            return POLICY
        case errors.PeerConnectionLost():
            return NORMAL
        case _:
            return OUR_FAULT


# --- the same over HTTP --------------------------------------------------------------------------------------------
_STATUS: Final[tuple[tuple[type[errors.MouthpieceError], int], ...]] = (
    (errors.OriginNotAllowed, 403),
    (errors.Denied, 401),
    (errors.TooLarge, 413),
    (errors.BadInput, 400),
    (errors.NotFound, 404),
    (errors.NotReady, 404),
    (errors.NotConfigured, 501),
    (errors.RateLimited, 429),
    (errors.Unavailable, 503),
)
_CODE_ONLY: Final = (errors.Denied, errors.InvalidFace, errors.InvalidEmotion)
"""Errors whose ``detail`` is nothing but the code, as py 2.1 maps it."""


def status(fault: errors.MouthpieceError) -> int:
    """The HTTP status of an error; 500 for what is our fault."""
    return next((code for kind, code in _STATUS if isinstance(fault, kind)), 500)


def detail(fault: errors.MouthpieceError) -> str:
    """The text for people, or the bare code where clients look for it."""
    match fault:
        case errors.RateLimited():
            return error(fault)
        case errors.NoCapacity() | errors.Draining():
            return f"server overloaded: {fault}"
        case _:
            return fault.code if isinstance(fault, _CODE_ONLY) else str(fault)


def body(fault: errors.MouthpieceError) -> dict[str, str]:
    """The error body every client generation can read: v2's ``detail``, py 2.0's ``session_token``, ``Error``."""
    return failed(detail(fault), fault.code)


FAIL_TOKEN: Final = "FAIL TOKEN"  # noqa: S105 -- the documented word for "no token"


def failed(text: str, code: str) -> dict[str, str]:
    """The error body of a text and its code."""
    return {"detail": text, "session_token": FAIL_TOKEN, "error": text, "code": code}
