"""The embedded voice as a livekit-agents voice."""

from __future__ import annotations

import uuid

from livekit.agents import APIConnectionError, APIConnectOptions, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from mouthpiece.errors import MouthpieceError
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.espeak import EspeakVoice, Manner

PIECE_MS = 40
"""Milliseconds of one piece of sound."""


class EmbeddedTTS(tts.TTS[str]):
    """espeak-ng in one manner. The voice is shared and not closed with it."""

    def __init__(self, voice: EspeakVoice, manner: Manner | None = None) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=SAMPLE_RATE, num_channels=1)
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

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a text."""
        return _Utterance(tts=self, input_text=text, conn_options=conn_options)


class _Utterance(tts.ChunkedStream):
    """One utterance."""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        own = self._tts
        assert isinstance(own, EmbeddedTTS), "made by its synthesize()"
        output_emitter.initialize(
            request_id=uuid.uuid4().hex,
            sample_rate=SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
            frame_size_ms=PIECE_MS,
        )
        try:
            async for piece in own.voice.stream(self._input_text, own.manner):
                output_emitter.push(piece.pcm.astype("<i2").tobytes())
        except MouthpieceError as error:
            raise APIConnectionError(str(error)) from error
        output_emitter.flush()
