"""Faces of accounts: kept, made from a queue, and gone when they are deleted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.databases import Clock

from mouthpiece.errors import NotFound, RateLimited, TooLarge
from mouthpiece.store.blobs import FolderBlobs
from mouthpiece.store.db import Database
from mouthpiece.store.faces import FaceLimits, FaceRecord, FaceState, FaceStore, pack_blob
from mouthpiece.store.keys import Keys

LIMITS = FaceLimits(max_faces=3, max_queue=2)


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def faces(database: Database, blobs: FolderBlobs, clock: Clock) -> FaceStore:
    return FaceStore(database, blobs, clock=clock, lease_s=30.0, attempts=2)


async def test_a_face_goes_from_the_queue_to_its_pack(
    faces: FaceStore, blobs: FolderBlobs, account: str, clock: Clock
) -> None:
    await faces.add(FaceRecord("f1", account, "me", options={"face_index": 1}), b"a picture", LIMITS)
    clock.now += 1
    face = await faces.claim("w1")
    assert face is not None
    assert (face.state, face.options, face.attempts) == (FaceState.RUNNING, {"face_index": 1}, 1)
    assert await faces.upload(face) == b"a picture"
    assert await faces.renew("f1", "w1", 0.5, "building the face")
    assert (await faces.get("f1", account)).stage == "building the face"
    made = replace(face, version=7, warnings=("soft",))
    assert await faces.finish("f1", "w1", made, (b"source", b"pack"))
    done = await faces.get("f1")
    assert (done.state, done.version, done.warnings, done.bytes) == (FaceState.READY, 7, ("soft",), 10)
    assert (await faces.pack(done), await faces.source(done)) == (b"pack", b"source")
    assert await faces.upload(done) is None
    assert await blobs.list("faces/f1") == ["faces/f1/pack-7", "faces/f1/source"]
    assert await faces.claim("w1") is None


async def test_others_see_nothing_of_it(faces: FaceStore, keys: Keys, account: str) -> None:
    other = (await keys.add("other")).account
    await faces.put(FaceRecord("f1", account, "me", version=1), b"source", b"pack")
    assert [face.id for face in await faces.all(account)] == ["f1"]
    assert await faces.all(other) == []
    with pytest.raises(NotFound):
        await faces.get("f1", other)
    with pytest.raises(NotFound):
        await faces.delete("f1", other)
    assert (await faces.get("f1", account)).state is FaceState.READY


async def test_deletion_deletes(faces: FaceStore, blobs: FolderBlobs, account: str) -> None:
    await faces.put(FaceRecord("f1", account, "me", version=1), b"source", b"pack")
    await faces.delete("f1", account)
    assert await blobs.list("faces") == []
    with pytest.raises(NotFound):
        await faces.get("f1")


async def test_what_is_deleted_while_it_is_made_stays_deleted(
    faces: FaceStore, blobs: FolderBlobs, account: str
) -> None:
    await faces.add(FaceRecord("f1", account, "me"), b"a picture", LIMITS)
    face = await faces.claim("w1")
    assert face is not None
    await faces.delete("f1", account)
    assert not await faces.renew("f1", "w1", 0.5, "")
    assert not await faces.finish("f1", "w1", replace(face, version=1), (b"source", b"pack"))
    assert await blobs.list("faces") == []


async def test_limits(faces: FaceStore, blobs: FolderBlobs, account: str) -> None:
    for n in range(2):
        await faces.add(FaceRecord(f"f{n}", account, "me"), b"x", LIMITS)
    with pytest.raises(RateLimited, match="2 pictures wait"):
        await faces.add(FaceRecord("f2", account, "me"), b"x", LIMITS)
    assert await faces.claim("w1")
    await faces.add(FaceRecord("f2", account, "me"), b"x", LIMITS)
    with pytest.raises(TooLarge, match="delete some"):
        await faces.add(FaceRecord("f3", account, "me"), b"x", LIMITS)
    assert not [name for name in await blobs.list("faces") if "f3" in name]


async def test_the_queue_is_in_order_and_says_who_is_ahead(faces: FaceStore, account: str, clock: Clock) -> None:
    for n in range(2):
        await faces.add(FaceRecord(f"f{n}", account, "me"), b"x", LIMITS)
        clock.now += 1
    assert await faces.ahead(await faces.get("f1")) == 1
    first = await faces.claim("w1")
    assert first is not None
    assert first.id == "f0"
    assert await faces.ahead(await faces.get("f1")) == 0


async def test_what_fails_says_why_and_keeps_no_picture(faces: FaceStore, blobs: FolderBlobs, account: str) -> None:
    await faces.add(FaceRecord("f1", account, "me"), b"x", LIMITS)
    await faces.claim("w1")
    assert await faces.fail("f1", "w1", "NO_FACE", "no face was found")
    face = await faces.get("f1")
    assert (face.state, face.error_code, face.error) == (FaceState.FAILED, "NO_FACE", "no face was found")
    assert await blobs.list("faces") == []


async def test_a_worker_that_dies_or_leaves(faces: FaceStore, account: str, clock: Clock) -> None:
    await faces.add(FaceRecord("f1", account, "me"), b"x", LIMITS)
    await faces.claim("w1")
    assert await faces.release("w1") == 1
    again = await faces.claim("w2")
    assert again is not None
    assert again.attempts == 1
    clock.now += 31
    assert await faces.expire() == 1
    assert await faces.claim("w3")
    clock.now += 31
    assert await faces.expire() == 1
    assert "died" in str((await faces.get("f1")).error)


async def test_another_engine_makes_the_old_ones_again(faces: FaceStore, blobs: FolderBlobs, account: str) -> None:
    await faces.put(FaceRecord("old", account, "me", version=1), b"source", b"pack")
    await faces.put(FaceRecord("new", account, "me", version=2), b"source", b"pack")
    assert await faces.outdate(2) == 1
    face = await faces.claim("w1")
    assert face is not None
    assert (face.id, await faces.upload(face), await faces.source(face)) == ("old", None, b"source")
    await faces.finish("old", "w1", replace(face, version=2), (b"source", b"better"))
    assert await faces.pack(await faces.get("old")) == b"better"
    assert await blobs.list("faces/old") == [pack_blob("old", 2), "faces/old/source"]
