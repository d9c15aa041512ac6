"""``mouthpiece doctor``: on this machine, and where something is wrong."""

from __future__ import annotations

import json
import os
import resource
import socket
import sqlite3
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.networks import wav2lip_file
from tests.support.turn import SECRET, coturn, turnserver
from typer.testing import CliRunner, Result

from mouthpiece.app.net import certificate
from mouthpiece.cli import check_machine, check_network, check_parts
from mouthpiece.cli.doctor import CHECKS
from mouthpiece.cli.findings import Finding, Level, failure, note, ok, summary, warning
from mouthpiece.cli.main import app
from mouthpiece.settings import ServerSettings, Settings, load_settings


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def _settings(data: Path, **flags: object) -> Settings:
    named: dict[str, object] = {name.replace("__", "."): value for name, value in flags.items()}
    return load_settings(None, {}, {"server.data": data, "server.port": _free_port(), **named})


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _doctor(*words: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *words])


# --- the verb -------------------------------------------------------------------------------------------------------
def test_a_working_machine_is_healthy_and_nothing_is_changed(data: Path) -> None:
    flags = ("--data", str(data), "--port", str(_free_port()))
    result = _doctor(*flags, "--json")
    report = json.loads(result.stdout)
    failures = [finding for finding in report["findings"] if finding["level"] == "failure"]
    assert (failures, result.exit_code, report["ok"]) == ([], 0, True)
    assert report["version"]
    levels = {finding["name"]: finding["level"] for finding in report["findings"]}
    wanted = "python cores memory port udp addresses stun turn tls clock kernels encoders voice faces database ffmpeg"
    assert {*wanted.split(), "data folder", "open files", "extra postgres", "extra cloud"} <= levels.keys()
    assert {levels[part] for part in ("kernels", "encoders", "voice", "faces", "database")} == {"ok"}
    assert not data.exists()


def test_a_person_gets_a_line_each_with_the_remedy_under_it_and_the_verdict_last(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cured(_: Settings) -> list[Finding]:
        return [
            ok("one", "fine"),
            note("two", "so so"),
            warning("three", "odd", "turn it"),
            failure("four", "bad", "mend it"),
        ]

    def broken(_: Settings) -> Finding:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("mouthpiece.cli.doctor.CHECKS", (cured, broken))
    result = _doctor("--data", str(data))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "ok       one            fine",
        "note     two            so so",
        "warning  three          odd",
        "                        -> turn it",
        "failure  four           bad",
        "                        -> mend it",
        "failure  broken         could not be checked (ZeroDivisionError: oh)",
        "                        -> report this with the output",
        "the server will not work here yet: 2 failures, 1 warning",
    ]


def test_wrong_settings_are_the_one_finding(data: Path) -> None:
    result = _doctor("--data", str(data), "--port", "80000", "--json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)["findings"]
    assert (finding["name"], finding["level"]) == ("settings", "failure")
    assert "80000" in finding["text"]
    assert finding["remedy"] == "give a whole number, 0 to 65535"


def test_every_check_has_a_name_of_its_own() -> None:
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS)
    assert summary([ok("a", "")]) == "the server can run here: no failures, no warnings"


# --- the machine ----------------------------------------------------------------------------------------------------
def test_a_folder_that_is_a_file_or_cannot_be_written_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert check_machine.data_folder(_settings(file)).level is Level.FAILURE
    below = check_machine.data_folder(_settings(file / "below"))
    assert (below.level, below.text) == (Level.FAILURE, f"{file} is a file")
    sealed = check_machine.data_folder(_settings(Path("/proc/mouthpiece")))
    assert (sealed.level, "cannot be written" in sealed.text) == (Level.FAILURE, True)
    fresh = check_machine.data_folder(_settings(tmp_path / "a" / "b"))
    assert fresh.level is Level.OK
    assert "will be made" in fresh.text


def test_memory_counts_the_processes_that_will_start(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def level(free: int, workers: int) -> Level:
        monkeypatch.setattr(check_machine, "free_mib", lambda: float(free))
        return check_machine.memory(_settings(data, server__workers=workers)).level

    assert [level(1000, 0), level(400, 0), level(200, 0)] == [Level.OK, Level.WARNING, Level.FAILURE]
    assert [level(1000, 2), level(900, 2), level(400, 2)] == [Level.OK, Level.WARNING, Level.FAILURE]
    monkeypatch.undo()
    assert check_machine.free_mib() > 100


def test_a_containers_limits_count(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_machine, "_CGROUP", tmp_path)
    free = check_machine.free_mib()
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text(f"{300 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{100 << 20}\n")
    assert check_machine.usable_cores() == 0.5
    assert check_machine.cores(_settings(data)).level is Level.WARNING
    assert check_machine.free_mib() == 200 < free
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert check_machine.usable_cores() >= 1
    assert check_machine.free_mib() > 200


def test_few_open_files_are_a_warning(data: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        found = check_machine.open_files(_settings(data))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert found.level is Level.WARNING
    assert found.remedy.startswith("raise it: ulimit -n")


def test_a_clock_behind_our_own_files_fails(data: Path) -> None:
    data.mkdir()
    file = data / "mouthpiece.db"
    file.write_bytes(b"")
    assert check_machine.clock(_settings(data)).level is Level.OK
    ahead = datetime.now(UTC) + timedelta(hours=2)
    os.utime(file, (ahead.timestamp(), ahead.timestamp()))
    found = check_machine.clock(_settings(data))
    assert (found.level, "120 min" in found.text or "119 min" in found.text) == (Level.FAILURE, True)


# --- the network ----------------------------------------------------------------------------------------------------
@pytest.fixture
def taken() -> Iterator[int]:
    """A TCP port on which somebody listens and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_taken_port_fails_unless_it_is_our_own_server(
    data: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(data, server__port=taken)
    found = check_network.port(settings)
    assert (found.level, found.text) == (Level.FAILURE, f"port {taken} on 127.0.0.1 is taken")
    assert "--port" in found.remedy
    monkeypatch.setattr(check_network, "_is_ours", lambda _: True)
    assert check_network.port(settings).level is Level.OK
    assert check_network.port(_settings(data)).level is Level.OK


def test_a_machine_without_udp_fails(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_network.udp(_settings(data)).level is Level.OK
    port = _free_port(socket.SOCK_DGRAM)
    ranged = _settings(data, transport__udp_ports=f"{port}-{port}")
    assert check_network.udp(ranged).level is Level.OK
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
    ):
        four.bind(("127.0.0.1", port))
        six.bind(("::1", port))
        found = check_network.udp(ranged)
    assert found.level is Level.FAILURE
    assert f"ports {port}-{port}" in found.text


def test_who_reaches_the_server_is_said(data: Path) -> None:
    assert "--host" in check_network.addresses(_settings(data)).remedy
    public = check_network.addresses(_settings(data, server__host="0.0.0.0", transport__public_ip="203.0.113.7"))
    assert (public.level, public.text) == (Level.OK, "viewers are told 203.0.113.7")


def test_a_taken_stun_port_is_a_warning(data: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 0))
        found = check_network.stun(_settings(data, transport__stun_port=other.getsockname()[1]))
    assert found.level is Level.WARNING
    free = _free_port(socket.SOCK_DGRAM)
    assert check_network.stun(_settings(data, transport__stun_port=free)).level is Level.OK


def test_no_turn_server_is_a_note_and_one_without_a_secret_a_warning(data: Path) -> None:
    assert [found.level for found in check_network.turn(_settings(data))] == [Level.NOTE]
    bare = _settings(data, transport__turn_url="turn:127.0.0.1")
    assert [found.level for found in check_network.turn(bare)] == [Level.WARNING]


def test_a_turn_server_that_is_not_there_fails(data: Path) -> None:
    port = _free_port(socket.SOCK_DGRAM)
    url = f"turn:127.0.0.1:{port}?transport=tcp,nonsense"
    found = check_network.turn(_settings(data, transport__turn_url=url, transport__turn_secret=SECRET))
    assert [one.level for one in found] == [Level.FAILURE, Level.FAILURE]
    assert "is not a TURN address" in found[1].text


@pytest.mark.skipif(turnserver() is None, reason="needs coturn (Debian package coturn)")
async def test_a_real_turn_server_relays_for_the_right_secret_only(tmp_path: Path, data: Path) -> None:
    async with coturn(tmp_path) as port:
        url = f"turn:127.0.0.1:{port}, turn:localhost:{port}?transport=tcp"
        right = await _in_thread(
            check_network.turn, _settings(data, transport__turn_url=url, transport__turn_secret=SECRET)
        )
        wrong = await _in_thread(
            check_network.turn, _settings(data, transport__turn_url=url, transport__turn_secret="other")
        )
    assert [found.level for found in right] == [Level.OK] * 2, right
    assert "relays at 127.0.0.1:" in right[0].text
    assert [found.level for found in wrong] == [Level.FAILURE] * 2
    assert "401" in wrong[0].text


async def _in_thread(check: Callable[[Settings], list[Finding]], settings: Settings) -> list[Finding]:
    import asyncio

    return await asyncio.to_thread(check, settings)


def test_certificates_are_read_and_their_end_is_seen(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.mkdir()
    made = certificate(ServerSettings(tls="self"), data)
    assert made is not None
    given = _settings(data, server__tls_cert=made.cert, server__tls_key=made.key)

    class Later(datetime):
        days = 0

        @classmethod
        def now(cls, tz: object = None) -> Later:
            moment = datetime.now(UTC) + timedelta(days=cls.days)
            return cls.fromtimestamp(moment.timestamp(), UTC)

    monkeypatch.setattr(check_network, "datetime", Later)
    levels = []
    for days in (0, 390, 400):
        monkeypatch.setattr(Later, "days", days)
        levels.append(check_network.tls(given).level)
    assert levels == [Level.OK, Level.WARNING, Level.FAILURE]
    mixed = _settings(data, server__tls_cert=made.key, server__tls_key=made.cert)
    assert check_network.tls(mixed).level is Level.FAILURE
    assert check_network.tls(_settings(data, server__tls_cert="no", server__tls_key="no")).level is Level.FAILURE


def test_an_open_server_without_tls_is_a_warning(data: Path) -> None:
    assert check_network.tls(_settings(data)).level is Level.OK
    assert check_network.tls(_settings(data, server__host="0.0.0.0")).level is Level.WARNING
    assert check_network.tls(_settings(data, server__host="0.0.0.0", server__tls="self")).level is Level.OK


# --- the parts ------------------------------------------------------------------------------------------------------
def test_missing_encoders_are_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_parts.encoders(_settings(data)).level is Level.OK
    monkeypatch.setattr(check_parts, "ENCODERS", ("libopus", "libnonsense"))
    found = check_parts.encoders(_settings(data))
    assert (found.level, found.text) == (Level.FAILURE, "missing: libnonsense")


def test_a_voice_that_does_not_speak_fails(data: Path) -> None:
    found = check_parts.voice(_settings(data, voice__voice="klingon-of-nowhere"))
    assert found.level is Level.FAILURE
    assert "klingon-of-nowhere" in found.text
    gone = check_parts.voice(_settings(data, voice__command=(sys.executable, "-c", "pass")))
    assert gone.level is Level.FAILURE


def test_a_default_face_that_is_not_there_fails(data: Path) -> None:
    found = check_parts.faces(_settings(data, media__face="nobody"))
    assert (found.level, "nobody" in found.text) == (Level.FAILURE, True)


def test_nothing_kept_of_the_compiled_code_is_a_warning(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "elsewhere"))
    found = check_parts.kernels(_settings(data))
    assert found.level is Level.WARNING
    assert str(tmp_path / "elsewhere") in found.remedy


def test_compiled_code_goes_to_the_data_folder_or_nowhere(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    with check_parts.compiled_code(_settings(data)):
        scratch = Path(os.environ["NUMBA_CACHE_DIR"])
        assert scratch.is_dir()
    assert not scratch.exists()
    assert "NUMBA_CACHE_DIR" not in os.environ
    data.mkdir()
    with check_parts.compiled_code(_settings(data)):
        assert os.environ["NUMBA_CACHE_DIR"] == str(data / "cache" / "numba")


def test_the_database_is_looked_at_and_left_as_it_is(data: Path) -> None:
    assert "will be made" in check_parts.database(_settings(data)).text
    keys = CliRunner().invoke(app, ["keys", "add", "--data", str(data)])
    assert keys.exit_code == 0
    found = check_parts.database(_settings(data))
    assert (found.level, "up to date" in found.text) == (Level.OK, True)

    with closing(sqlite3.connect(data / "mouthpiece.db")) as older, older:
        older.execute("UPDATE alembic_version SET version_num = 'older'")
    found = check_parts.database(_settings(data))
    assert (found.level, "has revision older" in found.text) == (Level.NOTE, True)

    damaged = data / "mouthpiece.db"
    damaged.write_bytes(b"not a database, but long enough to look like something else entirely" * 20)
    for leftover in data.glob("mouthpiece.db-*"):
        leftover.unlink()
    assert check_parts.database(_settings(data)).level is Level.FAILURE


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "mysql://x/y", "gibberish"])
def test_a_database_that_does_not_answer_fails(data: Path, url: str) -> None:
    found = check_parts.database(_settings(data, store__database=url))
    assert found.level is Level.FAILURE
    assert found.remedy


def test_extras_are_those_of_the_package(data: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    named = {found.name for found in check_parts.extras(_settings(data))}
    assert named == {f"extra {name}" for name in project["optional-dependencies"]}


# --- engines from outside -------------------------------------------------------------------------------------------
def test_an_engine_from_outside_shows_its_device_its_licence_and_what_it_costs(data: Path, tmp_path: Path) -> None:
    network = tmp_path / "random.onnx"
    network.write_bytes(wav2lip_file())
    found = check_parts.engine(_settings(data, engines__name="wav2lip", engines__file=network))
    assert found.level is Level.OK
    assert "wav2lip on cpu; licence: that of the network file" in found.text
    assert "sound waits 212 ms for it; at most 25 ms a picture" in found.text


def test_an_engine_that_cannot_be_had_is_a_warning_with_what_to_do(data: Path) -> None:
    found = check_parts.engine(_settings(data, engines__name="wav2lip", engines__file="/no/such/file"))
    assert (found.level, found.remedy) == (Level.WARNING, "no network file '/no/such/file': name one of your own")
    assert "the mesh engine draws every mouth" in found.text
    assert "wav2lip" in check_parts.engine(_settings(data)).text
