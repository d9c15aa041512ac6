"""A Pipecat pipeline with a face in its own process, without any key or cloud: it says something into a video file.

``python pipecat_in_process.py hello.mp4``. In a pipeline of yours a transport stands where the file is.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from fractions import Fraction

import av
import numpy as np
from pipecat.frames.frames import EndFrame, Frame, OutputImageRawFrame, TTSAudioRawFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.workers.runner import WorkerRunner

from mouthpiece.integrations.pipecat import MouthpieceVideoService
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.espeak import EspeakVoice

TEXT = "Hello. I am a face that lives in the same process as its pipeline."
SIZE = 512, 512


class EmbeddedVoice(TTSService):
    """Mouthpiece's own voice, as Pipecat wants one."""

    def __init__(self) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        super().__init__(sample_rate=SAMPLE_RATE, push_start_frame=True, push_stop_frames=True, settings=settings)
        self.voice = EspeakVoice()

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """One utterance."""
        spoken = await self.voice.speak(text)
        yield TTSAudioRawFrame(spoken.pcm.tobytes(), SAMPLE_RATE, 1, context_id=context_id)


class Video(FrameProcessor):
    """Writes what the face shows and says into a file, when it came."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.file = av.open(path, "w")
        self.pictures = self.file.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        self.pictures.width, self.pictures.height = SIZE
        self.pictures.codec_context.time_base = Fraction(1, 1000)
        self.sound = self.file.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        self.began = 0.0
        self.heard = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep pictures and sound, and let all pass."""
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputImageRawFrame):
            self.began = self.began or time.monotonic()
            self.see(frame)
        elif isinstance(frame, TTSAudioRawFrame) and self.began:
            self.hear(np.frombuffer(frame.audio, np.int16))
        await self.push_frame(frame, direction)

    def see(self, frame: OutputImageRawFrame) -> None:
        """One picture."""
        width, height = frame.size
        rgb = np.frombuffer(frame.image, np.uint8).reshape(height, width, 3)
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        picture.pts, picture.time_base = round(1000 * (time.monotonic() - self.began)), Fraction(1, 1000)
        self.file.mux(self.pictures.encode(picture))

    def hear(self, pcm: np.ndarray) -> None:
        """20 ms, after as much silence as there was."""
        silence = round((time.monotonic() - self.began) * SAMPLE_RATE) - self.heard - len(pcm)
        if silence > SAMPLE_RATE // 10:
            pcm = np.concatenate((np.zeros(silence, np.int16), pcm))
        sound = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, self.heard, Fraction(1, SAMPLE_RATE)
        self.heard += len(pcm)
        self.file.mux(self.sound.encode(sound))

    def close(self) -> None:
        """The file is whole."""
        for stream in (self.pictures, self.sound):
            self.file.mux(stream.encode(None))
        self.file.close()


async def main(path: str) -> None:
    """Say it, and end."""
    voice, video = EmbeddedVoice(), Video(path)
    pipeline = Pipeline([voice, MouthpieceVideoService(face="mia", size=SIZE), video])
    worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=SAMPLE_RATE))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await worker.queue_frames([TTSSpeakFrame(TEXT), EndFrame()])
    await runner.run()
    await voice.voice.close()
    video.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "hello.mp4"))
