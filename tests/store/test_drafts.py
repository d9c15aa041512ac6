"""Drafts of the studio: unknown to lists, made again by corrections, saved, and gone after a day."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.databases import Clock

from mouthpiece.errors import NotFound, NotReady, TooLarge
from mouthpiece.store.blobs import FolderBlobs
from mouthpiece.store.db import Database
from mouthpiece.store.drafts import KEPT, LIFE_S, DraftStore
from mouthpiece.store.faces import DRAFT, FaceLimits, FaceRecord, FaceState, FaceStore
from mouthpiece.store.keys import Keys

LIMITS = FaceLimits(max_faces=1, max_queue=20)


@pytest.fixture
def faces(database: Database, tmp_path: Path, clock: Clock) -> FaceStore:
    return FaceStore(database, FolderBlobs(tmp_path / "blobs"), clock=clock)


@pytest.fixture
def drafts(database: Database, faces: FaceStore, clock: Clock) -> DraftStore:
    return DraftStore(database, faces, clock=clock)


async def made(faces: FaceStore, face_id: str) -> None:
    face = await faces.claim("w")
    assert face is not None
    assert face.id == face_id
    assert await faces.finish(face_id, "w", replace(face, version=7), (b"source", b"pack"))


async def test_a_draft_is_no_face_until_it_is_saved(
    faces: FaceStore, drafts: DraftStore, account: str, keys: Keys
) -> None:
    await faces.add(FaceRecord("d1", account, DRAFT, DRAFT), b"a picture", LIMITS)
    with pytest.raises(NotReady):
        await drafts.publish(await drafts.get("d1", account), "me", 1)
    await made(faces, "d1")
    assert await faces.all(account) == []
    with pytest.raises(NotFound):
        await drafts.get("d1", (await keys.add("other")).account)
    face = await drafts.publish(await drafts.get("d1", account), "me", 1)
    assert (face.kind, face.name, face.state, face.options) == ("trinity", "me", FaceState.READY, {})
    assert [each.id for each in await faces.all(account)] == ["d1"]
    with pytest.raises(NotFound, match="draft"):
        await drafts.get("d1", account)


async def test_a_correction_makes_it_again_from_what_was_kept(
    faces: FaceStore, drafts: DraftStore, account: str
) -> None:
    await faces.add(FaceRecord("d1", account, DRAFT, DRAFT, options={"face_index": 1}), b"a picture", LIMITS)
    with pytest.raises(NotReady):
        await drafts.correct("d1", account, "[]")
    await made(faces, "d1")
    queued = await drafts.correct("d1", account, "[1]")
    assert (queued.state, queued.version, queued.options) == (
        FaceState.QUEUED,
        7,
        {"face_index": 1, "corrected": "[1]"},
    )
    assert await faces.upload(queued) is None
    with pytest.raises(NotReady):
        await drafts.correct("d1", account, "[2]")
    assert await faces.claim("w") is not None
    assert await faces.fail("d1", "w", "FACE_TURNED_AWAY", "turned")
    assert (await drafts.correct("d1", account, "[3]")).error is None, "what failed may be corrected"
    await made(faces, "d1")
    assert await faces.source(await faces.get("d1")) == b"source"


async def test_a_copy_leaves_the_face_alone(faces: FaceStore, drafts: DraftStore, account: str) -> None:
    await faces.put(FaceRecord("f1", account, "me", version=7), b"source", b"pack")
    draft = await drafts.copy(await faces.get("f1"), "d1")
    assert (draft.kind, draft.state, draft.options) == (DRAFT, FaceState.READY, {"of": "f1"})
    await faces.delete("d1", account)
    assert await faces.pack(await faces.get("f1")) == b"pack"
    await faces.add(FaceRecord("d2", account, DRAFT, DRAFT), b"a picture", FaceLimits(2, 2))
    with pytest.raises(NotReady):
        await drafts.copy(await faces.get("d2"), "d3")


async def test_limits_count_faces_and_drafts_apart(
    faces: FaceStore, drafts: DraftStore, account: str, clock: Clock
) -> None:
    for number in range(KEPT + 2):
        clock.now += 1
        await faces.put(FaceRecord(f"d{number}", account, DRAFT, DRAFT, version=7), b"source", b"pack")
    await drafts.trim(account)
    for gone in ("d0", "d1"):
        with pytest.raises(NotFound):
            await drafts.get(gone, account)
    await faces.add(FaceRecord("f1", account, "me"), b"a picture", LIMITS)
    with pytest.raises(TooLarge):
        await drafts.publish(await drafts.get("d2", account), "me too", 1)


async def test_a_draft_that_is_left_alone_goes_after_a_day(
    faces: FaceStore, drafts: DraftStore, account: str, clock: Clock
) -> None:
    for face_id, kind in (("f1", "trinity"), ("d1", DRAFT)):
        await faces.put(FaceRecord(face_id, account, face_id, kind, version=7), b"source", b"pack")
    clock.now += LIFE_S - 1
    await faces.put(FaceRecord("d2", account, DRAFT, DRAFT, version=7), b"source", b"pack")
    assert await drafts.expire() == 0
    clock.now += 2
    assert await drafts.expire() == 1
    assert [each.id for each in await faces.all(account)] == ["f1"]
    assert (await drafts.get("d2", account)).id == "d2"
