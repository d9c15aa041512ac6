"""Cameras that move and backgrounds that change in a running session, and what idle sessions then share."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.live.test_stage import SPEC, Theatre

from mouthpiece.face.camera import STRAIGHT, Camera
from mouthpiece.live.base import NotDressed
from mouthpiece.media import Look

NEAR = Camera(zoom=2.0)


@pytest.fixture
def theatre() -> Theatre:
    return Theatre()


async def test_a_camera_glides_there_picture_by_picture(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(1)
    session.aim(NEAR, 1.0)
    seen = theatre.parts.face.cameras
    theatre.run(0.5)
    half = [camera.zoom for camera in seen]
    assert half == sorted(half)
    assert half[0] == pytest.approx(1.0)
    assert 1.3 < half[-1] < 1.5
    theatre.run(0.6)
    assert seen[-1] == NEAR
    assert len(peer.pictures) > 24
    await session.close()


async def test_without_a_glide_it_is_there_at_once_and_goes_on_from_there(theatre: Theatre) -> None:
    session, _ = await theatre.session()
    theatre.run(0.2)
    session.aim(NEAR, 0.0)
    theatre.run(0.1)
    assert theatre.parts.face.cameras[-1] == NEAR
    session.aim(STRAIGHT, 1.0)
    theatre.run(0.1)
    assert 1.5 < theatre.parts.face.cameras[-1].zoom <= 2.0
    await session.close()


async def test_only_those_who_see_the_same_share_a_face_at_rest(theatre: Theatre) -> None:
    one, first = await theatre.session()
    two, second = await theatre.session(replace(SPEC, session_id="s2", token_id="t2"))
    theatre.run(3)
    before = len(theatre.parts.encoders)
    one.aim(NEAR, 0.4)
    theatre.run(3)  # alone on the way, then at rest in a share of its own
    assert len(theatre.stage._shares) == 2
    looks = {key[0].camera for key in theatre.stage._shares}  # type: ignore[index]
    assert looks == {(), NEAR.values()}
    assert len(theatre.parts.encoders) == before + 2
    two.aim(NEAR, 0.0)
    theatre.run(3)
    assert {key[0].camera for key in theatre.stage._shares} == {NEAR.values()}  # type: ignore[index]
    for peer in (first, second):
        samples = [picture.sample for picture in peer.pictures]
        assert samples == sorted(set(samples))
    await one.close()
    await two.close()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_another_background_begins_with_a_key_frame(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(2)
    session.dress("background", "beach")
    session.dress("foreground", "logo")
    await settle()
    sent = len(peer.pictures)
    theatre.run(0.2)
    assert peer.pictures[sent].key
    assert session._pictures is not None
    assert session._pictures.look == Look("mia", background="beach", foreground="logo")
    theatre.run(2)
    assert {(key[0].background, key[0].foreground) for key in theatre.stage._shares} == {("beach", "logo")}  # type: ignore[index]
    session.dress("background", "")
    await settle()
    assert session._pictures.look.background == ""
    await session.close()


async def test_a_background_that_cannot_be_had_changes_nothing(theatre: Theatre) -> None:
    session, peer = await theatre.session()
    theatre.run(1)
    session.dress("background", "missing")
    await settle()
    events = session.events()
    assert await anext(events) == NotDressed("background", "missing")
    assert session._pictures is not None
    assert session._pictures.look == Look("mia")
    theatre.run(0.2)
    assert peer.pictures
    await session.close()


async def test_a_video_that_holds_still_moves_with_its_camera(theatre: Theatre) -> None:
    session, peer = await theatre.session(replace(SPEC, handle_silence=False))
    theatre.run(1)
    held = len(peer.pictures)
    theatre.run(1)
    assert len(peer.pictures) == held
    session.aim(NEAR, 0.4)
    theatre.run(1)
    assert 8 <= len(peer.pictures) - held <= 14
    await session.close()
