"""A real pipecat 1.14 pipeline with our face in its process: a plan as JSON in argv, what came out as JSON on stdout.

Everything that leaves the face is written down in order: ``["sound", time, pts, samples, loudness]``,
``["picture", time, pts, mouth]``, and the names of control frames.
"""

import asyncio
import json
import sys
import time

import numpy as np
from pipecat.frames.frames import (
    EndFrame,
    InterruptionFrame,
    OutputImageRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from mouthpiece.integrations.pipecat import MouthpieceVideoService

RATE = 24_000  # not ours: what most voices give
PIECE = RATE // 10
NAMED = {TTSStartedFrame: "started", TTSStoppedFrame: "stopped", InterruptionFrame: "interrupted", EndFrame: "end"}


class Viewer(FrameProcessor):
    """Writes down what comes by."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list = []
        self.size: list = []
        self.news = asyncio.Event()

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        now = time.monotonic()
        if isinstance(frame, OutputImageRawFrame):
            self.log.append(["picture", now, frame.pts, self.mouth(frame)])
        elif isinstance(frame, TTSAudioRawFrame):
            pcm = np.frombuffer(frame.audio, np.int16).astype(float)
            self.log.append(["sound", now, frame.pts, len(pcm), float(np.sqrt((pcm**2).mean()))])
        elif name := NAMED.get(type(frame)):
            self.log.append([name, now])
        self.news.set()
        await self.push_frame(frame, direction)

    def mouth(self, frame) -> list:
        width, height = self.size = list(frame.size)
        grey = np.frombuffer(frame.image, np.uint8).reshape(height, width, 3).mean(2)
        part = grey[height // 2 : height * 7 // 8, width // 4 : width * 3 // 4]
        rows, columns = part.shape[0] // 12, part.shape[1] // 12
        return part[: rows * 12, : columns * 12].reshape(12, rows, 12, columns).mean((1, 3)).ravel().round(2).tolist()

    async def until(self, true) -> None:
        async with asyncio.timeout(60):
            while not true():
                self.news.clear()
                await self.news.wait()

    def count(self, name: str) -> int:
        return sum(one[0] == name for one in self.log)


def line(pcm: np.ndarray) -> list:
    """One line of speech, as a voice gives it: all at once."""
    pieces = [pcm[i : i + PIECE].tobytes() for i in range(0, len(pcm), PIECE)]
    return [TTSStartedFrame(), *(TTSAudioRawFrame(piece, RATE, 1) for piece in pieces), TTSStoppedFrame()]


async def main(plan: dict) -> dict:
    sixteen = np.frombuffer(open(plan["speech"], "rb").read(), np.int16)
    at = np.arange(len(sixteen) * RATE // 16_000) * 16_000 / RATE
    speech = np.interp(at, np.arange(len(sixteen)), sixteen).astype(np.int16)
    viewer = Viewer()
    service = MouthpieceVideoService(face=plan["face"], size=(256, 256))
    worker = PipelineWorker(Pipeline([service, viewer]), params=PipelineParams(audio_out_sample_rate=RATE))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await viewer.until(lambda: viewer.count("picture") >= 3)
    await worker.queue_frames(line(speech))
    await viewer.until(lambda: viewer.count("stopped"))
    for n in range(plan["interruptions"]):
        sounds = viewer.count("sound")
        await worker.queue_frames(line(speech))
        await viewer.until(lambda sounds=sounds, n=n: viewer.count("sound") > sounds + 5 + 3 * n)
        await worker.queue_frames([InterruptionFrame()])
        await viewer.until(lambda n=n: viewer.count("interrupted") > n)
        pictures = viewer.count("picture")
        await viewer.until(lambda pictures=pictures: viewer.count("picture") > pictures + 24)
    await worker.queue_frames([*line(speech[: 2 * RATE]), EndFrame()])
    await asyncio.wait_for(running, 60)
    return {"log": viewer.log, "size": viewer.size, "dropped": service.dropped}


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
