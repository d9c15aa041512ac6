"""The app's own parts: redaction, binding, certificates, the ledger, merged metrics."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest
from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families
from tests.support.databases import PEPPER, Clock

from mouthpiece.app import logs, metrics, net
from mouthpiece.app.faces import ShippedFaces
from mouthpiece.app.house import worker_count
from mouthpiece.app.ledger import StageLedger
from mouthpiece.app.run import Stopping
from mouthpiece.errors import InvalidFace, RateLimited, StartupError
from mouthpiece.live.base import SessionSpec
from mouthpiece.media import Look
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings, ServerSettings
from mouthpiece.simli.presets import PRESET_FACES
from mouthpiece.simli.tokens import SessionClaims, SessionTokens
from mouthpiece.store.db import Database, sqlite_url
from mouthpiece.store.history import History
from mouthpiece.store.keys import Keys
from mouthpiece.web.access import PageAccess

TOKEN = SessionTokens([b"x"]).make(SessionClaims("a", "t", 1_800_000_000, 1_800_000_060, "mia"))
PAGE = PageAccess([b"x"]).make_token("a", 1_800_000_000)


# --- logs ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"GET /compose/webrtc/p2p?session_token={TOKEN} 101", TOKEN),
        (f"path /auto/start/agent/{TOKEN}/more", TOKEN),
        (f"bearer {PAGE}", PAGE),
        ("key mp_0123456789abcdefghijklmnopqrstuvwxyz-_ABCDE was used", "0123456789abcdefghijklmnopqrstuvwxyz"),
        ("GET /faces?apiKey=plainkey&x=1", "plainkey"),
        ("GET /faces?api_key=plainkey", "plainkey"),
        ("GET /?code=abcdefgh HTTP/1.1", "abcdefgh"),
        ("the word of the operator is open-sesame!", "open-sesame"),
    ],
)
def test_secrets_are_blotted_out_wherever_they_stand(line: str, secret: str) -> None:
    clean = logs.Redactor(["open-sesame", ""])(line)
    assert secret not in clean
    assert secret[8:24] not in clean or len(secret) < 24
    assert "[hidden]" in clean


def test_other_lines_stay_as_they_are() -> None:
    line = "2026-01-01 [info] GET /faces status=200 mp_short barcode=5 page=3"
    assert logs.Redactor()(line) == line


@pytest.fixture
def own_logging() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("as_json", [True, False])
def test_extras_and_tracebacks_are_logged_without_secrets(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    logs.set_up("info", as_json=as_json, known_secrets=["open-sesame"], process="w0")
    try:
        raise ValueError("open-sesame failed")
    except ValueError:
        logging.getLogger("mouthpiece.test").exception("it %s", "broke", extra={"session": "s1", "key": "open-sesame"})
    logging.getLogger("uvicorn.error").info("nobody reads this")
    said = capsys.readouterr().err
    assert "open-sesame" not in said
    assert all(word in said for word in ("it broke", "s1", "w0", "ValueError", "[hidden] failed"))
    assert "nobody reads this" not in said


# --- net -----------------------------------------------------------------------------------------------------------
def test_a_free_port_is_the_same_on_every_address() -> None:
    sockets = net.bind("localhost", 0)
    try:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
    finally:
        for sock in sockets:
            sock.close()


def test_a_taken_port_leaves_nothing_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(StartupError, match="is taken"):
        net.bind("127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (ServerSettings(), "http://127.0.0.1:80"),
        (ServerSettings(host="0.0.0.0"), "http://127.0.0.1:80"),
        (ServerSettings(host="::"), "http://[::1]:80"),
        (ServerSettings(host="::1", tls="self"), "https://[::1]:80"),
        (ServerSettings(host="avatars.example"), "http://avatars.example:80"),
    ],
)
def test_the_printed_address_works_on_this_machine(settings: ServerSettings, url: str) -> None:
    assert net.shown_url(settings, 80) == url


def test_our_certificate_is_kept_until_the_host_changes(tmp_path: Path) -> None:
    def made(host: str) -> bytes:
        files = net.certificate(ServerSettings(host=host, tls="self"), tmp_path)
        assert files is not None
        return files.cert.read_bytes()

    first = made("127.0.0.1")
    assert made("localhost") == first
    second = made("192.0.2.1")
    assert second != first
    names = x509.load_pem_x509_certificate(second).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "localhost" in names.value.get_values_for_type(x509.DNSName)
    (tmp_path / "tls-cert.pem").write_text("damaged")
    assert made("192.0.2.1") not in (first, second)


# --- the rest ------------------------------------------------------------------------------------------------------
async def test_signals_are_counted() -> None:
    stopping = Stopping()
    stopping.hear()
    assert (stopping.asked.is_set(), stopping.now.is_set()) == (True, False)
    stopping.hear()
    assert stopping.now.is_set()


def test_workers_are_as_many_as_asked_for() -> None:
    assert (worker_count(0), worker_count(3)) == (0, 3)
    assert worker_count(None) != 1, "one core needs no second process"


async def test_every_sample_face_has_a_stand_in_and_the_default_is_the_first() -> None:
    faces = ShippedFaces("noah")
    assert (await faces.find("tmp9i8bbq7c", "a")).name == "Noah"
    assert {(await faces.find(preset.upper(), "a")).name for preset in PRESET_FACES} == {
        "Mia",
        "Noah",
        "Ada",
        "Walter",
        "Zola",
        "Ravi",
    }
    with pytest.raises(InvalidFace):
        await faces.find("nobody", "a")
    with pytest.raises(InvalidFace):
        ShippedFaces("nobody")


def test_metrics_of_workers_stand_under_one_heading() -> None:
    one = '# HELP mouthpiece_load load\n# TYPE mouthpiece_load gauge\nmouthpiece_load{worker="w0"} 0.5\n'
    text = metrics.merged([one, one.replace("w0", "w1"), ""])
    (family,) = text_string_to_metric_families(text)
    assert {(sample.labels["worker"], sample.value) for sample in family.samples} == {("w0", 0.5), ("w1", 0.5)}


async def test_a_worker_that_does_not_answer_is_left_out(tmp_path: Path) -> None:
    assert "gateway" in await metrics.gathered('x{worker="gateway"} 1\n', [tmp_path / "nobody.sock"])


async def test_the_ledger_counts_exactly_and_catches_up_after_an_outage(tmp_path: Path) -> None:
    clock = Clock()
    database = await Database.open(sqlite_url(tmp_path / "db"))
    keys = Keys(database, PEPPER, clock=clock)
    await keys.ensure(["k"])
    account = keys.account_of("k")
    history = History(database, clock=clock, lease_s=0.03)
    ledger = StageLedger(history, "worker", LimitSettings(sessions_per_key=1))
    first, second = (SessionSpec(name, account, f"t{name}", Look("mia"), key_name="k") for name in ("one", "two"))
    await ledger.begin(first)
    with pytest.raises(RateLimited):
        await ledger.begin(second)
    await ledger.end(second, EndReason.FAILED, 0)
    assert await history.active(account) == 1, "a session that never began does not end"

    keeping = asyncio.create_task(ledger.keep())
    clock.now += 0.02
    await until_kept(history, account, clock)
    await ledger.end(first, EndReason.IDLE, 7)
    (record,) = await history.between(account, 0, clock.now + 1)
    assert (record.end_reason, record.api_key_name) == ("idle", "k")
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await ledger.close()
    await database.close()


async def until_kept(history: History, account: str, clock: Clock) -> None:
    """Time goes on past the first lease, and the session still counts."""
    async with asyncio.timeout(10):
        for _ in range(3):
            clock.now += 0.02
            while await history.active(account) == 0:
                pass
