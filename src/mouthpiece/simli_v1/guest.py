"""A v1 client before and after it has shown its token, however its messages come."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from mouthpiece import errors
from mouthpiece.cluster.wire import ClientGone
from mouthpiece.live.base import LiveSession
from mouthpiece.session.events import EndReason
from mouthpiece.simli import messages as v2
from mouthpiece.simli.base import House
from mouthpiece.simli.socket import act, open_token
from mouthpiece.simli.tokens import SessionClaims
from mouthpiece.simli_v1 import messages as m

REMIND_S: Final = 1.0
"""Clients that stream sound without a token are told so this often, not for every packet."""


class Guest:
    """``claims`` is done when a good token came, or fails: ClientGone, or the error of a token that may not be used."""

    def __init__(self, house: House, origin: str | None) -> None:
        self.claims: asyncio.Future[SessionClaims] = asyncio.get_running_loop().create_future()
        self._house = house
        self._origin = origin
        self._session: LiveSession | None = None
        self._seated = asyncio.Event()
        self._left = asyncio.Event()
        self._reminded = -REMIND_S

    def sit(self, session: LiveSession) -> None:
        """The session has begun: what is heard from now on, and what waited, goes there."""
        self._session = session
        self._seated.set()

    async def leave(self, reason: EndReason) -> None:
        """The client left, or what it said was our undoing."""
        self._left.set()
        if not self.claims.done():
            self.claims.set_exception(ClientGone())
        elif not self.claims.exception():
            await self._seated.wait()
            assert self._session is not None
            await self._session.close(reason)

    async def left_within(self, seconds: float) -> None:
        """Wait for the client to leave, but not longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._left.wait()

    async def hear(self, message: str | bytes) -> str | None:
        """One message; the reply to it. Between token and START it waits, so that nothing is lost."""
        if self.claims.done():
            await self._seated.wait()
        if self._session is not None:
            return obey(self._session, v2.parse(message))
        return self._hear_stranger(message)

    def _hear_stranger(self, message: str | bytes) -> str | None:
        parsed = v2.parse(message)
        match parsed:
            case v2.Ping():
                return v2.pong(parsed)
            case v2.Done():
                self.claims.set_exception(ClientGone())
            case v2.Audio() | v2.PlayImmediate():
                return self._remind()
            case v2.Offer():
                return _second_offer()
            case v2.Unknown():
                return self._show(str(message))
        return None

    def _remind(self) -> str | None:
        now = asyncio.get_running_loop().time()
        if now - self._reminded < REMIND_S:
            return None
        self._reminded = now
        return m.MISSING_TOKEN

    def _show(self, token: str) -> str | None:
        try:
            self.claims.set_result(open_token(token, self._origin, self._house))
        except errors.SessionTokenExpired as fault:
            self.claims.set_exception(fault)
        except errors.InvalidSessionToken:
            return m.MISSING_TOKEN
        except errors.Denied as fault:
            self.claims.set_exception(fault)
        return None


def obey(session: LiveSession, message: v2.ClientMessage) -> str | None:
    """Do what a message asks, as on a v2 socket. Text that nobody knows, such as the token again, has no reply."""
    match message:
        case v2.Offer():
            return _second_offer()
        case v2.Unknown():
            return None
        case _:
            return act(session, message)


def _second_offer() -> str:
    return m.error(errors.InvalidOffer(reason="this session has its answer already"))
