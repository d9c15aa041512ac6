"""Runs a printed snippet of a framework in what is around it in a program of its user: prints the size of a picture.

argv: "pipecat" or "livekit", and the snippet.
"""

import asyncio
import os
import sys
import textwrap

NAME, SNIPPET = sys.argv[1:]


async def pipecat() -> None:
    """A pipeline that is the service and somebody who looks."""
    from pipecat.frames.frames import EndFrame, OutputImageRawFrame, TTSAudioRawFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.runner import PipelineRunner
    from pipecat.pipeline.task import PipelineTask
    from pipecat.processors.frame_processor import FrameProcessor
    from pipecat.services.simli.video import SimliVideoService

    seen = asyncio.get_running_loop().create_future()

    class Viewer(FrameProcessor):
        async def process_frame(self, frame, direction):
            await super().process_frame(frame, direction)
            if isinstance(frame, OutputImageRawFrame) and not seen.done():
                seen.set_result(frame.size)
            await self.push_frame(frame, direction)

    around = {"SimliVideoService": SimliVideoService}
    exec(SNIPPET, around)
    task = PipelineTask(Pipeline([around["video"], Viewer()]))
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    await task.queue_frames([TTSAudioRawFrame(bytes(6400), 16_000, 1)])
    print(*await asyncio.wait_for(seen, 40), flush=True)
    await task.queue_frames([EndFrame()])
    await asyncio.wait_for(running, 30)


async def livekit() -> None:
    """An agent in a room, which it has joined; and the room's one track of video."""
    from types import SimpleNamespace

    from livekit import api, rtc
    from livekit.agents import AgentSession
    from livekit.agents.utils import http_context
    from livekit.plugins import simli

    grants = api.VideoGrants(room_join=True, room="snippet")
    token = api.AccessToken().with_identity("agent").with_kind("agent").with_grants(grants).to_jwt()
    room, seen = rtc.Room(), asyncio.get_running_loop().create_future()

    async def look(track):
        async for event in rtc.VideoStream(track):
            if not seen.done():
                seen.set_result((event.frame.width, event.frame.height))

    looking = []

    def on_track(track, *_):
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            looking.append(asyncio.create_task(look(track)))

    room.on("track_subscribed", on_track)
    await room.connect(os.environ["LIVEKIT_URL"], token)
    around = {"simli": simli, "session": AgentSession(), "ctx": SimpleNamespace(room=room)}
    exec("async def printed():\n" + textwrap.indent(SNIPPET, "    "), around)
    async with http_context.open():
        await around["printed"]()
    print(*await asyncio.wait_for(seen, 40), flush=True)
    await room.disconnect()
    os._exit(0)  # the framework waits for its threads


asyncio.run({"pipecat": pipecat, "livekit": livekit}[NAME]())
