"""Secrets: made once, private, shared on request, and said clearly when they cannot be had."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from mouthpiece.errors import StartupError
from mouthpiece.settings import StoreSettings
from mouthpiece.store.db import Database
from mouthpiece.store.keys import Keys
from mouthpiece.store.secrets import Secrets, data_folder, first_key

HERE = StoreSettings()
ONE, TWO = "a" * 40, "b" * 40


def _fernet(secrets: Secrets) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in secrets.token_keys])


def _mode(path: Path) -> str:
    return oct(path.stat().st_mode)[-3:]


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    first, again = Secrets.load(tmp_path, HERE), Secrets.load(tmp_path, HERE)
    assert first == again
    assert len(first.pepper) == 32
    assert _mode(tmp_path / "secret") == "600"
    assert os.listdir(tmp_path) == ["secret"]
    assert _fernet(again).decrypt(_fernet(first).encrypt(b"hello")) == b"hello"
    assert repr(first) == str(first) == "Secrets(hidden)"


def test_two_folders_have_different_secrets(tmp_path: Path) -> None:
    one, two = (Secrets.load(data_folder(tmp_path / name), HERE) for name in ("one", "two"))
    assert one.pepper != two.pepper
    with pytest.raises(InvalidToken):
        _fernet(two).decrypt(_fernet(one).encrypt(b"hello"))


def test_a_new_line_rotates_and_keeps_keys_and_old_tokens(tmp_path: Path) -> None:
    old = Secrets.load(tmp_path, HERE)
    file = tmp_path / "secret"
    file.write_text(f"token: {ONE}\n{file.read_text()}")
    new = Secrets.load(tmp_path, HERE)
    assert new.pepper == old.pepper
    assert _fernet(new).decrypt(_fernet(old).encrypt(b"old")) == b"old"
    with pytest.raises(InvalidToken):
        _fernet(old).decrypt(_fernet(new).encrypt(b"new"))


def test_replicas_share_a_secret_and_rotate_it(tmp_path: Path) -> None:
    here, there = (Secrets.load(tmp_path / name, StoreSettings(secret=ONE)) for name in ("a", "b"))
    assert here == there
    rotated = Secrets.load(tmp_path, StoreSettings(secret=f"{TWO}, {ONE}"))
    assert _fernet(rotated).decrypt(_fernet(here).encrypt(b"old")) == b"old"
    assert rotated.pepper == here.pepper
    dropped = Secrets.load(tmp_path, StoreSettings(secret=TWO, pepper=ONE))
    assert dropped.pepper == here.pepper
    with pytest.raises(InvalidToken):
        _fernet(dropped).decrypt(_fernet(here).encrypt(b"old"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("secret", ["hush", ",", f"{ONE},hush"])
def test_a_weak_secret_is_refused(tmp_path: Path, secret: str) -> None:
    with pytest.raises(StartupError, match=r"missing or too short: give each at least 32") as caught:
        Secrets.load(tmp_path, StoreSettings(secret=secret))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"token: x\n", b"\xff\xfe\x00", b"token: " + b"a" * 40])
def test_a_damaged_secret_file_is_said_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(StartupError, match=f"{tmp_path}/secret"):
        Secrets.load(tmp_path, HERE)
    assert (tmp_path / "secret").read_bytes() == content


def test_many_processes_make_one_secret(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mouthpiece.settings import StoreSettings;"
        "from mouthpiece.store.secrets import Secrets;"
        "sys.stdout.write(Secrets.load(Path(sys.argv[1]), StoreSettings()).pepper.hex())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({each.communicate(timeout=60)[0] for each in started} - {""}) == 1
    assert all(each.returncode == 0 for each in started)


def test_the_data_folder_is_made_for_its_owner(tmp_path: Path) -> None:
    folder = data_folder(tmp_path / "new" / "data")
    assert folder.is_dir()
    assert _mode(folder) == "700"
    assert data_folder(folder) == folder


def test_a_data_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match=r"/file is a file, not a folder: name another with --data"):
        data_folder(tmp_path / "file")
    with pytest.raises(StartupError, match=r"cannot be written to \(Not a directory\)"):
        data_folder(tmp_path / "file" / "x")
    with pytest.raises(StartupError, match=r"the data folder /proc/mouthpiece cannot be written to"):
        data_folder(Path("/proc/mouthpiece"))


async def test_the_first_start_makes_a_key_and_shows_it_once(tmp_path: Path, keys: Keys) -> None:
    shown = await first_key(tmp_path, keys)
    assert shown
    assert (tmp_path / "api-key").read_text() == shown + "\n"
    assert _mode(tmp_path / "api-key") == "600"
    assert await keys.authenticate(shown)
    assert await first_key(tmp_path, keys) is None
    assert await keys.count() == 1


async def test_the_key_file_works_with_a_new_database(tmp_path: Path, keys: Keys) -> None:
    (tmp_path / "api-key").write_text("mp_from_before\n")
    assert await first_key(tmp_path, keys) is None
    assert await keys.authenticate("mp_from_before")


async def test_a_revoked_first_key_stays_revoked(tmp_path: Path, keys: Keys) -> None:
    shown = await first_key(tmp_path, keys)
    assert shown
    (info,) = await keys.list()
    await keys.revoke(info.id)
    assert await first_key(tmp_path, keys) is None
    assert await keys.authenticate(shown) is None
    os.unlink(tmp_path / "api-key")
    assert await first_key(tmp_path, keys) is None
    assert "api-key" not in os.listdir(tmp_path)


async def test_servers_that_start_together_agree_on_the_first_key(tmp_path: Path, database: Database) -> None:
    folders = [data_folder(tmp_path / f"d{n}") for n in range(4)]
    shown = await asyncio.gather(*(first_key(folder, Keys(database, b"p")) for folder in folders))
    assert len([key for key in shown if key]) == 1
    assert sum((folder / "api-key").exists() for folder in folders) == 1
    assert await Keys(database, b"p").count() == 1


async def test_an_empty_key_file_is_said(tmp_path: Path, keys: Keys) -> None:
    (tmp_path / "api-key").write_text("\n")
    with pytest.raises(StartupError, match="is empty: delete it"):
        await first_key(tmp_path, keys)
