"""One client's WebSocket: text out, bounded in every direction; and how many may wait unknown."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from mouthpiece.errors import RateLimited

SEND_TIMEOUT_S: Final = 10.0
"""A client that takes nothing for this long is gone."""

BYTES_A_MESSAGE: Final = 8_192
"""A long message counts as one for every so many bytes."""


STRANGERS_PER_ADDRESS: Final = 32
"""Sockets of one address that may wait without having shown a token."""

_strangers: Counter[str] = Counter()


class ClientGone(Exception):
    """The client left, or takes nothing any more."""


class Goodbye(Protocol):
    """The last messages of a socket, its close code, and a reason for whoever reads close frames."""

    @property
    def texts(self) -> tuple[str, ...]:
        """In the protocol's order."""
        ...

    @property
    def code(self) -> int:
        """Of the close frame."""
        ...

    @property
    def reason(self) -> str:
        """Of the close frame; may be empty."""
        ...


@contextlib.contextmanager
def stranger(client: HTTPConnection, retry_s: int) -> Iterator[None]:
    """Count a client that has not shown a token yet, for as long as the block lasts. Raises RateLimited."""
    address = client.client.host if client.client else ""
    if _strangers[address] >= STRANGERS_PER_ADDRESS:
        raise RateLimited(reason="too many clients without a session token", retry_s=retry_s)
    _strangers[address] += 1
    try:
        yield
    finally:
        _strangers[address] -= 1
        if not _strangers[address]:
            del _strangers[address]


class Pace:
    """A token bucket: ``rate`` messages a second, twice as many at once. A flood slows itself down, nobody else.

    ``wait`` is given the length of a message and returns the seconds to wait before the next one is read.
    """

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._left = 2.0 * rate
        self._at = clock()

    def wait(self, length: int) -> float:
        """Seconds to wait before reading on."""
        now = self._clock()
        self._left = min(2.0 * self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        self._left -= 1 + length / BYTES_A_MESSAGE
        return max(0.0, -self._left / self._rate)


class Wire:
    """An accepted socket. Sends from several tasks keep their order; nothing empty or binary is ever sent."""

    def __init__(self, socket: WebSocket, messages_per_s: int) -> None:
        self.socket = socket
        clock = asyncio.get_running_loop().time
        self.opened = clock()
        """When it was accepted, by the loop's clock."""
        self._pace = Pace(messages_per_s, clock)

    async def receive(self) -> str | bytes:
        """The client's next message. Raises ClientGone."""
        message = await self.socket.receive()
        if message["type"] != "websocket.receive":
            raise ClientGone
        text: str | None = message.get("text")
        data: str | bytes = message["bytes"] if text is None else text
        if pause := self._pace.wait(len(data)):
            await asyncio.sleep(pause)
        return data

    async def send(self, text: str) -> None:
        """Say something. Raises ClientGone."""
        assert text.strip(), "an empty message kills py 2.0's receiver"
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self.socket.send_text(text)
        except (TimeoutError, WebSocketDisconnect, RuntimeError) as error:  # RuntimeError: we closed it ourselves
            raise ClientGone from error

    async def leave(self, goodbye: Goodbye) -> None:
        """Say the last words and close. A client that is gone is no error."""
        try:
            for text in goodbye.texts:
                await self.send(text)
            if self.socket.application_state is WebSocketState.CONNECTED:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self.socket.close(goodbye.code, goodbye.reason)
        except (ClientGone, TimeoutError, WebSocketDisconnect, RuntimeError):
            return
