from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop
from websockets.asyncio.client import unix_connect

from mouthpiece.cluster.base import SESSION_HEADER, Lease, WorkerLost
from mouthpiece.cluster.book import Placement
from mouthpiece.cluster.child import Child
from mouthpiece.cluster.local import LocalHost, Supervision
from mouthpiece.errors import StartupError

from .rigs import BRISK, ECHO, Rig, SocketActor, local_rig, until

pytestmark = pytest.mark.timeout(60)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("command", "care", "why"),
    [
        (["/nonexistent/program"], BRISK, "cannot be started"),
        ([sys.executable, "-c", "raise SystemExit(3)"], BRISK, r"ended before it was ready \(exit status 3\)"),
        (
            [sys.executable, "-c", "import time; time.sleep(60)"],
            Supervision(start_timeout_s=0.3),
            "not ready within 0.3 s",
        ),
        (
            [
                sys.executable,
                "-c",
                "import os, time; os.write(int(os.environ['MOUTHPIECE_CONTROL'].split(':')[0]), b'hi\\n')",
            ],
            BRISK,
            "does not speak our language",
        ),
    ],
    ids=["missing", "exits", "slow", "babbles"],
)
async def test_a_worker_that_cannot_start_is_one_clear_error(command: list[str], care: Supervision, why: str) -> None:
    host = LocalHost(lambda *_: command, count=2, supervision=care)
    with pytest.raises(StartupError, match=why):
        await host.start()
    assert all(worker.pid is None for worker in host.workers())


async def test_closing_lets_the_workers_say_goodbye_and_leaves_nothing_behind(log: Path) -> None:
    async with local_rig(log) as rig:
        actor = await rig.enter(lease := await rig.host.place("s1", token_id=None))
        assert isinstance(actor, SocketActor)
        assert lease.address is not None
        pids = [worker.pid for worker in rig.host.workers() if worker.pid]
        closing = asyncio.create_task(rig.host.close())
        assert await actor.socket.recv() == "STOP"
        await closing
        assert actor.socket.close_code in (None, 1000)
        assert not any(_alive(pid) for pid in pids)
        assert not lease.address.parent.exists()


async def waiting(rig: Rig, session_id: str) -> tuple[Lease, SocketActor]:
    """A session that is placed before its token is known."""
    lease = await rig.host.place(session_id, token_id=None, waiting=True)
    actor = await rig.enter(lease)
    assert isinstance(actor, SocketActor)
    return lease, actor


async def claim(actor: SocketActor, token_id: str) -> str:
    await actor.socket.send(f"token {token_id}")
    return str(await actor.socket.recv())


async def test_a_token_that_comes_late_ends_its_session_on_another_worker_first(log: Path) -> None:
    async with local_rig(log, rules=Placement(max_sessions=1)) as rig:
        here, first = await waiting(rig, "s1")
        there, second = await waiting(rig, "s2")
        assert here.worker_id != there.worker_id
        assert await claim(first, "same") == "granted 0.0"
        assert await claim(second, "another") == "granted None", "there is one slot, and it is taken"
        assert await claim(second, "same") == "granted 12.5", "what its session had played elsewhere"
        assert await first.socket.recv() == "taken over"
        assert rig.host.find("s1") is None
        assert (await rig.host.place("s3", token_id="same")).worker_id == there.worker_id


async def test_a_worker_that_dies_instead_of_making_way_holds_nobody_up(log: Path) -> None:
    async with local_rig(log) as rig:
        here, first = await waiting(rig, "s1")
        _, second = await waiting(rig, "s2")
        assert await claim(first, "same") == "granted 0.0"
        pid = next(worker.pid for worker in rig.host.workers() if worker.worker_id == here.worker_id)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await second.socket.send("token same")
        await until(lambda: rig.host.find("s1") is None)
        os.kill(pid, signal.SIGKILL)
        assert await second.socket.recv() == "granted 0.0"


async def test_the_terminal_and_the_supervisor_do_not_reach_a_worker(log: Path) -> None:
    async with local_rig(log, count=1) as rig:
        (worker,) = rig.host.workers()
        assert worker.pid is not None
        assert os.getsid(worker.pid) == worker.pid
        actor = await rig.enter(await rig.host.place("s1", token_id=None))
        assert isinstance(actor, SocketActor)
        os.kill(worker.pid, signal.SIGTERM)
        os.kill(worker.pid, signal.SIGINT)
        await actor.order("load 0.5")
        await until(lambda: rig.host.workers()[0].load == 0.5)


async def test_a_draining_worker_hears_of_it(log: Path) -> None:
    async with local_rig(log, count=1) as rig:
        actor = await rig.enter(await rig.host.place("s1", token_id=None))
        assert isinstance(actor, SocketActor)
        assert await rig.host.drain("w0", 0.05) == 1
        await actor.socket.send("accepting?")
        assert await actor.socket.recv() == "False"


async def test_one_that_keeps_dying_is_tried_again_more_and_more_slowly(tmp_path: Path, log: Path) -> None:
    lives = tmp_path / "lives"
    script = (
        f"echo x >> {lives}; if [ $(wc -l < {lives}) -ge 2 ] && [ $(wc -l < {lives}) -le 4 ]; then exit 1; fi; "
        f"exec {sys.executable} {ECHO} $0"
    )
    care = Supervision(beat_s=0.5, backoff_s=0.05, stop_s=2.0)
    host = LocalHost(
        lambda _, path: ["sh", "-c", script, str(path)], count=1, supervision=care, env={"ECHO_LOG": str(log)}
    )
    await host.start()
    try:
        events = host.events()
        pid = host.workers()[0].pid
        assert pid is not None
        began = asyncio.get_running_loop().time()
        os.kill(pid, signal.SIGKILL)
        losses = [await anext(events) for _ in range(4)]
        assert losses == [WorkerLost("w0", ())] * 4
        await until(lambda: host.workers()[0].ready)
        assert asyncio.get_running_loop().time() - began >= 0.05 + 0.1 + 0.2 + 0.4
    finally:
        await host.close()


_GATEWAY = f"""
import asyncio, os, sys
from pathlib import Path
from mouthpiece.cluster.child import Child
from mouthpiece.cluster.local import LocalHost

async def main():
    host = LocalHost(lambda _, path: [sys.executable, {str(ECHO)!r}, str(path)], count=2)
    await host.start()
    print(*(worker.pid for worker in host.workers()), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_process_is_seen_to_die_before_it_is_gone() -> None:
    child = await Child.spawn([sys.executable, "-c", "import time; time.sleep(60)"], {}, 1.0)
    dying = asyncio.create_task(child.dying())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(dying)
    child.kill()
    await dying
    assert await child.ended(5.0) == -signal.SIGKILL


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
async def test_workers_die_with_their_gateway(stopped: bool, log: Path) -> None:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _GATEWAY, stdout=subprocess.PIPE, env={**os.environ, "ECHO_LOG": str(log)}
    )
    assert gateway.stdout is not None
    pids = [int(word) for word in (await gateway.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(_alive(pid) for pid in pids)
    if stopped:
        os.kill(pids[0], signal.SIGSTOP)
    gateway.kill()
    await gateway.wait()
    await until(lambda: not any(_alive(pid) for pid in pids))


def test_a_worker_without_a_gateway_says_so() -> None:
    done = subprocess.run([sys.executable, str(ECHO), "/tmp/never"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a media worker is started by its server: run mouthpiece serve" in done.stderr


async def _one_life(log: Path) -> None:
    async with local_rig(log, count=1) as rig:
        lease = await rig.host.place("s1", token_id=None)
        events = rig.host.events()
        async with unix_connect(str(lease.address), additional_headers={SESSION_HEADER: "s1"}) as socket:
            await socket.send("die")
            assert await anext(events) == WorkerLost("w0", ("s1",))
        await until(lambda: rig.host.workers()[0].ready)


def test_it_runs_on_uvloop_too(log: Path) -> None:
    uvloop.run(_one_life(log))
