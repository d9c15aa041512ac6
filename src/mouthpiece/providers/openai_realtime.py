"""OpenAI's speech-to-speech model through its plugin, which cannot be closed any more once its line broke down."""

from __future__ import annotations

import contextlib

from livekit.agents import APIError
from livekit.plugins.openai import realtime


class RealtimeModel(realtime.RealtimeModel):
    """The plugin's model, whose sessions may be closed in any state."""

    def session(self, *, turn_detection_disabled: bool = False) -> realtime.RealtimeSession:
        """A line to the model."""
        line = _Line(self, turn_detection_disabled=turn_detection_disabled)
        self._sessions.add(line)
        return line


class _Line(realtime.RealtimeSession):
    async def aclose(self) -> None:
        """Hang up. Why the line broke down was told when it did."""
        with contextlib.suppress(APIError):
            await super().aclose()
