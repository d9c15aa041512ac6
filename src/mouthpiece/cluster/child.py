"""One worker process, from its start to its reaping."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Self

from mouthpiece.cluster.control import MAX_LINE, VARIABLE, Message, decode, encode

_LOOK_S = 0.01


class Child:
    """A process that serves the app on a Unix socket, and our end of its control channel."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        beat_s: float,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._beat_s = beat_s
        self._missed = 0

    @classmethod
    async def spawn(cls, command: Sequence[str], env: Mapping[str, str], beat_s: float) -> Self:
        """Start it, to report every ``beat_s``; its standard output goes to our standard error. Raises OSError.

        It gets a session of its own, so that a terminal's Ctrl-C reaches the gateway alone and can drain.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=2,
                    pass_fds=(theirs.fileno(),),
                    env={**os.environ, **env, VARIABLE: f"{theirs.fileno()}:{beat_s}"},
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=MAX_LINE)
        return cls(process, reader, writer, beat_s)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    async def reports(self) -> AsyncIterator[Message]:
        """What it says; ends when it dies. Raises ValueError when it talks nonsense."""
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                self._missed = 0
                yield decode(line)

    async def silence(self, misses: int) -> None:
        """Return when it has said nothing for ``misses`` beats: a stopped process, or a blocked loop.

        Beats are counted and not timed: when it was we who were stopped, only one is missing afterwards.
        """
        self._missed = 0
        while self._missed < misses:
            await asyncio.sleep(self._beat_s)
            self._missed += 1

    async def dying(self) -> None:
        """Return when the kernel has begun to end it: Linux frees its memory before it closes its sockets.

        For a worker of 300 MB that took 30 to 70 ms where it was measured, and its clients are to be told sooner. A
        look costs 3 us. Elsewhere this never returns, and the end of ``reports`` is the news.
        """
        try:
            handle = os.open(f"/proc/{self.pid}/statm", os.O_RDONLY)
        except OSError:
            await asyncio.Event().wait()
            return
        try:
            # no memory of its own any more
            while not os.pread(handle, 2, 0).startswith(b"0 "):  # noqa: ASYNC110 - the kernel has no event for this
                await asyncio.sleep(_LOOK_S)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def send(self, message: Message) -> None:
        """Tell it something. A dead one hears nothing."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    def kill(self) -> None:
        """End it now; also when it is stopped."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self, patience_s: float) -> int:
        """Wait for its end, at most ``patience_s`` before it is killed; return its status (negative: the signal).

        Killing one that is about to be reaped makes asyncio lose its status, hence the patience.
        """
        try:
            async with asyncio.timeout(patience_s):
                status = await self._process.wait()
        except TimeoutError:
            self.kill()
            status = await self._process.wait()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        return status
