"""How long each answer took: the events of one turn put together. Pure but for the clock that it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from mouthpiece.agent.base import Tell, Turn

OPEN: Final = 0.15
"""Openness of the lips that a viewer sees as an open mouth."""


class TurnClock:
    """Collects one turn at a time, and tells it when the mouth has opened or the answer is over.

    ``clock`` gives unix seconds, as the library's own events do.
    """

    def __init__(self, tell: Tell, clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._asked_at: float | None = None  # the user stopped to speak
        self._user: Mapping[str, Any] = {}
        self._heard: float | None = None
        self._mouth: float | None = None

    def user(self, *, speaking: bool) -> None:
        """The user began or stopped to speak."""
        if speaking:
            self._asked_at = self._heard = self._mouth = None

    def item(self, role: Literal["user", "assistant"], metrics: Mapping[str, Any]) -> None:
        """A message is in the history, with what the library measured."""
        if role == "user":
            self._user = metrics
            self._asked_at = metrics.get("stopped_speaking_at")
            return
        if self._heard is not None:
            user = self._user
            self._tell(
                Turn(
                    transcript=user.get("transcription_delay"),
                    decided=user.get("end_of_turn_delay"),
                    first_token=metrics.get("llm_node_ttft"),
                    first_audio=metrics.get("tts_node_ttfb"),
                    heard=self._heard,
                    mouth=self._mouth,
                )
            )
        self._asked_at = self._heard = self._mouth = None
        self._user = {}

    def avatar(self, state: str) -> None:
        """The avatar listens, thinks or speaks now."""
        if state == "speaking" and self._asked_at is not None and self._heard is None:
            self._heard = self._clock() - self._asked_at

    def shown(self, openness: float) -> None:
        """The lips as they were just shown."""
        if openness >= OPEN and self._asked_at is not None and self._heard is not None and self._mouth is None:
            self._mouth = self._clock() - self._asked_at
