"""Voices that we run ourselves as livekit-agents voices."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import AsyncIterator

from livekit.agents import APIConnectionError, APIConnectOptions, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from mouthpiece.errors import MouthpieceError
from mouthpiece.media import SAMPLE_RATE, Pcm
from mouthpiece.providers.espeak import EspeakVoice, Manner

PIECE_MS = 40
"""Milliseconds of one piece of sound."""


class PiecewiseTTS(tts.TTS[str]):
    """A voice that speaks a text piece by piece, at ``rate`` samples a second."""

    def __init__(self, rate: int) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=rate, num_channels=1)

    @abstractmethod
    def pieces(self, text: str) -> AsyncIterator[Pcm]:
        """The sound of a text as it is made. Raises APIConnectionError."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a text."""
        return _Utterance(tts=self, input_text=text, conn_options=conn_options)


class _Utterance(tts.ChunkedStream):
    """One utterance."""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        own = self._tts
        assert isinstance(own, PiecewiseTTS), "made by its synthesize()"
        output_emitter.initialize(
            request_id=uuid.uuid4().hex,
            sample_rate=own.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=PIECE_MS,
        )
        async for pcm in own.pieces(self._input_text):
            output_emitter.push(pcm.astype("<i2", copy=False).tobytes())
        output_emitter.flush()


class EmbeddedTTS(PiecewiseTTS):
    """espeak-ng in one manner. The voice is shared and not closed with it."""

    def __init__(self, voice: EspeakVoice, manner: Manner | None = None) -> None:
        super().__init__(SAMPLE_RATE)
        self.voice = voice
        self.manner = manner or Manner()

    @property
    def model(self) -> str:
        """The engine."""
        return "espeak-ng"

    @property
    def provider(self) -> str:
        """Ours."""
        return "mouthpiece"

    async def pieces(self, text: str) -> AsyncIterator[Pcm]:
        """See ``PiecewiseTTS``."""
        try:
            async for piece in self.voice.stream(text, self.manner):
                yield piece.pcm
        except MouthpieceError as error:
            raise APIConnectionError(str(error)) from error
