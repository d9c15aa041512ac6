"""One face on a stage of its own, in the process of another framework: what the integrations have in common."""

from __future__ import annotations

import asyncio
import uuid
from typing import Final

from mouthpiece.codec.opus import OpusEncoder
from mouthpiece.codec.video import open_video
from mouthpiece.errors import NoLiveKit
from mouthpiece.face import catalog
from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync import warm as warm_lipsync
from mouthpiece.live.base import SessionSpec
from mouthpiece.live.session import Session
from mouthpiece.live.stage import Stage
from mouthpiece.live.studio import Join, OpenVideo, Studio
from mouthpiece.media import Look
from mouthpiece.session.events import EndReason
from mouthpiece.settings import LimitSettings, MediaSettings
from mouthpiece.transport.base import DirectPeer, PeerListener, RoomTicket

DAY_S: Final = 86_400.0
BACKLOG_S: Final = 3_600.0
"""Speech that may be queued: frameworks hand over whole answers at once, and count on each of them."""


class Solo:
    """A session, and the stage that plays it alone."""

    def __init__(self, stage: Stage, session: Session) -> None:
        self._stage = stage
        self.session = session

    @classmethod
    async def open(
        cls, look: Look, media: MediaSettings, join: Join, kind: str, video: OpenVideo | None = None
    ) -> Solo:
        """Load what drawing takes, and open a session that leaves by ``join``. Raises InvalidFace.

        ``video``: another way to encode its pictures; ``kind``: what the framework calls it.
        """
        await asyncio.to_thread(_warm)
        stage = Stage(_studio(media, join, video), media, LimitSettings(max_sessions=1, backlog_s=BACKLOG_S))
        await stage.start()
        spec = SessionSpec(
            str(uuid.uuid4()), kind, kind, look, media.fps, max_length_s=DAY_S, max_idle_s=DAY_S, kind=kind
        )
        try:
            return cls(stage, await stage.open(spec))
        except BaseException:
            await stage.close()
            raise

    async def enter(self, url: str = "", token: str = "", speaker: str | None = None) -> None:
        """Let its clock run: in a room, or wherever ``join`` leads. Raises RoomUnreachable."""
        spec = self.session.spec
        await self.session.join(RoomTicket(url, token, *spec.look.picture_size, spec.fps, speaker))

    async def close(self) -> None:
        """Leave. Idempotent."""
        await self.session.close(EndReason.CLOSED)
        await self._stage.close()


class _NoLedger:
    """Sessions of this process are nobody else's affair."""

    async def begin(self, spec: SessionSpec) -> None:
        return

    async def end(self, spec: SessionSpec, reason: EndReason, frames: int) -> None:
        return


def _studio(media: MediaSettings, join: Join, video: OpenVideo | None) -> Studio:
    async def answer(offer: str, listener: PeerListener) -> tuple[DirectPeer, str]:
        raise NoLiveKit(what="WebRTC", remedy="this face lives in the process of another framework")

    return Studio(
        face=catalog.load,
        lipsync=open_lipsync,
        video=video
        or (lambda codec, look, fps, bitrate: open_video(codec, *look.picture_size, fps, bitrate, media.max_bitrate)),
        sound=OpusEncoder,
        answer=answer,
        ledger=_NoLedger(),
        join=join,
    )


def _warm() -> None:
    catalog.warm()
    warm_lipsync()
