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
    """An agent that a LiveKit server sends to a room; and somebody in the room who looks."""
    from livekit import api, rtc
    from livekit.agents import AgentServer, AgentSession, JobExecutorType
    from livekit.plugins import simli

    async def conversation(ctx):
        await ctx.connect()
        around = {"simli": simli, "session": AgentSession(), "ctx": ctx}
        exec("async def printed():\n" + textwrap.indent(SNIPPET, "    "), around)
        await around["printed"]()

    loop, url = asyncio.get_running_loop(), os.environ["LIVEKIT_URL"]
    server = AgentServer(job_executor_type=JobExecutorType.THREAD, ws_url=url, host="127.0.0.1", num_idle_processes=0)
    server.rtc_session(conversation)
    registered, seen, looking = loop.create_future(), loop.create_future(), []
    server.on("worker_registered", lambda *_: registered.done() or registered.set_result(None))
    looking.append(asyncio.create_task(server.run(devmode=True)))
    await asyncio.wait_for(registered, 40)

    async def look(track):
        async for event in rtc.VideoStream(track):
            if not seen.done():
                seen.set_result((event.frame.width, event.frame.height))

    def on_track(track, *_):
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            looking.append(asyncio.create_task(look(track)))

    grants = api.VideoGrants(room_join=True, room="snippet")
    room = rtc.Room()
    room.on("track_subscribed", on_track)
    await room.connect(url, api.AccessToken().with_identity("viewer").with_grants(grants).to_jwt())
    print(*await asyncio.wait_for(seen, 60), flush=True)
    os._exit(0)  # the framework waits for its threads


asyncio.run({"pipecat": pipecat, "livekit": livekit}[NAME]())
