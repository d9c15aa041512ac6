"""Everything that is kept, opened in one call."""

from pathlib import Path

import pytest

from mouthpiece.errors import StartupError
from mouthpiece.settings import Settings, load_settings
from mouthpiece.store.store import Store


def _settings(tmp_path: Path, **flags: object) -> Settings:
    given = {name.replace("__", "."): value for name, value in flags.items()}
    return load_settings(None, {}, {"server.data": tmp_path / "data", **given})


async def test_a_first_start_makes_what_it_needs_and_a_second_finds_it(tmp_path: Path) -> None:
    store = await Store.open(_settings(tmp_path))
    key = await store.first_key()
    assert key
    await store.blobs.put("a", b"1")
    await store.close()
    again = await Store.open(_settings(tmp_path))
    assert await again.first_key() is None
    assert await again.keys.authenticate(key) == await again.keys.first_account()
    assert await again.blobs.get("a") == b"1"
    assert again.secrets == store.secrets
    await again.close()


async def test_keys_of_the_settings_make_no_key_file(tmp_path: Path) -> None:
    store = await Store.open(_settings(tmp_path, server__api_keys="k1,k2"))
    assert await store.first_key() is None
    assert not (store.data / "api-key").exists()
    assert await store.keys.authenticate("k2")
    await store.close()


async def test_everything_can_be_elsewhere(tmp_path: Path, url: str) -> None:
    store = await Store.open(
        _settings(tmp_path, store__database=url, store__blobs="memory:///", store__secret="s" * 40)
    )
    assert await store.first_key()
    assert sorted(path.name for path in store.data.iterdir()) == ["api-key"]
    await store.close()


async def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="too short"):
        await Store.open(_settings(tmp_path, store__secret="hush"))
