"""OpenAI's speech-to-speech model through its plugin, which cannot be closed any more once its line broke down."""

from __future__ import annotations

import asyncio
import contextlib

from livekit.agents import APIError
from livekit.plugins.openai import realtime

from mouthpiece.providers.cloud import HANG_UP_S


class RealtimeModel(realtime.RealtimeModel):
    """The plugin's model, whose sessions may be closed in any state."""

    def session(self, *, turn_detection_disabled: bool = False) -> realtime.RealtimeSession:
        """A line to the model."""
        line = _Line(self, turn_detection_disabled=turn_detection_disabled)
        self._sessions.add(line)
        return line


class _Line(realtime.RealtimeSession):
    async def aclose(self) -> None:
        """Hang up. Why the line broke down was told when it did; a model that hangs is not waited for."""
        with contextlib.suppress(APIError, TimeoutError):
            async with asyncio.timeout(HANG_UP_S):
                await super().aclose()
