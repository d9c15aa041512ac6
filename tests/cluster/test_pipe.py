from __future__ import annotations

import asyncio
import logging
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mouthpiece.cluster.pipe import PipeEnd
from mouthpiece.errors import WorkerLost

from .rigs import GOODBYE, Gateway, gateway, local_rig, parsed, until

pytestmark = pytest.mark.timeout(60)
log_lines = logging.getLogger(__name__)


@pytest.fixture
async def gate(log: Path) -> AsyncIterator[Gateway]:
    async with local_rig(log) as rig, gateway(rig.host) as gate:
        yield gate


async def _hello(socket: ClientConnection) -> None:
    await socket.send("hello")
    assert await socket.recv() == "hello"


async def _rest(socket: ClientConnection) -> list[str | bytes]:
    """Everything that still comes, until the close."""
    heard: list[str | bytes] = []
    try:
        while True:
            heard.append(await socket.recv())
    except ConnectionClosed:
        return heard


async def _send_all(socket: ClientConnection, piece: bytes, count: int) -> None:
    for _ in range(count):
        await socket.send(piece)


def _resident_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def _pid(gate: Gateway, session_id: str) -> int:
    lease = gate.host.find(session_id)
    assert lease is not None
    pid = {worker.worker_id: worker.pid for worker in gate.host.workers()}[lease.worker_id]
    assert pid is not None
    return pid


async def test_text_and_binary_of_any_size_pass_both_ways_in_order(gate: Gateway) -> None:
    async with gate.connect("s1", max_size=None) as socket:
        for message in ("text", "ümlaut 🙂", b"", b"\x00\xff", os.urandom(70_000), os.urandom(17 * 1024 * 1024)):
            await socket.send(message)
            assert await socket.recv() == message
        many = [bytes([n % 256]) * n for n in range(300)]
        for message in many:
            await socket.send(message)
        assert [await socket.recv() for _ in many] == many


async def test_the_worker_sees_the_clients_own_request(gate: Gateway) -> None:
    spoof = {
        "x-mouthpiece-session": "forged",
        "x-mouthpiece-account": "forged",
        "X-Forwarded-For": "203.0.113.9",
        "x-simli-api-key": "k",
    }
    async with gate.connect(
        "s1", path="/a%20b/%2Fc", token="t%26", origin="https://a.example", additional_headers=spoof
    ) as socket:
        await socket.send("who")
        seen = parsed(await socket.recv())
    assert (seen["path"], seen["query"]) == ("/a%20b/%2Fc", "session=s1&token=t%26")
    headers = seen["headers"]
    assert headers["host"] == f"127.0.0.1:{gate.port}"
    assert headers["x-mouthpiece-session"] == "s1"
    assert "x-mouthpiece-account" not in headers
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-simli-api-key"] == "k"
    assert headers["origin"] == "https://a.example"
    assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("code", [1000, 1008, 4001])
async def test_the_workers_last_words_and_close_code_reach_the_client(gate: Gateway, code: int) -> None:
    async with gate.connect("s1") as socket:
        await socket.send(f"close {code}")
        assert await _rest(socket) == ["last words"]
        assert (socket.close_code, socket.close_reason) == (code, "as asked")
    await gate.ended.wait()
    assert gate.ends == {"s1": PipeEnd.WORKER}
    assert gate.host.find("s1") is None


@pytest.mark.parametrize("code", [1000, 1001, 4002])
async def test_the_clients_close_code_reaches_the_worker(gate: Gateway, log: Path, code: int) -> None:
    async with gate.connect("s1") as socket:
        await _hello(socket)
        await socket.close(code)
    await until(lambda: log.exists() and log.read_text() == f"s1 left {code}\n")
    await gate.ended.wait()
    assert gate.ends == {"s1": PipeEnd.CLIENT}
    assert gate.host.find("s1") is None


async def test_a_client_that_vanishes_leaves_the_worker_too(gate: Gateway, log: Path) -> None:
    async with gate.connect("s1") as socket:
        await _hello(socket)
        socket.transport.abort()
        await until(log.exists)
        await gate.ended.wait()
    assert gate.ends == {"s1": PipeEnd.CLIENT}


async def test_a_killed_workers_clients_hear_goodbye_and_the_others_notice_nothing(gate: Gateway) -> None:
    async with gate.connect("s1") as doomed, gate.connect("s2") as safe, gate.connect("s3") as too:
        for socket in (doomed, safe, too):
            await _hello(socket)
        victims = [name for name in ("s1", "s2", "s3") if _pid(gate, name) == _pid(gate, "s1")]
        sockets = {"s1": doomed, "s2": safe, "s3": too}
        assert len(victims) in (1, 2)
        began = time.monotonic()
        os.kill(_pid(gate, "s1"), signal.SIGKILL)
        heard = await asyncio.gather(*(_rest(sockets[name]) for name in victims))
        log_lines.warning("kill -9 to close at the client: %.1f ms", (time.monotonic() - began) * 1e3)
        assert heard == [list(GOODBYE.texts)] * len(victims)
        assert {sockets[name].close_code for name in victims} == {GOODBYE.code}
        for name in set(sockets) - set(victims):
            await _hello(sockets[name])
    await until(lambda: len(gate.ends) == 3)
    assert {name for name, end in gate.ends.items() if end is PipeEnd.LOST} == set(victims)


async def test_a_hung_workers_clients_hear_goodbye(gate: Gateway) -> None:
    async with gate.connect("s1") as socket:
        await _hello(socket)
        os.kill(_pid(gate, "s1"), signal.SIGSTOP)
        assert await _rest(socket) == list(GOODBYE.texts)


async def test_what_the_worker_still_said_comes_before_the_goodbye(gate: Gateway) -> None:
    async with gate.connect("s1") as socket:
        await socket.send("last words of mine")
        await socket.send("die")
        assert await _rest(socket) == ["last words of mine", *GOODBYE.texts]


async def test_the_hosts_word_that_a_worker_is_lost_is_enough(gate: Gateway) -> None:
    async with gate.connect("s1") as socket:
        await _hello(socket)
        lease = gate.host.find("s1")
        assert lease is not None
        lease.lost.set()  # the worker's socket is still open: it may take long to die
        assert await _rest(socket) == list(GOODBYE.texts)
    await until(lambda: gate.ends == {"s1": PipeEnd.LOST})


async def test_a_lease_on_a_dead_worker_is_answered_with_goodbye(gate: Gateway) -> None:
    stale = await gate.host.place("s1", token_id=None)
    assert stale.address is not None
    events = gate.host.events()
    os.kill(_pid(gate, "s1"), signal.SIGKILL)
    await anext(events)

    async def place_on_the_dead(session_id: str, *, token_id: str | None, timeout: float = 2.0) -> object:
        return stale

    gate.host.place = place_on_the_dead  # type: ignore[method-assign,assignment]
    async with gate.connect("s1") as socket:
        assert await _rest(socket) == list(GOODBYE.texts)
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{gate.port}/signal?session=s1", json={})
        assert (answer.status_code, answer.text) == (503, WorkerLost.code)


async def test_a_worker_that_does_not_read_stops_the_client_and_not_the_gateway(gate: Gateway) -> None:
    gate.patience_s = 2.0
    async with gate.connect("s1") as socket, gate.connect("s2") as other:
        await _hello(other)
        await socket.send("deaf")
        before = _resident_mib()
        sending = asyncio.create_task(_send_all(socket, bytes(1024 * 1024), 256))
        await until(lambda: socket.transport.get_write_buffer_size() > 0)
        for _ in range(20):
            await _hello(other)
        assert not sending.done()
        assert _resident_mib() - before < 128, "half of what was sent"
        assert await _rest(socket) == list(GOODBYE.texts)
        with pytest.raises(ConnectionClosed):
            await sending
        await _hello(other)
    assert gate.ends["s1"] is PipeEnd.LOST


async def test_a_client_that_does_not_read_stops_the_worker(gate: Gateway) -> None:
    async with gate.connect("s1", max_queue=1) as socket:
        count = 2_000  # 125 MiB
        before = _resident_mib()
        await socket.send(f"flood {count}")
        first = await socket.recv()
        assert len(first) == 64 * 1024
        assert _resident_mib() - before < 64, "half of the flood"
        assert [len(await socket.recv()) for _ in range(count - 1)] == [64 * 1024] * (count - 1)


async def test_a_post_is_answered_by_the_worker_of_its_session(gate: Gateway) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gate.port}") as client:
        answer = await client.post(
            "/signal?session=s1&x=%20", json={"sdp": "v=0"}, headers={"x-mouthpiece-session": "no"}
        )
    assert answer.status_code == 201
    assert answer.json() == {"got": {"sdp": "v=0"}, "path": "/signal", "query": "session=s1&x=%20"}
    assert answer.headers["x-worker"] == str(_pid(gate, "s1"))
    assert answer.headers["x-session"] == "s1"
    assert answer.headers.get_list("content-type") == ["application/json"]


async def test_many_sockets_survive_the_loss_of_half(gate: Gateway) -> None:
    names = [f"s{n}" for n in range(12)]
    sockets = dict(zip(names, await asyncio.gather(*(gate.connect(name) for name in names)), strict=True))
    await asyncio.gather(*(_hello(socket) for socket in sockets.values()))
    doomed = _pid(gate, "s0")
    lost = [name for name in names if _pid(gate, name) == doomed]
    assert len(lost) == 6

    async def until_told(name: str) -> float:
        assert await _rest(sockets[name]) == list(GOODBYE.texts)
        return (time.monotonic() - began) * 1e3

    began = time.monotonic()
    os.kill(doomed, signal.SIGKILL)
    told = await asyncio.gather(*(until_told(name) for name in lost))
    log_lines.warning("kill -9 to goodbye: median %.1f ms, worst %.1f ms", statistics.median(told), max(told))
    await asyncio.gather(*(_hello(sockets[name]) for name in set(names) - set(lost)))
    await asyncio.gather(*(socket.close() for socket in sockets.values()))
