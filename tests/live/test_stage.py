"""Sessions on stage, in virtual time: ticks are run by hand, pictures are painted inline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from tests.support.studio import InlineEasel, TinyFace, TinyLipSync, TinyPeer, TinyStudio

from mouthpiece.errors import Draining, InvalidFace, InvalidOffer, NoCapacity, RateLimited
from mouthpiece.live.base import Backlog, Over, SessionEvent, SessionSpec, Speaking
from mouthpiece.live.session import Session
from mouthpiece.live.stage import Stage
from mouthpiece.media import SAMPLE_RATE, TICK, Look, Pcm
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings, MediaSettings

SPEC = SessionSpec("s1", "acc", "t1", Look("mia"))


class Theatre:
    """A stage with its twins, driven tick by tick."""

    def __init__(self, limits: LimitSettings | None = None) -> None:
        self.parts = TinyStudio()
        self.stage = Stage(self.parts.studio(), MediaSettings(), limits or LimitSettings())
        self.easel = InlineEasel(self.stage.stats)
        self.stage._easel = self.easel
        self.k = 0

    async def session(self, spec: SessionSpec = SPEC) -> tuple[Session, TinyPeer]:
        session = await self.stage.open(spec)
        assert await session.answer("offer") == "answer"
        peer = self.parts.peers[-1]
        session.on_connected()
        return session, peer

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.stage.tick(self.k, due=1e12)
            self.k += 1


@pytest.fixture
def theatre() -> Theatre:
    return Theatre()


@pytest.fixture(autouse=True)
async def _nothing_left_behind() -> AsyncIterator[None]:
    yield
    left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task() and "_bury" in repr(t)]
    for task in left:
        await asyncio.wait_for(task, 5)


def speech(seconds: float, seed: int = 1) -> Pcm:
    return np.random.default_rng(seed).integers(2_000, 30_000, round(seconds * SAMPLE_RATE), np.int16)


def spec(n: int, **changes: object) -> SessionSpec:
    return replace(SPEC, session_id=f"s{n}", token_id=f"t{n}", **changes)  # type: ignore[arg-type]


async def told(session: Session) -> list[SessionEvent]:
    """Everything a session over has told."""
    return [event async for event in session.events()]


async def test_sound_and_pictures_share_one_clock(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(0.1)
    session.push_audio(speech(1.0).tobytes())
    theatre.run(1.0)
    assert [p.sample for p in peer.sounds] == [i * TICK for i in range(len(peer.sounds))]
    assert [p.sample for p in peer.pictures] == [i * 640 for i in range(len(peer.pictures))]
    heard = peer.heard
    for picture in peer.pictures:
        peak = int(np.abs(heard[picture.sample : picture.sample + 160].astype(np.int32)).max())
        assert picture.data[0] == int(peak / 32768 * 255)


async def test_clock_starts_with_the_connection_and_audio_waits_for_it(theatre: Theatre) -> None:
    session = await theatre.stage.open(SPEC)
    await session.answer("offer")
    said = speech(0.5)
    session.push_audio(said.tobytes())
    theatre.run(3.0)
    peer = theatre.parts.peers[0]
    assert not peer.sounds
    session.on_connected()
    theatre.run(1.0)
    assert np.array_equal(peer.heard[: len(said)], said)


async def test_first_picture_is_a_key_frame_and_comes_with_the_first_tick(theatre: Theatre) -> None:
    _, peer = await theatre.session()
    theatre.run(0.04)
    assert peer.pictures
    assert peer.pictures[0].key


async def test_rested_sessions_of_one_look_share_one_encoder_and_part_when_they_speak(theatre: Theatre) -> None:
    pairs = [await theatre.session(spec(n)) for n in range(4)]
    theatre.run(5.0)
    drawn = len(theatre.parts.face.drawn)
    theatre.run(2.0)
    assert len(theatre.parts.face.drawn) - drawn == 25, "four faces at rest are drawn once, 12.5 times a second"
    speaker, peer = pairs[0]
    before = len(peer.pictures)
    speaker.push_audio(speech(1.0).tobytes())
    theatre.run(1.0)
    own = peer.pictures[before:]
    first_own = next(p for p in own if p.data != b"\0")
    assert first_own.key, "a decoder can only follow from a key frame"
    theatre.run(3.0)
    for _, each in pairs:
        samples = [p.sample for p in each.pictures]
        assert samples == sorted(set(samples)), "media time never goes back"


async def test_going_back_to_the_shared_face_begins_with_a_key_frame(theatre: Theatre) -> None:
    first, _ = await theatre.session(spec(1))
    theatre.run(3.0)
    second, peer = await theatre.session(spec(2))
    theatre.run(0.3)
    second.push_audio(speech(0.5).tobytes())
    theatre.run(0.6)
    n = len(peer.pictures)
    theatre.run(3.0)
    gaps = np.diff([p.sample for p in peer.pictures[n - 1 :]])
    change = int(np.argmax(gaps > 640))
    assert peer.pictures[n + change - 1].key or peer.pictures[n + change].key
    assert first.over is None


async def test_chosen_start_frame_lives_a_life_of_its_own(theatre: Theatre) -> None:
    theatre.run(7.0)
    await theatre.session(spec(1, look=Look("mia", start_frame=50)))
    theatre.run(0.06)
    assert theatre.parts.face.drawn[0] == 0.0, "the renderer adds the start frame to a life that begins now"


async def test_keyframe_request_is_answered_by_the_next_picture(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(0.2)
    n = len(peer.pictures)
    session.on_keyframe_request()
    theatre.run(0.08)
    assert any(p.key for p in peer.pictures[n:])


async def test_keyframe_requests_on_the_shared_face_make_one_a_second_at_most(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(3.0)
    n = len(peer.pictures)
    for _ in range(100):
        session.on_keyframe_request()
        theatre.run(0.04)
    assert 3 <= sum(p.key for p in peer.pictures[n:]) <= 5


async def test_held_video_still_answers_a_keyframe_request(theatre: Theatre) -> None:
    session, peer = await theatre.session(replace(SPEC, handle_silence=False))
    theatre.run(2.0)
    n = len(peer.pictures)
    assert n == 1, "the first picture, then the video holds"
    session.on_keyframe_request()
    theatre.run(0.1)
    assert [p.key for p in peer.pictures[n:]] == [True]


async def test_late_pictures_are_dropped_counted_and_sound_goes_on(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(0.1)
    theatre.easel.too_late = True
    said = speech(1.0)
    n, pictures = len(peer.sounds), len(peer.pictures)
    session.push_audio(said.tobytes())
    theatre.run(1.0)
    assert len(peer.pictures) == pictures
    assert theatre.stage.stats.late_pictures == 25
    assert np.array_equal(peer.heard[n * TICK :][: len(said)], said)
    theatre.easel.too_late = False
    theatre.run(0.08)
    assert peer.pictures[pictures].sample >= peer.sounds[n].sample + SAMPLE_RATE - TICK, (
        "late pictures are not sent later"
    )


async def test_a_dropped_first_picture_is_made_up_for_by_the_next_key_frame(theatre: Theatre) -> None:
    theatre.easel.too_late = True
    _, peer = await theatre.session()
    theatre.run(0.2)
    theatre.easel.too_late = False
    theatre.run(0.08)
    assert peer.pictures[0].key


async def test_a_face_that_cannot_be_drawn_ends_its_session_only(theatre: Theatre) -> None:
    good, _ = await theatre.session(spec(1))
    theatre.run(3.0)
    theatre.parts.face = TinyFace("noah", fails=True)
    bad, _ = await theatre.session(spec(2, look=Look("noah")))
    theatre.run(0.1)
    assert (await told(bad))[-1] == Over(EndReason.FAILED, 0)
    assert good.over is None


async def test_a_lip_sync_that_breaks_ends_its_session_only(theatre: Theatre) -> None:
    class Broken(TinyLipSync):
        def push(self, pcm: Pcm) -> list[object]:  # type: ignore[override]
            raise RuntimeError("no ears")

    good, peer = await theatre.session(spec(1))
    theatre.parts.lipsync = Broken
    stage = Stage(theatre.parts.studio(), MediaSettings(), LimitSettings())
    stage._easel = theatre.easel
    bad = await stage.open(spec(2))
    await bad.answer("offer")
    bad.on_connected()
    bad.push_audio(speech(1.0).tobytes())
    for k in range(10):
        stage.tick(k, due=1e12)
    assert (await told(bad))[-1].reason is EndReason.FAILED  # type: ignore[union-attr]
    theatre.run(0.1)
    assert good.over is None
    assert peer.sounds


async def test_speaking_is_told_once_per_change_and_the_end_comes_last(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    session.push_audio(speech(0.5).tobytes())
    theatre.run(1.5)
    session.push_audio(speech(0.5).tobytes())
    session.finish()
    theatre.run(3.0)
    events = await told(session)
    assert events[:-1] == [Speaking(True), Speaking(False)] * 2
    assert events[-1] == Over(EndReason.DONE, peer.pictures[-1].sample // 640)
    assert theatre.stage.running() == 0


async def test_backlog_is_told_and_counted() -> None:
    theatre = Theatre(LimitSettings(backlog_s=1.0))
    session, _ = await theatre.session()
    session.push_audio(speech(3.0).tobytes())
    theatre.run(0.1)
    await session.close()
    assert Backlog() in await told(session)
    assert theatre.stage.stats.refused_samples == 2 * SAMPLE_RATE


async def test_close_frees_the_slot_before_it_returns() -> None:
    theatre = Theatre(LimitSettings(max_sessions=1))
    session, peer = await theatre.session(spec(1))
    with pytest.raises(NoCapacity):
        await theatre.stage.open(spec(2))
    await session.close()
    assert peer.closed
    await theatre.session(spec(2))
    await theatre.stage.close()
    assert theatre.parts.ledger.ended == [("s1", EndReason.CLOSED, 0), ("s2", EndReason.SHUTDOWN, 0)]


async def test_limit_per_account_is_its_own(theatre: Theatre) -> None:
    theatre = Theatre(LimitSettings(sessions_per_key=2))
    for n in (1, 2):
        await theatre.session(spec(n))
    with pytest.raises(RateLimited):
        await theatre.stage.open(spec(3))
    await theatre.session(spec(4, account="other"))
    assert (theatre.stage.running("acc"), theatre.stage.running("other"), theatre.stage.running()) == (2, 1, 3)
    assert theatre.stage.stats.refused["RATE_LIMITED"] == 1


async def test_same_token_takes_over_one_slot_and_its_length_goes_on() -> None:
    theatre = Theatre(LimitSettings(max_sessions=1))
    first, _ = await theatre.session(replace(SPEC, max_length_s=3.0))
    theatre.run(2.0)
    second, peer = await theatre.session(replace(SPEC, session_id="again", max_length_s=3.0))
    assert (await told(first))[-1].reason is EndReason.TAKEN_OVER  # type: ignore[union-attr]
    assert theatre.stage.running() == 1
    theatre.run(2.0)
    assert (await told(second))[-1].reason is EndReason.MAX  # type: ignore[union-attr]
    assert len(peer.sounds) == pytest.approx(50, abs=2)


async def test_a_length_goes_on_through_several_takeovers_here_and_elsewhere() -> None:
    theatre = Theatre(LimitSettings(max_sessions=1))
    await theatre.session(replace(SPEC, max_length_s=6.0, used_s=2.0))
    for again in range(2):
        theatre.run(1.0)
        last, peer = await theatre.session(replace(SPEC, session_id=f"again {again}", max_length_s=6.0))
    assert await theatre.stage.give_way("nobody") == 0.0
    theatre.run(5.0)
    assert (await told(last))[-1].reason is EndReason.MAX  # type: ignore[union-attr]
    assert len(peer.sounds) == pytest.approx(100, abs=2)
    third, _ = await theatre.session(replace(SPEC, used_s=2.0, max_length_s=6.0))
    theatre.run(1.0)
    assert await theatre.stage.give_way(SPEC.session_id) == pytest.approx(3.0, abs=0.05)
    assert (await told(third))[-1].reason is EndReason.TAKEN_OVER  # type: ignore[union-attr]


async def test_unknown_face_is_refused_and_takes_nobody_over(theatre: Theatre) -> None:
    running, _ = await theatre.session()
    with pytest.raises(InvalidFace):
        await theatre.stage.open(replace(SPEC, session_id="x", look=Look("nobody")))
    assert running.over is None


async def test_bad_offer_leaves_the_session_open_and_a_second_answer_is_refused(theatre: Theatre) -> None:
    session = await theatre.stage.open(SPEC)
    with pytest.raises(InvalidOffer):
        await session.answer("nonsense")
    await session.answer("offer")
    with pytest.raises(InvalidOffer):
        await session.answer("offer")
    session.on_connected()
    theatre.run(0.1)
    assert theatre.parts.peers[0].sounds


async def test_lost_peer_ends_the_session(theatre: Theatre) -> None:
    session, _ = await theatre.session()
    theatre.run(0.1)
    session.on_lost("no RTCP for 10 s")
    assert (await told(session))[-1].reason is EndReason.PEER_LOST  # type: ignore[union-attr]
    assert theatre.stage.running() == 0


async def test_draining_refuses_new_sessions_and_keeps_running_ones(theatre: Theatre) -> None:
    session, _ = await theatre.session(spec(1))
    theatre.stage.drain()
    with pytest.raises(Draining):
        await theatre.stage.open(spec(2))
    theatre.run(0.1)
    assert session.over is None


async def test_audio_only_viewers_get_sound_and_cost_no_pictures(theatre: Theatre) -> None:
    theatre.parts.codec = None
    session, peer = await theatre.session()
    session.push_audio(speech(0.5).tobytes())
    theatre.run(1.0)
    assert len(peer.sounds) == 50
    assert not peer.pictures
    assert not theatre.parts.face.drawn


async def test_every_closed_session_closes_its_encoders(theatre: Theatre) -> None:
    for n in range(5):
        session, _ = await theatre.session(spec(n))
        session.push_audio(speech(0.2).tobytes())
        theatre.run(2.5)
        await session.close()
    assert theatre.parts.encoders
    assert all(e.closed for e in theatre.parts.encoders)


async def test_sessions_are_spread_over_the_ticks_of_a_frame(theatre: Theatre) -> None:
    sessions = [(await theatre.session(spec(n)))[0] for n in range(6)]
    theatre.run(0.2)
    assert sorted(s.parity or 0 for s in sessions) == [0, 0, 0, 1, 1, 1]


async def test_admission_by_load_leaves_room_for_sessions_that_do_not_talk_yet(theatre: Theatre) -> None:
    refused = 0
    for n in range(30):
        try:
            await theatre.session(spec(n))
        except NoCapacity:
            refused += 1
    assert 8 <= 30 - refused <= 16
