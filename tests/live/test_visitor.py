"""Peers that wait for their session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from tests.support.studio import InlineEasel, TinyStudio

from mouthpiece.errors import Draining, InvalidOffer, NoCapacity, PeerConnectionLost
from mouthpiece.live.base import Command, SessionSpec
from mouthpiece.live.stage import MAX_VISITORS, Stage
from mouthpiece.live.stats import Stats
from mouthpiece.live.visitor import WAITING_MESSAGES
from mouthpiece.media import Look
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings, MediaSettings

SPEC = SessionSpec(session_id="s1", account="a", token_id="t1", look=Look(face_id="mia"))


@pytest.fixture
def parts() -> TinyStudio:
    return TinyStudio()


@pytest_asyncio.fixture
async def stage(parts: TinyStudio) -> AsyncIterator[Stage]:
    it = Stage(parts.studio(), MediaSettings(), LimitSettings(max_sessions=2), easel=InlineEasel(Stats()))
    await it.start()
    it.ticker.stop()  # the tests tick
    yield it
    await it.close()


async def test_a_visitor_counts_as_placed_and_its_session_takes_its_peer(stage: Stage, parts: TinyStudio) -> None:
    visitor, sdp = await stage.welcome("s1", "offer")
    assert sdp == "answer"
    assert stage.sessions == {"s1"}
    assert stage.running() == 0
    (peer,) = parts.peers
    peer.listener.on_connected()
    session = await stage.seat(SPEC)
    assert stage.sessions == {"s1"}
    assert stage.running() == 1
    for tick in range(10):
        stage.tick(tick, 0.0)
    assert len(peer.sounds) >= 8, "it had been connected before its session began"
    await visitor.close()
    assert not peer.closed, "it is the session's now"
    await session.close()
    assert peer.closed


async def test_what_waits_on_the_data_channel_goes_to_the_session_in_order(stage: Stage, parts: TinyStudio) -> None:
    visitor, _ = await stage.welcome("s1", "offer")
    (peer,) = parts.peers
    for message in ("token", b"\x01\x02", "SKIP"):
        peer.listener.on_message(message, print)
    assert (await visitor.message())[0] == "token"
    session = await stage.seat(SPEC)
    peer.listener.on_message("ping 1", print)
    events = session.events()
    assert [await anext(events) for _ in range(3)] == [Command(m, print) for m in (b"\x01\x02", "SKIP", "ping 1")]


async def test_messages_that_nobody_reads_are_dropped_and_counted(stage: Stage, parts: TinyStudio) -> None:
    visitor, _ = await stage.welcome("s1", "offer")
    for _ in range(WAITING_MESSAGES + 3):
        parts.peers[0].listener.on_message("x", print)
    assert visitor.dropped == 3


async def test_a_visitor_that_is_lost_says_why_and_cannot_be_seated(stage: Stage, parts: TinyStudio) -> None:
    visitor, _ = await stage.welcome("s1", "offer")
    parts.peers[0].listener.on_lost("no connection could be made")
    why = await visitor.gone()
    assert isinstance(why, PeerConnectionLost)
    assert stage.sessions == frozenset()
    with pytest.raises(PeerConnectionLost):
        await stage.seat(SPEC)
    assert stage.running() == 0
    await visitor.close()
    assert parts.peers[0].closed


async def test_a_peer_that_is_lost_after_seating_ends_the_session(stage: Stage, parts: TinyStudio) -> None:
    await stage.welcome("s1", "offer")
    session = await stage.seat(SPEC)
    parts.peers[0].listener.on_lost("silence")
    assert session.over is not None
    assert session.over.reason is EndReason.PEER_LOST


async def test_a_bad_offer_leaves_nobody_waiting(stage: Stage) -> None:
    with pytest.raises(InvalidOffer):
        await stage.welcome("s1", "nonsense")
    assert stage.sessions == frozenset()


async def test_a_full_stage_refuses_the_session_not_the_visitor(stage: Stage) -> None:
    for number in range(2):
        await stage.open(replace(SPEC, session_id=f"old{number}", token_id=f"old{number}"))
    await stage.welcome("s1", "offer")
    with pytest.raises(NoCapacity):
        await stage.seat(SPEC)
    seated = await stage.seat(replace(SPEC, token_id="old1"))
    assert seated.over is None, "the same token takes over"


async def test_a_visitor_whose_token_is_used_elsewhere_before_it_sits_must_leave(stage: Stage) -> None:
    visitor, _ = await stage.welcome("s1", "offer")
    assert await stage.give_way("s1") == 0.0
    with pytest.raises(PeerConnectionLost):
        await stage.seat(SPEC)
    assert isinstance(await visitor.gone(), PeerConnectionLost)
    assert stage.running() == 0


async def test_visitors_are_bounded(stage: Stage) -> None:
    waiting = [await stage.welcome(f"v{number}", "offer") for number in range(MAX_VISITORS)]
    with pytest.raises(NoCapacity):
        await stage.welcome("one too many", "offer")
    await waiting[0][0].close()
    await stage.welcome("now there is room", "offer")


async def test_visitors_are_sent_away_when_the_stage_closes(stage: Stage) -> None:
    visitor, _ = await stage.welcome("s1", "offer")
    await stage.close()
    async with asyncio.timeout(5):
        assert isinstance(await visitor.gone(), Draining)
    with pytest.raises(Draining):
        await stage.welcome("s2", "offer")
