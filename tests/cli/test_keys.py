"""``mouthpiece keys``, as a person and as a script would use it."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mouthpiece.cli.main import app
from mouthpiece.settings import Settings, load_settings
from mouthpiece.store.store import Store


def _run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(app, ["keys", *words], env=dict(environ))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "data")


def _settings(data: str) -> Settings:
    return load_settings(None, {}, {"server.data": data})


async def _account(data: str, key: str) -> str | None:
    store = await Store.open(_settings(data))
    account = await store.keys.authenticate(key)
    await store.close()
    return account.id if account else None


def test_a_key_is_made_listed_and_revoked(data: str) -> None:
    made = _run("add", "--name", "laptop", "--data", data)
    key, key_id = made.stdout.strip(), made.stderr.split()[0]
    account = asyncio.run(_account(data, key))
    assert account
    listed = _run("list", "--data", data).stdout
    assert all(word in listed for word in (key_id, account, "laptop", "active", "LAST USED"))
    assert key not in listed
    revoked = _run("revoke", key_id, MOUTHPIECE_DATA=data)
    assert (revoked.exit_code, revoked.stdout) == (0, "")
    assert "revoked" in _run("list", "--data", data).stdout
    assert asyncio.run(_account(data, key)) is None


def test_stdout_is_the_key_alone_and_the_account_can_have_more(data: str) -> None:
    first = _run("add", "--data", data).stdout.strip()
    account = asyncio.run(_account(data, first))
    assert account
    second = _run("add", "--data", data, "--account", account).stdout.strip()
    assert asyncio.run(_account(data, second)) == account


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list"], "mouthpiece: no server has kept anything in {data} yet: name its folder with --data\n"),
        (["revoke", "key_x"], "mouthpiece: no server has kept anything in {data} yet: name its folder with --data\n"),
        (["add", "--account", "x"], "mouthpiece: no such account x: leave it away for a new one\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(data: str, words: list[str], message: str) -> None:
    result = _run(*words, "--data", data)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message.format(data=data))


def test_a_key_that_is_not_there_cannot_be_revoked(data: str) -> None:
    _run("add", "--data", data)
    result = _run("revoke", "key_x", "--data", data)
    assert result.exit_code == 2
    assert result.stderr == "mouthpiece: no such key key_x: `mouthpiece keys list` shows them\n"


def test_a_bad_setting_is_said(data: str) -> None:
    result = _run("list", "--data", data, MOUTHPIECE_PORT="x")
    assert result.exit_code == 2
    assert result.stderr.startswith("mouthpiece: server.port")


def test_keys_of_the_environment_are_mentioned(data: str) -> None:
    assert "those keys only" in _run("add", "--data", data, MOUTHPIECE_API_KEYS="k1").stderr


def test_an_empty_list_says_what_to_do(data: str) -> None:
    asyncio.run(_account(data, "nothing"))
    result = _run("list", "--data", data)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "mouthpiece keys add" in result.stderr
