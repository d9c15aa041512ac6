"""A peer that was answered before it is known whose session it will be: v1 clients show their token afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from mouthpiece.errors import MouthpieceError, PeerConnectionLost
from mouthpiece.media import Pcm
from mouthpiece.transport.base import Peer, PeerListener

WAITING_MESSAGES: Final = 64
"""Messages of a visitor's data channel that wait to be read; more are dropped, and counted."""


class Visitor:
    """See ``live.base.Visitor``, and ``PeerListener``. Once a session has adopted the peer, everything goes there.

    ``on_gone`` is called once, when it left or was adopted.
    """

    def __init__(self, visitor_id: str, on_gone: Callable[[Visitor], None]) -> None:
        self.visitor_id = visitor_id
        self.connected = False
        self.dropped = 0
        self._on_gone = on_gone
        self._peer: Peer | None = None
        self._channels: list[tuple[str, Callable[[str], None]]] = []
        self._messages: asyncio.Queue[tuple[str | bytes, Callable[[str], None]]] = asyncio.Queue(WAITING_MESSAGES)
        self._ended: asyncio.Future[MouthpieceError | None] = asyncio.get_running_loop().create_future()
        self._heir: PeerListener | None = None

    def answered(self, peer: Peer) -> None:
        """The peer that was answered for it."""
        self._peer = peer

    # --- what the front end does ------------------------------------------------------------------------------------
    async def message(self) -> tuple[str | bytes, Callable[[str], None]]:
        """The next message of its data channels, and how to reply there."""
        return await self._messages.get()

    async def gone(self) -> MouthpieceError | None:
        """Wait until it left, and why; None: it was adopted, or closed by us."""
        return await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Let the peer go, unless a session has adopted it. Idempotent."""
        self._finish(None)
        if self._heir is None and self._peer is not None:
            await self._peer.close()

    def dismiss(self, why: MouthpieceError) -> None:
        """It must leave; its front end says why and closes it."""
        self._finish(why)

    # --- what a session does ----------------------------------------------------------------------------------------
    def adopt(self, heir: PeerListener) -> Peer | None:
        """Hand the peer over, with what is still unread; None when it is gone already."""
        if self._ended.done() or self._peer is None:
            return None
        self._heir = heir
        self._finish(None)
        if self.connected:
            heir.on_connected()
        for label, send in self._channels:
            heir.on_channel(label, send)
        while not self._messages.empty():
            heir.on_message(*self._messages.get_nowait())
        return self._peer

    def _finish(self, why: MouthpieceError | None) -> None:
        if not self._ended.done():
            self._ended.set_result(why)
            self._on_gone(self)

    # --- PeerListener -----------------------------------------------------------------------------------------------
    def on_connected(self) -> None:
        """See ``PeerListener``."""
        self.connected = True
        if self._heir is not None:
            self._heir.on_connected()

    def on_lost(self, reason: str) -> None:
        """See ``PeerListener``."""
        if self._heir is not None:
            self._heir.on_lost(reason)
        else:
            self._finish(PeerConnectionLost(reason=reason))

    def on_keyframe_request(self) -> None:
        """See ``PeerListener``. Before there is a session nothing is shown that could need one."""
        if self._heir is not None:
            self._heir.on_keyframe_request()

    def on_bitrate(self, bits_per_second: int) -> None:
        """See ``PeerListener``."""
        if self._heir is not None:
            self._heir.on_bitrate(bits_per_second)

    def on_message(self, message: str | bytes, reply: Callable[[str], None]) -> None:
        """See ``PeerListener``."""
        if self._heir is not None:
            self._heir.on_message(message, reply)
        elif self._messages.full():
            self.dropped += 1
        else:
            self._messages.put_nowait((message, reply))

    def on_channel(self, label: str, send: Callable[[str], None]) -> None:
        """See ``PeerListener``."""
        if self._heir is not None:
            self._heir.on_channel(label, send)
        elif len(self._channels) < WAITING_MESSAGES:
            self._channels.append((label, send))

    def on_microphone(self, pcm: Pcm) -> None:
        """See ``PeerListener``. Nobody listens before there is a session."""
        if self._heir is not None:
            self._heir.on_microphone(pcm)
