"""A real livekit-agents worker with an unmodified livekit-plugins-simli, in its own environment, and one viewer.

The plan comes as JSON in argv, what happened goes to stdout as JSON. Ears, mind and voice are small, true subclasses
of the framework's; the voice speaks a file. The viewer keeps a small picture of the mouth and the loudness of every
packet.
"""

import asyncio
import contextlib
import json
import os
import sys
import time

import numpy as np
from livekit import api, rtc
from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobExecutorType, llm, stt, tts
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.plugins import simli

PLAN = json.loads(sys.argv[1])
RATE = 16_000
SPEECH = open(PLAN["speech"], "rb").read()
LINE_S = len(SPEECH) / 2 / RATE


class Voice(tts.TTS):
    """Speaks the file, whatever the text."""

    def __init__(self):
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE, num_channels=1)

    def synthesize(self, text, *, conn_options=None):
        return Utterance(tts=self, input_text=text, conn_options=conn_options)


class Utterance(tts.ChunkedStream):
    async def _run(self, emitter):
        emitter.initialize(request_id="r", sample_rate=RATE, num_channels=1, mime_type="audio/pcm")
        for i in range(0, len(SPEECH), 6400):
            emitter.push(SPEECH[i : i + 6400])
            await asyncio.sleep(0.01)
        emitter.flush()


class Mind(llm.LLM):
    """Always has the same to say."""

    def chat(self, *, chat_ctx, tools=None, conn_options=None, **_):
        return Thought(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Thought(llm.LLMStream):
    async def _run(self):
        for word in ("We ", "follow ", "five ", "foxes."):
            self._event_ch.send_nowait(llm.ChatChunk(id="c", delta=llm.ChoiceDelta(role="assistant", content=word)))


class Ears(stt.STT):
    """Hears nothing: the turns of this test are typed."""

    def __init__(self):
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    async def _recognize_impl(self, buffer, *, language=None, conn_options=None):
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[])

    def stream(self, *, language=None, conn_options=None):
        return Listening(stt=self, conn_options=conn_options)


class Listening(stt.RecognizeStream):
    async def _run(self):
        async for _ in self._input_ch:
            pass


RESULT = {"metrics": [], "finished": [], "turns": [], "seen": [], "heard": []}
OVER = asyncio.Event()


async def conversation(ctx: JobContext):
    """The agent: start the avatar, speak and be interrupted as planned, then speak to the end."""
    try:
        await ctx.connect()
        session = AgentSession(stt=Ears(), llm=Mind(), tts=Voice(), vad=None, turn_detection="manual")
        session.on("metrics_collected", lambda event: note_metrics(event.metrics))
        config = simli.SimliConfig(api_key=PLAN["key"], face_id=PLAN["face"])
        avatar = simli.AvatarSession(simli_config=config, api_url=PLAN["url"])
        began = time.monotonic()
        await avatar.start(session, ctx.room, livekit_url=PLAN["livekit"], livekit_api_key=PLAN["livekit_key"],
                           livekit_api_secret=PLAN["livekit_secret"])  # fmt: skip
        RESULT["start_s"] = time.monotonic() - began
        output = session.output.audio
        RESULT["output"] = type(output).__name__
        while not isinstance(output, DataStreamAudioOutput) and output.next_in_chain is not None:
            output = output.next_in_chain
        output.on("playback_finished", lambda event: RESULT["finished"].append(
            [time.monotonic(), event.playback_position, event.interrupted]))  # fmt: skip
        await session.start(Agent(instructions="be brief"), room=ctx.room)
        for step in PLAN["steps"]:
            await take(session, step)
        await asyncio.sleep(0.5)
        RESULT["warnings"] = WARNINGS
        if PLAN.get("leave"):
            await ctx.room.disconnect()
            await wait_until_alone()
    except Exception as error:
        RESULT["error"] = repr(error)
        raise
    finally:
        OVER.set()


async def take(session, step):
    """One turn: what was asked, how long it took to fall silent or to end, and what the framework thinks of it."""
    count, began = len(RESULT["finished"]), time.monotonic()
    if step["verb"] == "reply":
        speech = session.generate_reply(user_input="hello")
    else:
        speech = session.say("my mama bought a big blue boat")
    turn = {"began": began}
    if "interrupt_after" in step:
        await asyncio.sleep(step["interrupt_after"])
        turn["interrupted_at"] = time.monotonic()
        await session.interrupt(force=True)
    await asyncio.wait_for(speech.wait_for_playout(), 30)
    turn |= {
        "took": time.monotonic() - began,
        "interrupted": speech.interrupted,
        "finished": len(RESULT["finished"]) - count,
    }
    RESULT["turns"].append(turn)


def note_metrics(metrics):
    if metrics.type == "avatar_metrics":
        RESULT["metrics"].append({k: v for k, v in metrics.model_dump().items() if isinstance(v, int | float)})


WARNINGS = []


def viewer_token(identity):
    grants = api.VideoGrants(room_join=True, room=PLAN["room"])
    return (
        api.AccessToken(PLAN["livekit_key"], PLAN["livekit_secret"])
        .with_identity(identity)
        .with_grants(grants)
        .to_jwt()
    )


VIEWER = {}


async def watch():
    """The viewer: its joining makes the room, to which LiveKit then sends the agent."""
    room = rtc.Room()
    VIEWER["room"], tasks = room, []

    def on_track(track, publication, participant):
        if participant.identity == "simli-avatar-agent":
            look = see if track.kind == rtc.TrackKind.KIND_VIDEO else hear
            tasks.append(asyncio.create_task(look(track)))

    room.on("track_subscribed", on_track)
    await room.connect(PLAN["livekit"], viewer_token("viewer"))


async def see(track):
    async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420):
        frame = event.frame
        grey = np.frombuffer(frame.data, np.uint8)[: frame.width * frame.height].reshape(frame.height, frame.width)
        mouth = grey[frame.height // 2 : frame.height * 7 // 8, frame.width // 4 : frame.width * 3 // 4]
        rows, columns = mouth.shape[0] // 12, mouth.shape[1] // 12
        small = mouth[: rows * 12, : columns * 12].reshape(12, rows, 12, columns).mean((1, 3))
        RESULT.setdefault("size", [frame.width, frame.height])  # the library ends a track with a black 2x2
        RESULT["seen"].append((time.monotonic(), small.ravel().round(2).tolist()))


async def hear(track):
    async for event in rtc.AudioStream(track, sample_rate=48_000, num_channels=1):
        pcm = np.frombuffer(event.frame.data, np.int16).astype(float)
        RESULT["heard"].append((time.monotonic(), float(np.sqrt((pcm**2).mean()))))


async def wait_until_alone():
    """The avatar leaves soon after its agent."""
    began = time.monotonic()
    while VIEWER["room"].remote_participants and time.monotonic() - began < 30:
        await asyncio.sleep(0.05)
    RESULT["alone_s"] = time.monotonic() - began
    RESULT["left"] = list(VIEWER["room"].remote_participants)


def keep_warnings():
    import logging

    class Keeper(logging.Handler):
        def emit(self, record):
            if record.levelno >= logging.WARNING:
                WARNINGS.append(record.getMessage()[:300])

    logging.getLogger("livekit.agents").addHandler(Keeper())


async def main():
    keep_warnings()
    server = AgentServer(
        job_executor_type=JobExecutorType.THREAD, ws_url=PLAN["livekit"], api_key=PLAN["livekit_key"],
        api_secret=PLAN["livekit_secret"], host="127.0.0.1", num_idle_processes=0,
    )  # fmt: skip
    server.rtc_session(conversation)
    done = asyncio.get_running_loop().create_future()
    server.on("worker_registered", lambda *_: done.done() or done.set_result(None))
    running = asyncio.create_task(server.run(devmode=True))
    await asyncio.wait_for(done, 30)
    await watch()
    for _ in range(PLAN.get("seconds", 90) * 10):
        await asyncio.sleep(0.1)
        if OVER.is_set():
            break
    print(json.dumps(RESULT), flush=True)
    running.cancel()
    os._exit(0)  # the framework waits for its threads


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
