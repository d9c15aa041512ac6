"""Writes this process's sessions down: begun, kept alive, over."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Final

from mouthpiece.errors import RateLimited, Unavailable
from mouthpiece.live.base import SessionSpec
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings
from mouthpiece.store.history import History, SessionRecord

log = logging.getLogger(__name__)

RENEW_SHARE: Final = 3
"""Leases are renewed this often within their length: two writes may fail before a session stops counting."""


class StageLedger:
    """See ``live.studio.Ledger``. ``worker``: a name that no other process, past or present, has.

    A session whose end cannot be written now is written with the next renewal, or ends with its lease.
    """

    def __init__(self, history: History, worker: str, limits: LimitSettings) -> None:
        self._history = history
        self._worker = worker
        self._limits = limits
        self._running: dict[str, int] = {}
        self._endings: dict[str, tuple[str, int]] = {}

    async def begin(self, spec: SessionSpec) -> None:
        """Raises RateLimited when the account has too many on all servers together; Unavailable."""
        record = SessionRecord(
            id=spec.session_id,
            account=spec.account,
            token_id=spec.token_id,
            face_id=spec.look.face_id,
            kind=spec.kind,
            end_user=spec.end_user,
            api_key_name=spec.key_name,
            call=json.dumps(dict(spec.call)) if spec.call else None,
        )
        limit = self._limits.sessions_per_key
        if not await self._history.begin(record, self._worker, limit=limit):
            raise RateLimited(reason=f"{limit} sessions at once", retry_s=self._limits.retry_s)
        self._running[spec.session_id] = 0

    async def end(self, spec: SessionSpec, reason: EndReason, frames: int) -> None:
        """It is over. A database that is away is no error here."""
        if self._running.pop(spec.session_id, None) is None:
            return
        self._endings[spec.session_id] = (reason.value, frames)
        await self._flush()

    async def keep(self) -> None:
        """Renew the leases, and write what could not be written, until cancelled."""
        while True:
            await asyncio.sleep(self._history.lease_s / RENEW_SHARE)
            await self._flush()
            try:
                await self._history.renew(self._worker, self._running)
            except Unavailable as fault:
                log.warning("sessions cannot be kept in the database: %s", fault)

    async def close(self) -> None:
        """Write what is left."""
        await self._flush()

    async def _flush(self) -> None:
        endings, self._endings = self._endings, {}
        try:
            await self._history.end_many(endings)
        except Unavailable as fault:
            log.warning("ended sessions are written later: %s", fault)
            self._endings = endings | self._endings
