"""What a session passes on to the peer that it answered: candidates, and its own voice."""

from __future__ import annotations

import pytest
from tests.live.test_stage import SPEC, Theatre
from tests.support.viewing import tone


@pytest.fixture
def theatre() -> Theatre:
    return Theatre()


async def test_candidates_reach_the_peer_and_nobody_before_the_answer(theatre: Theatre) -> None:
    session = await theatre.stage.open(SPEC)
    assert await session.add_candidate("candidate:1", "0") is False
    await session.answer("offer")
    assert await session.add_candidate("candidate:1", None, 0) is True
    assert theatre.parts.peers[0].candidates == [("candidate:1", None, 0)]
    await session.close()


async def test_a_mirror_is_sent_nothing_of_ours(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(0.2)
    before = len(peer.sounds)
    assert before > 0
    session.echo()
    assert peer.echoes
    session.push_audio(tone(0.5).tobytes())
    theatre.run(0.5)
    assert len(peer.sounds) == before
    await session.close()
