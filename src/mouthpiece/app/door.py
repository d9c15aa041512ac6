"""Who may come in, and how often: API keys, page tokens, requests a minute."""

from __future__ import annotations

import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from mouthpiece.errors import InvalidApiKey, RateLimited
from mouthpiece.simli.base import Caller
from mouthpiece.store.keys import Keys
from mouthpiece.web.access import PAGE_PREFIX, PageAccess

PAGE_KEY_NAME: Final = "page"


class FrontDoor:
    """See ``simli.base.Door``. A page token is taken wherever an API key is."""

    def __init__(self, keys: Keys, access: PageAccess) -> None:
        self._keys = keys
        self._access = access

    async def admit(self, credential: str) -> Caller:
        """Whose it is. Raises InvalidApiKey, Unavailable."""
        if credential.startswith(PAGE_PREFIX):
            return Caller(await self._page_account(credential), PAGE_KEY_NAME)
        account = await self._keys.authenticate(credential)
        if account is None:
            raise InvalidApiKey
        return Caller(account.id, account.key_name)

    async def _page_account(self, token: str) -> str:
        """An account without a key that is good has no page either. Raises InvalidApiKey, Unavailable."""
        account = self._access.open_token(token, time.time()).account
        if not await self._keys.open_account(account):
            raise InvalidApiKey
        return account


class PerMinute:
    """At most so many requests of an account in any minute."""

    def __init__(self, limit: int) -> None:
        self._item = RateLimitItemPerMinute(limit)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def hit(self, account: str) -> None:
        """One more. Raises RateLimited."""
        if not await self._limiter.hit(self._item, account):
            window = await self._limiter.get_window_stats(self._item, account)
            wait_s = max(1, round(window.reset_time - time.time()))
            raise RateLimited(reason=f"{self._item.amount} tokens a minute", retry_s=wait_s)
