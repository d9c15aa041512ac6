"""One child process that renders, kept for the next job: to start one takes two seconds of CPU time."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from mouthpiece.errors import RenderFailed

log = logging.getLogger(__name__)

STALL_S: Final = 60.0
"""A child that reports nothing for so long is ended. The first report comes after some seconds of compiling."""

IDLE_S: Final = 60.0
"""How long a child is kept without work; it holds some 200 MB."""

JOBS: Final = 50
"""Jobs after which a child is replaced, so that nothing can pile up in it."""


class Died(Exception):
    """The child is gone without having said why."""


class Renderer:
    """See ``child`` for what is said on the pipes. Belongs to one event loop; one job at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._child: asyncio.subprocess.Process | None = None
        self._jobs = 0
        self._idle_since = 0.0
        self.busy_pid: int | None = None
        """The process that renders now."""

    async def render(self, task: Mapping[str, object]) -> AsyncGenerator[float, None]:
        """Give a task to the child; how far it is, 0..1, now and then. Leaving early ends the child.

        Raises Died, RenderFailed.
        """
        child = await self._ready()
        self.busy_pid, over = child.pid, False
        try:
            assert child.stdin is not None
            child.stdin.write(json.dumps(task).encode() + b"\n")
            while not over:
                said = await _said(child)
                if "note" in said:
                    log.warning("%s", said["note"])
                    continue
                over = "error" in said or "pictures" in said
                if "error" in said:
                    raise RenderFailed(reason=said["error"])
                yield float(said["done"])
        finally:
            self.busy_pid, self._idle_since = None, time.monotonic()
            if not over or self._jobs >= JOBS:
                await self.close()

    async def rest(self) -> None:
        """There is no work: end a child that has waited for long."""
        if self._child is not None and time.monotonic() - self._idle_since > IDLE_S:
            await self.close()

    async def close(self) -> None:
        """End the child. Idempotent."""
        child, self._child = self._child, None
        if child is not None:
            if child.returncode is None:
                child.kill()
            await child.wait()

    async def _ready(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            pipe = asyncio.subprocess.PIPE
            self._child, self._jobs = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe), 0
        self._jobs += 1
        return self._child


async def _said(child: asyncio.subprocess.Process) -> dict[str, Any]:
    assert child.stdout is not None
    try:
        async with asyncio.timeout(STALL_S):
            line = await child.stdout.readline()
    except TimeoutError:
        raise Died(f"nothing was heard of it for {STALL_S:g} s") from None
    if not line:
        raise Died(f"exit {await child.wait()}")
    said: dict[str, Any] = json.loads(line)
    return said
