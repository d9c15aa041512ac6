"""The grammar of the v2 sockets, both ways."""

import json
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece import errors
from mouthpiece.lipsync.phones import TimedPhone
from mouthpiece.lipsync.script import Script
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages as m

NINE = (0.5, -1.0, 2.0, 1.5, 10.0, 20.0, 30.0, 40.0, 50.0)


def camera(count: int, glide: float | None = None) -> bytes:
    return b"CAM_" + struct.pack(f"<{count}f", *NINE[:count]) + (b"" if glide is None else b"LERP" + floats(glide))


PAPA = Script.of_phones([TimedPhone(0, 800, "ˈp"), TimedPhone(800, 900, "")])
SCRIPTS_THAT_ARE_NONE = [
    '{"type":"script","phones":7}',
    '{"type":"script","words":[7]}',
    '{"type":"script","phones":[[0,1]]}',
    '{"type":"script","phones":[[5,1,"a"]]}',
    '{"type":"script","phones":[[0,9,"a"],[8,12,"b"]]}',
    '{"type":"script","phones":[[0,1e300,"a"]]}',
    '{"type":"script","phones":[[-5,1,"a"]]}',
    '{"type":"script","phones":[' + ",".join(["[0,0,0]"] * 20_001) + "]}",
]


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("SKIP", m.Skip()),
        (b"SKIP", m.Skip()),
        ("DONE", m.Done()),
        (b"DONE", m.Done()),
        (" SKIP\n", m.Skip()),
        ("ping 1712345678.123", m.Ping("1712345678.123")),
        ("ping  two  spaces ", m.Ping(" two  spaces ")),
        ("ping", m.Ping("")),
        (b"PLAY_IMMEDIATE", m.PlayImmediate(b"")),
        (b"PLAY_IMMEDIATE\x01\x02", m.PlayImmediate(b"\x01\x02")),
        (b"", m.Audio(b"")),
        (b"\x00" * 7, m.Audio(b"\x00" * 7)),
        (b"SKIPSKIP", m.Audio(b"SKIPSKIP")),
        (camera(4), m.Camera(NINE[:4])),
        (camera(7), m.Camera(NINE[:7])),
        (camera(9), m.Camera(NINE)),
        (camera(4, 2.0), m.Camera(NINE[:4], 2.0)),
        (camera(7, 2.0), m.Camera(NINE[:7], 2.0)),  # as long as nine values without a glide
        (camera(9, 2.0), m.Camera(NINE, 2.0)),
        (camera(5), m.Audio(camera(5))),
        (camera(9) + b"\x00", m.Audio(camera(9) + b"\x00")),
        ("BG_" + m.NIL_ASSET, m.Ground("background", m.NIL_ASSET)),
        ("FG_mountains", m.Ground("foreground", None)),
        ('{"type":"offer","sdp":"v=0"}', m.Offer("v=0")),
        ('{"sdp": "v=0", "type": "offer", "more": 1}', m.Offer("v=0")),
        ('{"type":"script"}', m.Said(Script())),
        ('{"type":"script","phones":[[0,800,"ˈp"],[800,900,""]]}', m.Said(PAPA)),
        ('{"type":"script","words":["ma"]}', m.Said(Script.of_words(["ma"]))),
    ],
)
def test_what_clients_say(said: str | bytes, meant: m.ClientMessage) -> None:
    assert m.parse(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        *SCRIPTS_THAT_ARE_NONE,
        "",
        "skip",
        "pingpong",
        "hello",
        "{",
        "{}",
        "[1]",
        '{"type":"offer"}',
        '{"type":"offer","sdp":""}',
        "{" * 100_000,
    ],
)
def test_other_text_is_unknown_and_says_why(said: str) -> None:
    meant = m.parse(said)
    assert isinstance(meant, m.Unknown)
    assert meant.reason


@given(st.one_of(st.binary(max_size=64), st.text(max_size=64)))
def test_anything_can_be_parsed_and_answered_in_words_that_clients_know(said: str | bytes) -> None:
    meant = m.parse(said)
    if isinstance(said, bytes) and isinstance(meant, m.Audio):
        assert meant.pcm == said
    reply = m.notice(meant)
    assert reply is None or reply.strip()


def test_a_ping_comes_back_byte_for_byte() -> None:
    said = m.parse("ping 17.50")
    assert isinstance(said, m.Ping)
    assert m.pong(said) == "pong 17.50"
    assert m.pong(m.Ping("")) == "pong"


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (camera(9), None),  # acted on
        (b"CAM_" + floats(float("nan"), 0, 0, 1), "Invalid camera override received"),
        (camera(4, float("inf")), "Invalid camera override received"),
        ("BG_" + m.NIL_ASSET, None),
        ("BG_nope", "Invalid background message: expected BG_ and a 36 character id"),
        ("FG_nope", "Invalid foreground message: expected FG_ and a 36 character id"),
        ("FG_01234567-89ab-cdef-0123-456789ABCDEF", None),
        ("what", "WARNING: unknown message, ignored"),
        (b"\x00\x01", None),
        ("SKIP", None),
    ],
)
def test_notices_are_those_that_py_2_1_takes_for_notices(said: str | bytes, reply: str | None) -> None:
    assert m.notice(m.parse(said)) == reply


def test_a_picture_of_somebody_else() -> None:
    assert m.not_yours("foreground", "0-1") == "foreground 0-1 is not one of your uploaded foregrounds"


def test_a_camera_in_wire_order() -> None:
    said = m.parse(b"CAM_" + floats(1, 2, 3, 4, 5, 6, 7, 8, 9))
    assert isinstance(said, m.Camera)
    assert said.camera.values() == (2, 1, 3, 5, 6, 7, 4, 8, 9)
    short = m.parse(b"CAM_" + floats(1, 2, 3, 4))
    assert isinstance(short, m.Camera)
    assert short.camera.values() == (2, 1, 3, 0, 0, 0, 4, 0, 0)


def test_the_answer_is_compact_with_exactly_two_keys_in_order() -> None:
    assert m.answer("v=0\r\n") == r'{"sdp":"v=0\r\n","type":"answer"}'


def test_metadata_and_destination_are_compact() -> None:
    assert m.video_metadata(25, 512, 768) == '{"video_metadata":{"fps":25,"width":512,"height":768}}'
    assert m.destination("w0", "5f") == '{"destination":"dzA=","session_id":"5f"}'


@given(st.text(min_size=1, max_size=20))
def test_a_destination_never_spells_a_clients_word(worker: str) -> None:
    name = json.loads(m.destination(worker, "id"))["destination"].upper()
    assert not any(word in name for word in ("SDP", "LIVEKIT", "VIDEO_METADATA", "ENDFRAME"))


def test_a_destination_that_would_spell_one_is_changed() -> None:
    assert "SDP" not in json.loads(m.destination("H\x03\xcf", "id"))["destination"].upper()


@pytest.mark.parametrize(
    ("reason", "texts", "code"),
    [
        (EndReason.IDLE, ("ENDFRAME 7", "CLOSING REASON: IDLE", "STOP"), 1000),
        (EndReason.MAX, ("ENDFRAME 7", "CLOSING REASON: MAX", "STOP"), 1000),
        (EndReason.DONE, ("ENDFRAME 7", "CLOSING REASON: DONE", "STOP"), 1000),
        (EndReason.TAKEN_OVER, ("ENDFRAME 7", "CLOSING REASON: TAKEN_OVER", "STOP"), 1000),
        (EndReason.SHUTDOWN, ("ENDFRAME 7", "CLOSING REASON: SHUTDOWN", "STOP"), 1001),
        (EndReason.PEER_LOST, ("ERROR PEER_CONNECTION_LOST", "STOP"), 1000),
        (EndReason.FAILED, ("ERROR INTERNAL_ERROR", "STOP"), 1011),
        (EndReason.CLOSED, (), 1000),
    ],
)
def test_every_end_has_its_words(reason: EndReason, texts: tuple[str, ...], code: int) -> None:
    goodbye = m.ending(reason, 7)
    assert (goodbye.texts, goodbye.code) == (texts, code)


def test_no_end_was_forgotten() -> None:
    assert all(m.ending(reason, 0) for reason in EndReason)


def leaves(cls: type[errors.MouthpieceError]) -> Iterator[type[errors.MouthpieceError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from leaves(sub)


class Facts(dict[str, object]):
    def __missing__(self, key: str) -> object:
        return 5 if key.endswith("_s") else f"<{key}>"


def example(cls: type[errors.MouthpieceError]) -> errors.MouthpieceError:
    fault = cls.__new__(cls)
    fault.facts = Facts()
    Exception.__init__(fault, cls.text.format_map(fault.facts))
    return fault


ALL = [example(cls) for cls in leaves(errors.MouthpieceError)]


@pytest.mark.parametrize("fault", ALL, ids=lambda f: f.code)
def test_every_error_leaf_is_worded_on_the_socket(fault: errors.MouthpieceError) -> None:
    line = m.error(fault)
    assert line == f"ERROR {fault.code}" or (line.startswith("RATE ") and "retry in 5 s" in line)
    assert m.refusal(fault).texts == (line,)
    assert m.failure(fault).texts == (line, "STOP")
    assert m.refusal(fault).code in (1000, 1008, 1011, 1013)
    assert 0 < len(m.refusal(fault).reason.encode()) <= 123


@pytest.mark.parametrize("fault", ALL, ids=lambda f: f.code)
def test_every_error_leaf_is_worded_over_http(fault: errors.MouthpieceError) -> None:
    assert 400 <= m.status(fault) <= 503
    body = m.body(fault)
    assert body["session_token"] == "FAIL TOKEN"
    assert body["error"] == body["detail"]
    assert body["code"] == fault.code


@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        (errors.InvalidApiKey(), 401, "INVALID_API_KEY"),
        (errors.InvalidFace(face_id="x"), 400, "INVALID_FACE_ID"),
        (errors.InvalidEmotion(emotion="x"), 400, "INVALID_EMOTION"),
        (errors.BadInput(reason="audioInputFormat must be pcm16"), 400, "audioInputFormat must be pcm16"),
        (errors.RateLimited(reason="100 sessions", retry_s=3), 429, "RATE 100 sessions, retry in 3 s"),
        (errors.NoCapacity(retry_s=3), 503, "server overloaded: no free session: retry in 3 s"),
        (errors.NotFound(what="page"), 404, "no such page"),
        (errors.TooLarge(what="the body", limit="1 MB"), 413, "the body is over the limit of 1 MB"),
        (errors.MouthpieceError(), 500, "internal error"),
    ],
)
def test_the_details_that_clients_map(fault: errors.MouthpieceError, status: int, detail: str) -> None:
    assert (m.status(fault), m.detail(fault)) == (status, detail)
