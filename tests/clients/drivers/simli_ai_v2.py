"""Drives an unmodified simli-ai 2.x in its own environment: a plan as JSON in argv, what happened as JSON on stdout.

Only the base URL differs from the vendor's own samples.
"""

import asyncio
import contextlib
import json
import sys
import time

import numpy as np
from simli.events import SimliEvent
from simli.renderers.renderers import FileRenderer
from simli.simli import TransportMode

from simli import SimliClient, SimliConfig


class Watcher:
    """Keeps a small picture of the mouth for every frame, and the loudness of every packet."""

    def __init__(self, client: SimliClient) -> None:
        self.client = client
        self.seen: list[tuple[float, list[float]]] = []
        self.heard: list[tuple[float, float]] = []
        self.size: list[int] = []
        self.zero_packets = 0

    async def video(self) -> None:
        async for frame in self.client.getVideoStreamIterator("gray"):
            if frame is None:
                break
            grey = frame.to_ndarray()
            height, width = grey.shape
            self.size = [width, height]
            mouth = grey[height // 2 : height * 7 // 8, width // 4 : width * 3 // 4]
            rows, columns = mouth.shape[0] // 12, mouth.shape[1] // 12
            small = mouth[: rows * 12, : columns * 12].reshape(12, rows, 12, columns).mean((1, 3))
            self.seen.append((time.monotonic(), small.ravel().round(2).tolist()))

    async def audio(self) -> None:
        async for frame in self.client.getAudioStreamIterator():
            if frame is None:
                break
            pcm = frame.to_ndarray().astype(float)
            self.heard.append((time.monotonic(), float(np.sqrt((pcm**2).mean()))))
            self.zero_packets += not pcm.any()


async def main(plan: dict) -> dict:
    told: list[list] = []
    client = SimliClient(
        plan["key"],
        SimliConfig(plan["face"], **plan.get("config", {})),
        simliURL=plan["url"],
        retry_count=plan.get("retries", 1),
        enableSFU=plan.get("enable_sfu", True),
        transport_mode=TransportMode[plan.get("mode", "P2P")],
    )
    result: dict = {"told": told}
    began = time.monotonic()
    try:
        await client.start()
    except Exception as error:  # what the client raises is the result
        return {**result, "error": type(error).__name__, "message": str(error), "code": str(getattr(error, "code", ""))}
    result |= {"start_s": time.monotonic() - began, "mode": client.transport_mode.name}

    def listen(name: str) -> None:
        async def on_event() -> None:
            told.append([round(time.monotonic() - began, 3), name])

        client.registerEventCallback(SimliEvent(name.upper()), on_event)

    for name in ("speak", "silent", "stop", "error"):
        listen(name)
    watcher = Watcher(client)
    if plan.get("file"):
        tasks = [asyncio.create_task(FileRenderer(client, plan["file"], audioCodec="aac").render())]
    else:
        tasks = [asyncio.create_task(watcher.video()), asyncio.create_task(watcher.audio())]
    for act in plan["acts"]:
        await perform(client, act)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    await client.stop()
    # Ended by the server, its own stop() still waits for the close of the socket; the callbacks come after that.
    await asyncio.wait([client.Connection.receiverTask], timeout=10)
    await asyncio.sleep(0.05)
    result |= {"seen": watcher.seen, "heard": watcher.heard, "size": watcher.size, "zero_packets": watcher.zero_packets}
    result |= {"stop_reason": getattr(client, "stopReason", None), "began": began}
    return result


async def perform(client: SimliClient, act: list) -> None:
    """One step of the plan."""
    verb, *rest = act
    match verb:
        case "send":
            await client.send(open(rest[0], "rb").read())
        case "send_immediate":
            await client.sendImmediate(open(rest[0], "rb").read())
        case "silence":
            await client.sendSilence(rest[0])
        case "wait":
            await asyncio.sleep(rest[0])
        case "clear":
            await client.clearBuffer()
        case "done":
            await client.Connection.wsConnection.send(b"DONE")
        case "camera":
            from simli.simli import CameraSetting

            await client.setCamera(CameraSetting(zoom=1.5), lerp_seconds=1.0)
        case "background":
            await client.setBackground(rest[0])
        case "stop":
            await client.stop()
        case "until_end":
            async with asyncio.timeout(rest[0]):
                await client.run.event.wait()


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
