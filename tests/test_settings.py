"""Settings: where each comes from, what it may be, and that the docs name them all."""

import dataclasses
import re
from pathlib import Path

import pytest

from mouthpiece.errors import StartupError
from mouthpiece.settings import (
    SHORT_NAMES,
    Settings,
    load_settings,
    setting_names,
    settings_from_json,
    settings_to_json,
    variable,
)

DOC = Path(__file__).parent.parent / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(environ: dict[str, str] | None = None, **flags: object) -> Settings:
    return load_settings(None, environ or {}, {name.replace("__", "."): value for name, value in flags.items()})


def value_of(settings: Settings, name: str) -> object:
    part, field = name.split(".")
    return getattr(getattr(settings, part), field)


def test_nothing_given_is_the_defaults() -> None:
    assert load() == Settings()


def test_flags_beat_the_environment_beats_the_file_beats_the_defaults() -> None:
    Path("mouthpiece.toml").write_text('[server]\nhost = "10.0.0.1"\nport = 1\ndrain_s = 7\n[media]\nfps = 30\n')
    settings = load({"MOUTHPIECE_SERVER_PORT": "2", "MOUTHPIECE_SERVER_DRAIN_S": "8"}, server__drain_s=9.0)
    assert (settings.server.host, settings.server.port, settings.server.drain_s) == ("10.0.0.1", 2, 9.0)
    assert (settings.media.fps, settings.media.face) == (30, "mia")


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert load({"MOUTHPIECE_PORT": "5"}, server__port=None).server.port == 5


def test_the_file_is_the_one_given_else_the_one_named_else_the_one_here(tmp_path: Path) -> None:
    for n, name in enumerate(["given.toml", "named.toml", "mouthpiece.toml"], 1):
        (tmp_path / name).write_text(f"[server]\nport = {n}\n")
    named = {"MOUTHPIECE_CONFIG": "named.toml"}
    assert load_settings(tmp_path / "given.toml", named, {}).server.port == 1
    assert load(named).server.port == 2
    assert load().server.port == 3


def test_every_kind_of_value_is_read_from_the_environment() -> None:
    settings = load(
        {
            "MOUTHPIECE_API_KEYS": "k1, k2,,",
            "MOUTHPIECE_ALLOW_HOSTS": "llm.lan",
            "MOUTHPIECE_DATA": "~/avatar",
            "MOUTHPIECE_HOST": " 0.0.0.0 ",
            "MOUTHPIECE_PORT": "80",
            "MOUTHPIECE_DATABASE": "postgresql://h/x",
            "MOUTHPIECE_SERVER_WORKERS": "0",
            "MOUTHPIECE_SERVER_LOG_JSON": "Yes",
            "MOUTHPIECE_TRANSPORT_UDP_PORTS": "40000-40100",
            "MOUTHPIECE_TRANSPORT_PUBLIC_IP": "",
            "MOUTHPIECE_LIMITS_BACKLOG_S": "2.5",
        }
    )
    server = settings.server
    assert (server.api_keys, server.allow_hosts, server.data) == (("k1", "k2"), ("llm.lan",), Path.home() / "avatar")
    assert (server.host, server.port, server.workers, server.log_json) == ("0.0.0.0", 80, 0, True)
    assert settings.store.database == "postgresql://h/x"
    assert (settings.transport.udp_ports, settings.transport.public_ip) == ((40000, 40100), None)
    assert settings.limits.backlog_s == 2.5


def test_the_file_has_toml_values_and_text() -> None:
    Path("mouthpiece.toml").write_text(
        '[server]\napi_keys = ["k1"]\ndata = "d"\nlog_json = true\n[transport]\nudp_ports = [1, 2]\nturn_ttl_s = "60"\n'
    )
    settings = load()
    assert (settings.server.api_keys, settings.server.data, settings.server.log_json) == (("k1",), Path("d"), True)
    assert (settings.transport.udp_ports, settings.transport.turn_ttl_s) == ((1, 2), 60)


def test_the_long_name_wins_over_the_short_one() -> None:
    assert load({"MOUTHPIECE_SERVER_PORT": "2", "MOUTHPIECE_PORT": "1"}).server.port == 2


def test_what_kubernetes_says_of_a_service_is_not_a_setting() -> None:
    noise = {
        "MOUTHPIECE_PORT": "tcp://10.0.0.1:8800",
        "MOUTHPIECE_PORT_8800_TCP_ADDR": "10.0.0.1",
        "MOUTHPIECE_SERVICE_HOST": "10.0.0.1",
        "MOUTHPIECE_SERVICE_PORT": "8800",
        "MOUTHPIECE_TEST_DATA": "/x",
        "MOUTHPIECE_UNRELATED": "y",
        "PATH": "/bin",
    }
    assert load(noise) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("server.port", "eighty", "a whole number, 0 to 65535"),
        ("server.port", "65536", "a whole number, 0 to 65535"),
        ("server.port", "-1", "a whole number, 0 to 65535"),
        ("server.port", "8.5", "a whole number, 0 to 65535"),
        ("server.host", " ", "some text"),
        ("server.data", "", "a path"),
        ("server.workers", "-1", "a whole number, 0 to 1024, or leave it away"),
        ("server.tls", "yes", "self, or leave it away"),
        ("server.log_level", "loud", "debug or info or warning or error"),
        ("server.log_json", "perhaps", "true or false"),
        ("media.fps", "24", "25 or 30"),
        ("media.prefer", "av1", "h264 or vp8"),
        ("limits.backlog_s", "nan", "a number, at least 0"),
        ("limits.backlog_s", "inf ms", "a number, at least 0"),
        ("transport.udp_ports", "40000", "a range like 40000-40100, each a whole number, 0 to 65535, or leave it away"),
        ("transport.udp_ports", "1-99999", "a range like 40000-40100"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(StartupError) as caught:
        load({variable(name): value})
    message = str(caught.value)
    assert message.startswith(f"{name} ({variable(name)}) cannot be {value!r}: give {allowed}")
    assert "\n" not in message


def test_a_bad_value_says_where_it_came_from() -> None:
    with pytest.raises(StartupError, match=r"server.port \(MOUTHPIECE_SERVER_PORT\) in MOUTHPIECE_PORT cannot be 'x'"):
        load({"MOUTHPIECE_PORT": "x"})
    with pytest.raises(StartupError, match=r"in flag server.port cannot be True"):
        load(server__port=True)
    Path("mouthpiece.toml").write_text("[server]\nhost = 5\n")
    with pytest.raises(StartupError, match=r"in mouthpiece.toml cannot be 5: give some text"):
        load()


def test_a_bad_secret_is_not_repeated() -> None:
    Path("mouthpiece.toml").write_text("[store]\nsecret = 12345\n")
    with pytest.raises(StartupError, match="cannot be \\(hidden\\)") as caught:
        load()
    assert "12345" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[srever]\nport = 1\n", r"unknown section \[srever\] in mouthpiece.toml: did you mean server\?"),
        ("[server]\nprt = 1\n", r"unknown setting server.prt in mouthpiece.toml: did you mean server.port\?"),
        ("port = 1\n", r"unknown section \[port\] in mouthpiece.toml"),
        ("[server\n", r"the settings file mouthpiece.toml is not TOML"),
    ],
)
def test_a_file_with_a_mistake_is_said(toml: str, words: str) -> None:
    Path("mouthpiece.toml").write_text(toml)
    with pytest.raises(StartupError, match=words):
        load()


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(StartupError, match=r"cannot read the settings file no.toml \(No such file"):
        load_settings(Path("no.toml"), {}, {})


@pytest.mark.parametrize(
    "name", ["MOUTHPIECE_API_KEY", "MOUTHPIECE_SERVER_PROT", "MOUTHPIECE_MEDIA_X", "MOUTHPIECE_HOSTS"]
)
def test_a_misspelt_variable_is_said(name: str) -> None:
    with pytest.raises(StartupError, match=f"unknown setting {name} in the environment: did you mean MOUTHPIECE_"):
        load({name: "1"})


def test_an_unknown_flag_is_said() -> None:
    with pytest.raises(StartupError, match=r"unknown setting server\.colour in flag"):
        load(server__colour="red")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"MOUTHPIECE_SERVER_TLS_CERT": "c.pem"}, "only one of server.tls_cert and server.tls_key"),
        (
            {"MOUTHPIECE_SERVER_TLS": "self", "MOUTHPIECE_SERVER_TLS_CERT": "c", "MOUTHPIECE_SERVER_TLS_KEY": "k"},
            "are both set",
        ),
        ({"MOUTHPIECE_MEDIA_BITRATE": "2000000"}, "set it from 150000 to 1500000"),
        ({"MOUTHPIECE_TRANSPORT_UDP_PORTS": "5-4"}, "give the lower port first"),
    ],
)
def test_settings_that_contradict_each_other_are_said(environ: dict[str, str], words: str) -> None:
    with pytest.raises(StartupError, match=words):
        load(environ)


def test_settings_travel_to_a_child_and_back() -> None:
    settings = load(
        {"MOUTHPIECE_API_KEYS": "k1,k2", "MOUTHPIECE_DATA": "/d", "MOUTHPIECE_TRANSPORT_UDP_PORTS": "1-2"},
        store__secret="s" * 40,
        server__workers=2,
    )
    assert settings_from_json(settings_to_json(settings)) == settings
    assert settings_from_json(settings_to_json(Settings())) == Settings()


def _rows() -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOC.read_text().splitlines()]
    return {row[0].strip("`"): row for row in lines if len(row) == 4 and row[0].startswith("`")}


def _as_documented(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value == ():
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_in_the_docs_with_its_variable_and_default(name: str) -> None:
    row = _rows()[name]
    assert row[1] == f"`{variable(name)}`"
    assert row[2] == f"`{_as_documented(value_of(Settings(), name))}`"
    assert len(row[3]) > 10


def test_the_docs_name_no_setting_that_is_none() -> None:
    assert set(_rows()) == set(setting_names())
    words = set(re.findall(r"MOUTHPIECE_[A-Z0-9_]+", DOC.read_text()))
    known = {variable(name) for name in setting_names()} | set(SHORT_NAMES) | {"MOUTHPIECE_CONFIG"}
    assert words - {"MOUTHPIECE_"} == known


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().server.port = 1  # type: ignore[misc]
