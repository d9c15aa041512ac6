"""Blobs: the same behaviour in a folder and behind obstore; no name leads out of the folder."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mouthpiece.errors import NotFound, StartupError, Unavailable
from mouthpiece.store.base import PIECE, Blobs
from mouthpiece.store.blobs import FolderBlobs, open_blobs

EVIL = [
    "",
    ".",
    "..",
    "../secret",
    "a/../../secret",
    "/etc/passwd",
    "a//b",
    "a/",
    "/a",
    "a\\b",
    "..\\secret",
    "C:secret",
    "%2e%2e/secret",
    "a/.hidden",
    ".half-x",
    "-rf",
    "a\x00b",
    "a\nb",
    "a b",
    "é",
    "a/" * 8 + "b",
    "x" * 129,
]


@pytest.fixture(params=["folder", "memory", "file"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    (tmp_path / "blobs").mkdir()
    where = {"folder": None, "memory": "memory:///", "file": f"file://{tmp_path}/blobs"}
    return open_blobs(where[request.param], tmp_path)


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _broken() -> AsyncIterator[bytes]:
    yield b"half of "
    raise RuntimeError("the sender went away")


async def _collect(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


async def test_what_is_put_is_got(blobs: Blobs) -> None:
    assert await blobs.put("faces/mia.pack", b"one") == 3
    assert await blobs.get("faces/mia.pack") == b"one"
    assert await blobs.put("faces/mia.pack", _pieces(b"tw", b"", b"o!")) == 4
    assert await blobs.get("faces/mia.pack") == b"two!"
    assert await blobs.size("faces/mia.pack") == 4


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    assert await blobs.put("empty", b"") == 0
    assert await blobs.get("empty") == b""
    assert await _collect(blobs.stream("empty")) == b""


async def test_ranges_come_in_pieces(blobs: Blobs) -> None:
    content = os.urandom(3 * PIECE + 17)
    await blobs.put("big", content)
    assert await _collect(blobs.stream("big")) == content
    assert await _collect(blobs.stream("big", 5)) == content[5:]
    assert await _collect(blobs.stream("big", PIECE - 1, 2 * PIECE + 1)) == content[PIECE - 1 : 2 * PIECE + 1]
    assert await _collect(blobs.stream("big", 9, 9)) == b""


async def test_what_is_not_there_is_not_found(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        await blobs.get("nothing")
    with pytest.raises(NotFound):
        await blobs.size("nothing")
    with pytest.raises(NotFound):
        await _collect(blobs.stream("nothing"))
    await blobs.delete("nothing")


async def test_deleted_is_gone_and_listed_is_there(blobs: Blobs) -> None:
    for name in ("job/b.ts", "job/a.ts", "job2/c.ts", "job/sub/d.ts"):
        await blobs.put(name, b"x")
    assert await blobs.list("job") == ["job/a.ts", "job/b.ts", "job/sub/d.ts"]
    await blobs.delete("job/a.ts")
    await blobs.delete("job/sub/d.ts")
    assert await blobs.list("job") == ["job/b.ts"]
    assert await blobs.list("none") == []


async def test_a_broken_upload_leaves_the_old_blob(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("a/b", b"old")
    with pytest.raises((RuntimeError, Unavailable)):
        await blobs.put("a/b", _broken())
    assert await blobs.get("a/b") == b"old"
    assert await blobs.list("a") == ["a/b"]


@pytest.mark.parametrize("name", EVIL)
async def test_no_name_leads_elsewhere(blobs: Blobs, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("untouched")
    with pytest.raises(NotFound):
        await blobs.get(name)
    with pytest.raises(NotFound):
        await blobs.put(name, b"taken")
    with pytest.raises(NotFound):
        await _collect(blobs.stream(name))
    with pytest.raises(NotFound):
        await blobs.delete(name)
    with pytest.raises(NotFound):
        await blobs.list(name)
    assert (tmp_path / "secret").read_text() == "untouched"
    assert sorted(os.listdir(tmp_path)) == ["blobs", "secret"]


async def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    blobs = open_blobs(None, tmp_path)
    (tmp_path / "secret").write_text("s")
    os.symlink(tmp_path, tmp_path / "blobs" / "out")
    with pytest.raises(NotFound):
        await blobs.get("out/secret")
    with pytest.raises(NotFound):
        await blobs.list("out")


async def test_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    await blobs.put("a/b/c", b"x")
    assert oct(tmp_path.joinpath("a/b/c").stat().st_mode)[-3:] == "600"
    with pytest.raises(RuntimeError):
        await blobs.put("a/b/d", _broken())
    await blobs.delete("a/b/c")
    assert os.listdir(tmp_path) == []
    with pytest.raises(NotFound):
        await blobs.get("a")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match=r"cannot make the folder .*/file/x"):
        open_blobs(str(tmp_path / "file" / "x"), tmp_path)


def test_a_url_that_nobody_serves_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"store\.blobs = gopher://x cannot be opened"):
        open_blobs("gopher://x", tmp_path)
