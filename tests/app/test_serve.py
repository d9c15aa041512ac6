"""``mouthpiece serve`` as people and supervisors meet it: a real process, its output, its signals, its end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.conversation import talking
from tests.support.namespaces import INSIDE, namespaces
from tests.support.server import COMPILED, KEY, OTHER_KEY, Server, free_port, serving
from websockets.sync.client import connect

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that leave it as it was; it logs all it can."""
    data = tmp_path_factory.mktemp("server") / "data"
    with serving(data, ["--workers", "0", "--log-level", "debug"]) as it:
        yield it


def ask(server: Server, path: str, key: str = KEY) -> httpx.Response:
    return httpx.get(server.url + path, headers={"x-simli-api-key": key}, timeout=20)


def get(server: Server, path: str) -> httpx.Response:
    return httpx.get(server.url + path, timeout=20)


def post(server: Server, path: str, body: object, key: str | None = None) -> httpx.Response:
    headers = {} if key is None else {"x-simli-api-key": key}
    return httpx.post(server.url + path, json=body, headers=headers, timeout=20)


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mouthpiece", *arguments],
        env={**os.environ, **COMPILED, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# --- the ready line and the page -----------------------------------------------------------------------------------
def test_the_ready_address_lets_the_page_in_once(server: Server) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?code=[\w-]+", server.ready_url)
    code = server.ready_url.split("code=")[1]
    page = httpx.get(server.ready_url, timeout=20)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    access = httpx.post(f"{server.url}/web/access", json={"code": code}, timeout=20)
    assert ask(server, "/faces", access.json()["token"]).status_code == 200
    assert httpx.post(f"{server.url}/web/access", json={"code": code}, timeout=20).status_code == 401


def test_another_address_can_be_asked_for(server: Server) -> None:
    said = run("url", "--data", str(server.data))
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"{server.url}/?code=")
    code = said.stdout.strip().split("code=")[1]
    assert httpx.post(f"{server.url}/web/access", json={"code": code}, timeout=20).status_code == 200


def test_no_address_is_made_up_for_a_server_that_never_was(tmp_path: Path) -> None:
    line = refused(run("url", "--data", str(tmp_path / "none")))
    assert line.startswith(f"mouthpiece: no server has been ready on the data folder {tmp_path / 'none'} yet: ")
    assert not (tmp_path / "none").exists()


def test_it_is_alive_ready_and_counted(server: Server) -> None:
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready"}
    text = get(server, "/metrics").text
    for name in (
        "sessions",
        "sessions_started_total",
        "late_pictures_total",
        "cpu_seconds_total",
        "loop_lag_seconds_sum",
    ):
        assert f"mouthpiece_{name}{{" in text
    assert "process_resident_memory_bytes" in text


def test_keys_of_the_settings_have_accounts_of_their_own(server: Server) -> None:
    assert ask(server, "/ratelimiter/sessions").json() == {"currentUsage": 0}
    assert ask(server, "/ratelimiter/sessions", OTHER_KEY).status_code == 200
    assert ask(server, "/ratelimiter/sessions", "wrong").status_code == 401


def test_forwarded_headers_of_strangers_are_not_believed(server: Server) -> None:
    reply = httpx.get(
        f"{server.url}/compose/ice",
        headers={"x-simli-api-key": KEY, "x-forwarded-host": "evil.example", "x-forwarded-for": "203.0.113.9"},
    )
    assert "evil" not in reply.text
    log = (server.data.parent / f"{server.data.name}.log").read_text()
    assert "203.0.113.9" not in log


# --- sessions ------------------------------------------------------------------------------------------------------
async def test_a_session_shows_in_usage_metrics_and_history(server: Server) -> None:
    before = len(ask(server, "/history/sessions").json()["sessions"])
    async with talking(server, server.token(sessionAggregator="someone")) as talk:
        assert ask(server, "/ratelimiter/sessions").json() == {"currentUsage": 1}
        assert ask(server, "/ratelimiter/sessions", OTHER_KEY).json() == {"currentUsage": 0}
        assert 'mouthpiece_sessions{worker="gateway"} 1.0' in get(server, "/metrics").text
    for _ in range(100):
        usage = ask(server, "/ratelimiter/sessions").json()["currentUsage"]
        if usage == 0:
            break
    assert usage == 0, "an abandoned socket frees its place"
    sessions = ask(server, "/history/sessions").json()["sessions"]
    assert len(sessions) == before + 1
    assert sessions[0]["id"] == talk.session_id
    assert sessions[0]["endUserAggregator"] == "someone"
    assert sessions[0]["apiKeyName"] == "settings-1"
    assert sessions[0]["endReason"] == "closed"


async def test_no_secret_reaches_the_log(server: Server) -> None:
    token = server.token()
    async with talking(server, token):
        pass
    url = f"{server.ws}/compose/webrtc/p2p?session_token={token}"
    with connect(url) as refused:
        refused.send("{}")
    with connect(f"{server.ws}/peer-to-peer?compose_session_token=x{token}") as refused:
        refused.recv(10)
    code = run("url", "--data", str(server.data)).stdout.strip().split("code=")[1]
    page = post(server, "/web/access", {"code": code}).json()["token"]
    get(server, f"/?code={code}")
    get(server, f"/faces?apiKey={KEY}")
    get(server, f"/no/such/page?api_key={OTHER_KEY}&session_token={token}")
    ask(server, "/faces", page)
    post(server, "/compose/token", {"apiKey": KEY, "faceId": 7})
    log = (server.data.parent / f"{server.data.name}.log").read_text()
    assert "GET /faces" in log, "requests are logged"
    secret = (server.data / "secret").read_text()
    for hidden in (KEY, OTHER_KEY, token, token[6:40], page, code, *re.findall(r": (\S+)", secret)):
        assert hidden not in log


# --- the end -------------------------------------------------------------------------------------------------------
async def test_sigterm_drains_then_says_goodbye_and_exits_clean(tmp_path: Path) -> None:
    with serving(tmp_path / "data", environ={"MOUTHPIECE_SERVER_DRAIN_S": "1.5"}) as server:
        token, other = server.token(), server.token()
        async with talking(server, token) as talk:
            server.process.send_signal(signal.SIGTERM)
            until_not_ready(server)
            refused = post(server, "/compose/token", {"faceId": "mia"}, KEY)
            assert (refused.status_code, refused.json()["code"]) == (503, "SHUTTING_DOWN")
            with connect(f"{server.ws}/compose/webrtc/p2p?session_token={other}") as late:
                late.send(json.dumps({"type": "offer", "sdp": "v=0"}))
                assert late.recv(10) == "RATE server is shutting down, retry in 5 s"
            words, code = await talk.rest()
        assert [word.split(" ")[0] for word in words] == ["ENDFRAME", "CLOSING", "STOP"]
        assert words[1] == "CLOSING REASON: SHUTDOWN"
        assert code == 1001
        assert server.process.wait(30) == 0


async def test_a_second_signal_means_now(tmp_path: Path) -> None:
    with serving(tmp_path / "data", environ={"MOUTHPIECE_SERVER_DRAIN_S": "600"}) as server:
        async with talking(server, server.token()) as talk:
            for _ in range(2):
                server.process.send_signal(signal.SIGINT)
                until_not_ready(server)
            words, _ = await talk.rest()
        assert words[-2:] == ["CLOSING REASON: SHUTDOWN", "STOP"]
        assert server.process.wait(30) == 0


def until_not_ready(server: Server) -> None:
    for _ in range(2000):
        try:
            if httpx.get(f"{server.url}/readyz").status_code == 503:
                return
        except httpx.TransportError:
            return  # gone already
    raise AssertionError("the server stays ready")


# --- workers -------------------------------------------------------------------------------------------------------
async def test_a_worker_that_dies_is_told_and_replaced(tmp_path: Path) -> None:
    with serving(tmp_path / "data", ["--workers", "1"]) as server:
        async with talking(server, server.token()) as talk:
            assert ask(server, "/ratelimiter/sessions").json() == {"currentUsage": 1}
            assert 'mouthpiece_sessions{worker="w0"} 1.0' in get(server, "/metrics").text
            os.kill(worker_of(server), signal.SIGKILL)
            assert await talk.rest() == (["ERROR WORKER_LOST", "STOP"], 1011)
        (lost,) = ask(server, "/history/sessions").json()["sessions"]
        assert lost["id"] == talk.session_id
        assert lost["endReason"] == "worker_lost"
        assert ask(server, "/ratelimiter/sessions").json() == {"currentUsage": 0}
        until_ready(server)
        async with talking(server, server.token()) as talk:
            server.process.send_signal(signal.SIGTERM)
            until_not_ready(server)
            server.process.send_signal(signal.SIGTERM)
            words, code = await talk.rest()
        assert (words[1:], code) == (["CLOSING REASON: SHUTDOWN", "STOP"], 1001)
        assert server.process.wait(30) == 0


def until_ready(server: Server) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reply = post(server, "/compose/token", {"faceId": "mia"}, KEY)
        if reply.status_code == 200:
            return
    raise AssertionError("no worker came back")


def worker_of(server: Server) -> int:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    (worker,) = [c for c in children if b"worker" in Path(f"/proc/{c}/cmdline").read_bytes().split(b"\0")]
    return int(worker)


# --- starting ------------------------------------------------------------------------------------------------------
def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a start that was refused."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = refused(run("serve", "--port", str(port), "--data", str(tmp_path)))
    assert line == f"mouthpiece: port {port} on 127.0.0.1 is taken: end what uses it, or name another: --port"


def test_a_data_folder_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    line = refused(run("serve", "--port", str(free_port()), "--data", str(path)))
    assert line.startswith(f"mouthpiece: the data folder {path} is a file, not a folder: ")


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/sys").exists(), reason="needs a folder nobody can write")
def test_a_data_folder_that_cannot_be_written() -> None:
    line = refused(run("serve", "--port", str(free_port()), "--data", "/proc/sys/mouthpiece"))
    assert "cannot be written to" in line
    assert "--data" in line


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--host", "192.0.2.77"], "cannot listen on 192.0.2.77"),
        (["--host", "no.such.host.invalid"], "is not an address"),
        (["--tls-cert", "/no/such.pem", "--tls-key", "/no/such.key"], "cannot read /no/such.pem"),
        (["--tls-cert", __file__, "--tls-key", __file__], "both in PEM"),
        (["--tls-cert", __file__], "set both, or none"),
        (["--public-ip", "banana"], "transport.public_ip = banana is not an IP address"),
        (["--trusted-proxy", "banana"], "10.0.0.0/8"),
        (["--workers", "-1"], "0 to 1024"),
        (["--config", "/no/such.toml"], "cannot read the settings file"),
        (["--tls", "other"], "self"),
        (["--port", "99999"], "port"),
    ],
)
def test_what_cannot_be_started_says_why_in_one_line(tmp_path: Path, flags: list[str], says: str) -> None:
    assert says in refused(run("serve", "--data", str(tmp_path), "--port", str(free_port()), *flags))


def test_on_a_machine_with_nothing_but_loopback_it_serves(tmp_path: Path) -> None:
    if not namespaces():
        pytest.skip("network namespaces are not permitted here (needs unshare and ip)")
    command = [*INSIDE, sys.executable, "-m", "tests.app.lonely", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert (done.returncode, done.stdout) == (0, "a picture came"), done.stderr


def test_a_worker_started_by_hand_says_what_to_do() -> None:
    assert "mouthpiece serve" in refused(run("worker", "w0", "/tmp/nothing.sock"))


def test_the_first_start_makes_a_key_and_tls_self_a_certificate(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    command = [sys.executable, "-m", "mouthpiece", "serve", "--port", str(port), "--data", str(data)]
    command += ["--workers", "0", "--tls", "self"]
    for first in (True, False):
        certificate = (data / "tls-cert.pem").read_bytes() if not first else b""
        with subprocess.Popen(command, env={**os.environ, **COMPILED}, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()] if not first else [process.stdout.readline() for _ in range(2)]
            key = (data / "api-key").read_text().strip()
            assert lines[-1].startswith(f"mouthpiece is ready: https://127.0.0.1:{port}/?code=")
            assert lines[-1].endswith("(stop with Ctrl-C)\n")
            if first:
                assert lines[0] == f"your API key, also kept in {data / 'api-key'}: {key}\n"
            else:
                assert (data / "tls-cert.pem").read_bytes() == certificate, "an exception in a browser stays good"
            trust = ssl.create_default_context(cafile=str(data / "tls-cert.pem"))
            reply = httpx.get(f"https://127.0.0.1:{port}/faces", headers={"api-key": key}, verify=trust)
            assert reply.status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    for name in ("api-key", "secret", "tls-key.pem"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
