"""The socket's shell: pace, and clients that take nothing."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simli.conftest import Front
from tests.support.databases import Clock
from websockets.exceptions import ConnectionClosed

from mouthpiece.cluster import wire
from mouthpiece.cluster.wire import BYTES_A_MESSAGE, Pace
from mouthpiece.session.events import EndReason


def test_a_burst_of_two_seconds_worth_is_free_and_then_the_rate_holds() -> None:
    clock = Clock()
    pace = Pace(100, clock)
    assert [pace.wait(0) for _ in range(200)] == [0.0] * 200
    assert pace.wait(0) == pytest.approx(0.01)
    clock.now += 0.01
    assert pace.wait(0) == pytest.approx(0.01)
    clock.now += 3600
    assert [pace.wait(0) for _ in range(200)] == [0.0] * 200, "rest is not saved up beyond the burst"


def test_long_messages_count_by_their_length() -> None:
    pace = Pace(100, Clock())
    assert pace.wait(BYTES_A_MESSAGE * 299) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 10)), max_size=50))
def test_whoever_waits_as_told_is_never_told_to_wait_longer_than_his_message_costs(
    said: list[tuple[int, float]],
) -> None:
    clock = Clock(now=0.0)
    pace = Pace(100, clock)
    for length, idle in said:
        wait = pace.wait(length)
        assert 0 <= wait <= (1 + length / BYTES_A_MESSAGE) / 100 + 1e-6
        clock.now += wait + idle


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_reads_nothing_loses_its_place(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SEND_TIMEOUT_S", 0.2)
    async with front.session() as (other, _):
        async with front.socket(front.token(), max_queue=1) as deaf:
            await deaf.send('{"type":"offer","sdp":"v=0 good"}')
            await front.stage.until(running=2)
            session = front.stage.opened[-1]
            flood = asyncio.create_task(shout(deaf))
            await front.stage.until(running=1)
            assert session.over is not None
            assert session.over.reason is EndReason.CLOSED
            flood.cancel()
            await asyncio.gather(flood, return_exceptions=True)
            deaf.transport.abort()
        await other.send("ping 1")
        assert await other.recv() == "pong 1"


async def shout(deaf: object) -> None:
    """Ask and ask, and never listen."""
    question = "ping " + "x" * 500_000
    try:
        while True:
            await deaf.send(question)  # type: ignore[attr-defined]
    except ConnectionClosed:
        return
