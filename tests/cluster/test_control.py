from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.cluster.base import WorkerStatus
from mouthpiece.cluster.control import (
    MAX_LINE,
    Claimed,
    Drain,
    Granted,
    Message,
    Stop,
    Yield,
    Yielded,
    decode,
    encode,
)

_statuses = st.builds(
    WorkerStatus, st.integers(0, 20_000).map(lambda n: n / 10_000), st.frozensets(st.text()), st.booleans()
)
_seconds = st.floats(0, 1e6)
_messages = st.one_of(
    _statuses,
    st.builds(Drain, _seconds),
    st.just(Stop()),
    st.builds(Claimed, st.text(), st.text()),
    st.builds(Granted, st.text(), st.none() | _seconds),
    st.builds(Yield, st.text()),
    st.builds(Yielded, st.text(), _seconds),
)


@given(_messages)
def test_a_message_survives_its_line(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


@given(st.binary(max_size=80))
def test_nonsense_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="control message"):
        decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"null",
        b'{"say":"jump"}',
        b'{"say":"status"}',
        b'{"say":"yield"}',
        b'{"say":"claimed","session_id":"s"}',
        b'{"say":"granted","session_id":"s","used_s":"x"}',
        b'{"say":"status","load":"x","sessions":[],"accepting":1}',
    ],
)
def test_almost_a_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="control message"):
        decode(line)


def test_twenty_thousand_sessions_fit_on_a_line() -> None:
    sessions = frozenset(f"{number:036}" for number in range(20_000))
    assert len(encode(WorkerStatus(0.5, sessions))) < MAX_LINE
