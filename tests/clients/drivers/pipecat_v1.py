"""Drives an unmodified pipecat 0.0.x pipeline with its SimliVideoService: a plan as JSON in argv, JSON on stdout."""

import asyncio
import inspect
import json
import sys
import time

import numpy as np
from pipecat.frames.frames import EndFrame, InterruptionFrame, OutputImageRawFrame, TTSAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.simli.video import SimliVideoService

from simli import SimliConfig

RATE, CHUNK = 16_000, 6_400
LOUD = 100  # a decoder's silence is not always zero


class Viewer(FrameProcessor):
    """Keeps a small picture of the mouth for every frame, and the loudness of every piece of sound."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list = []
        self.heard: list = []
        self.size: list = []
        self.first = asyncio.Event()

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        now = time.monotonic()
        if isinstance(frame, OutputImageRawFrame):
            self.see(frame, now)
        elif isinstance(frame, TTSAudioRawFrame):
            pcm = np.frombuffer(frame.audio, np.int16).astype(float)
            self.heard.append((now, float(np.sqrt((pcm**2).mean()))))
        await self.push_frame(frame, direction)

    def see(self, frame, now: float) -> None:
        width, height = frame.size
        self.size = [width, height]
        grey = np.frombuffer(frame.image, np.uint8).reshape(height, width, 3).mean(2)
        mouth = grey[height // 2 : height * 7 // 8, width // 4 : width * 3 // 4]
        rows, columns = mouth.shape[0] // 12, mouth.shape[1] // 12
        small = mouth[: rows * 12, : columns * 12].reshape(12, rows, 12, columns).mean((1, 3))
        self.seen.append((now, small.ravel().round(2).tolist()))
        self.first.set()


def with_silence(heard: list) -> list:
    """The service passes no silence on: put it back."""
    whole = []
    for (at, level), (then, _) in zip(heard, [*heard[1:], (heard[-1][0] + 1, 0)], strict=True):
        whole.append((at, level))
        if then - at > 0.1:
            whole += [(at + 0.04, 0.0), (then - 0.04, 0.0)]
    return whole


def make_service(plan: dict) -> SimliVideoService:
    """By the constructor of the release."""
    if "api_key" in inspect.signature(SimliVideoService).parameters:
        return SimliVideoService(api_key=plan["key"], face_id=plan["face"], simli_url=plan["url"])
    config = SimliConfig(apiKey=plan["key"], faceId=plan["face"], maxSessionLength=120, maxIdleTime=60)
    return SimliVideoService(config, use_turn_server=True, simli_url=plan["url"])


async def main(plan: dict) -> dict:
    service, viewer = make_service(plan), Viewer()
    task = PipelineTask(Pipeline([service, viewer]), params=PipelineParams(audio_out_sample_rate=RATE))
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    speech = open(plan["speech"], "rb").read()
    zeros = TTSAudioRawFrame(bytes(CHUNK), RATE, 1)
    await task.queue_frames([zeros])
    await asyncio.wait_for(viewer.first.wait(), 40)
    pieces = [speech[i : i + CHUNK] for i in range(0, len(speech), CHUNK)]
    await task.queue_frames([TTSAudioRawFrame(piece, RATE, 1) for piece in pieces])
    await asyncio.sleep(len(speech) / 2 / RATE + 1)
    heard = len(viewer.heard)
    await task.queue_frames([TTSAudioRawFrame(piece, RATE, 1) for piece in pieces])
    await asyncio.sleep(1.0)
    interrupted = time.monotonic()
    await task.queue_frames([InterruptionFrame()])
    await asyncio.sleep(len(speech) / 2 / RATE + 1)  # time enough for all of it, had it not been cleared
    loud_for = max((at for at, level in viewer.heard[heard:] if level > LOUD), default=interrupted) - interrupted
    await task.queue_frames([EndFrame()])
    await asyncio.wait_for(running, 30)
    seen = viewer.seen
    cut = viewer.heard[heard - 1][0] + 0.5
    return {
        "seen": [each for each in seen if each[0] < cut],
        "heard": with_silence(viewer.heard[:heard]),
        "size": viewer.size,
        "loud_for": loud_for,
        "loud": [sum(level > LOUD for _, level in part) for part in (viewer.heard[:heard], viewer.heard[heard:])],
    }


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
