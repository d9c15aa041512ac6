from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from mouthpiece.cluster.base import WorkerStatus
from mouthpiece.cluster.control import (
    MAX_LINE,
    VARIABLE,
    Claimed,
    Drain,
    Granted,
    Stop,
    Yield,
    Yielded,
    decode,
    encode,
)
from mouthpiece.cluster.worker import Duties, Worker
from mouthpiece.errors import StartupError


class Server:
    """A server that listens when told to, and serves until it should exit."""

    def __init__(self) -> None:
        self.started = False
        self.force_exit = False
        self._over = asyncio.Event()

    @property
    def should_exit(self) -> bool:
        return self._over.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        assert value
        self._over.set()

    async def serve(self) -> None:
        await self._over.wait()


class Gateway:
    """Our end of a worker's control channel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, beat_s: float = 60.0) -> None:
        self._ours, theirs = socket.socketpair()
        monkeypatch.setenv(VARIABLE, f"{theirs.detach()}:{beat_s}")
        monkeypatch.setattr("mouthpiece.cluster.worker._die_with_parent", lambda: None)  # the parent is the test runner
        monkeypatch.setattr("mouthpiece.cluster.worker._leave_signals_to_the_gateway", lambda: None)

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_unix_connection(sock=self._ours, limit=MAX_LINE)

    async def hear(self) -> WorkerStatus:
        message = decode(await self.reader.readline())
        assert isinstance(message, WorkerStatus)
        return message

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    gateway = Gateway(monkeypatch)
    await gateway.open()
    yield gateway
    await gateway.close()


async def test_it_reports_when_it_listens_and_when_something_changes_and_obeys(gateway: Gateway) -> None:
    sessions: set[str] = set()
    said: list[str] = []

    async def stop() -> None:
        said.append("stop")

    duties = Duties(
        lambda: WorkerStatus(0.25, frozenset(sessions)), drain=lambda s: said.append(f"drain {s}"), stop=stop
    )
    worker, server = Worker(), Server()
    serving = asyncio.create_task(worker.serve(server, duties))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await gateway.hear()
    server.started = True
    assert await gateway.hear() == WorkerStatus(0.25)
    sessions.add("s1")
    worker.changed()
    assert await gateway.hear() == WorkerStatus(0.25, frozenset({"s1"}))

    gateway.writer.write(encode(Drain(7.0)))
    gateway.writer.write(encode(Stop()))
    await serving
    assert said == ["drain 7.0", "stop"]
    assert not server.force_exit


async def test_a_session_that_waits_claims_its_token_and_one_whose_token_is_used_elsewhere_ends(
    gateway: Gateway,
) -> None:
    ended: list[str] = []

    async def give_way(session_id: str) -> float:
        ended.append(session_id)
        return 7.5

    worker, server = Worker(), Server()
    server.started = True
    serving = asyncio.create_task(worker.serve(server, Duties(lambda: WorkerStatus(0.0), give_way=give_way)))
    await gateway.hear()
    claims = [asyncio.create_task(worker.claim(session, "the token")) for session in ("s1", "s2")]
    assert [decode(await gateway.reader.readline()) for _ in range(2)] == [
        Claimed("s1", "the token"),
        Claimed("s2", "the token"),
    ]
    for answer in (Granted("s2", None), Granted("nobody", 1.0), Granted("s1", 3.25), Yield("s3")):
        gateway.writer.write(encode(answer))
    assert await asyncio.gather(*claims) == [3.25, None]
    assert decode(await gateway.reader.readline()) == Yielded("s3", 7.5)
    assert ended == ["s3"]
    gateway.writer.write(encode(Stop()))
    await serving


async def test_it_ends_when_the_gateway_is_gone(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.started = True
    monkeypatch.setattr("mouthpiece.cluster.worker._LINGER_S", 3600.0)
    serving = asyncio.create_task(Worker().serve(server, Duties(lambda: WorkerStatus(0.0))))
    await gateway.hear()
    await gateway.close()
    await serving
    assert server.force_exit


async def test_one_that_cannot_measure_itself_ends_and_says_why(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server()
    server.started = True

    def broken() -> WorkerStatus:
        raise ZeroDivisionError("no frames")

    await Worker().serve(server, Duties(broken))
    assert server.should_exit
    assert "no frames" in caplog.text


def test_without_a_gateway_there_is_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(StartupError, match="mouthpiece serve"):
        Worker()
