"""Which face a command's ``--face`` and ``--data`` mean."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mouthpiece.cli.own_face import load_face
from mouthpiece.errors import BadInput
from mouthpiece.face import catalog
from mouthpiece.face.pack import read, write
from mouthpiece.settings import load_settings
from mouthpiece.store.faces import FaceRecord
from mouthpiece.store.store import Store


def pack(face_id: str, name: str) -> bytes:
    return write(replace(read(catalog.pack_bytes("mia")), face_id=face_id, name=name))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two accounts: both have a face called Me, the second one has another one too."""

    async def fill() -> None:
        store = await Store.open(load_settings(None, {}, {"server.data": tmp_path}))
        try:
            first = (await store.keys.add("first")).account
            second = (await store.keys.add("second")).account
            faces = (("f1", first, "Me", 1.0), ("f2", second, "Me", 2.0), ("f3", second, "You", 3.0))
            for face_id, account, name, created in faces:
                record = FaceRecord(face_id, account, name, version=1, created=created)
                await store.faces.put(record, b"source", pack(face_id, name))
        finally:
            await store.close()

    asyncio.run(fill())
    return tmp_path


def test_every_accounts_faces_are_found(data: Path) -> None:
    assert load_face("You", data).face_id == "f3"
    assert load_face("f2", data).face_id == "f2"


def test_the_first_accounts_goes_before_another_ones_of_that_name(data: Path) -> None:
    assert load_face("Me", data).face_id == "f1"


def test_what_there_is_instead_is_said(data: Path) -> None:
    with pytest.raises(BadInput, match=r"no face Them: give one of mia, .*, or of your own in .*: Me, You, Me"):
        load_face("Them", data)
