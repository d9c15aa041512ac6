"""Drives an unmodified simli-ai 0.1.x in its own environment: a plan as JSON in argv, what happened as JSON on stdout.

Only the base URL differs from the vendor's own samples.
"""

import asyncio
import json
import sys
import time

import numpy as np

from simli import SimliClient, SimliConfig


class Watcher:
    """Keeps a small picture of the mouth for every frame, and the loudness of every packet."""

    def __init__(self, client: SimliClient) -> None:
        self.client = client
        self.seen: list[tuple[float, list[float]]] = []
        self.heard: list[tuple[float, float]] = []
        self.size: list[int] = []

    async def video(self) -> None:
        async for frame in self.client.getVideoStreamIterator("gray"):
            grey = frame.to_ndarray()
            height, width = grey.shape
            self.size = [width, height]
            mouth = grey[height // 2 : height * 7 // 8, width // 4 : width * 3 // 4]
            rows, columns = mouth.shape[0] // 12, mouth.shape[1] // 12
            small = mouth[: rows * 12, : columns * 12].reshape(12, rows, 12, columns).mean((1, 3))
            self.seen.append((time.monotonic(), small.ravel().round(2).tolist()))

    async def audio(self) -> None:
        async for frame in self.client.getAudioStreamIterator():
            pcm = frame.to_ndarray().astype(float)
            self.heard.append((time.monotonic(), float(np.sqrt((pcm**2).mean()))))


async def main(plan: dict) -> dict:
    config = SimliConfig(apiKey=plan["key"], faceId=plan["face"], **plan.get("config", {}))
    client = SimliClient(config, simliURL=plan["url"], latencyInterval=1, **plan.get("options", {}))
    began = time.monotonic()
    try:
        await asyncio.wait_for(client.Initialize(), 20)
    except Exception as error:  # what the client raises is the result
        return {"error": type(error).__name__, "message": str(error)}
    if not client.ready.is_set():  # 0.1.25 gives up without a word
        return {"error": "not started", "message": repr(client.failErorr)}
    watcher = Watcher(client)
    result: dict = {"start_s": time.monotonic() - began}
    tasks = [asyncio.create_task(watcher.video()), asyncio.create_task(watcher.audio())]
    for verb, *rest in plan["acts"]:
        match verb:
            case "send":
                await client.send(open(rest[0], "rb").read())
            case "wait":
                await asyncio.sleep(rest[0])
            case "clear":
                await client.clearBuffer()
            case "until_end":
                async with asyncio.timeout(rest[0]):
                    while client.run:
                        await asyncio.sleep(0.05)
    result["ran"] = bool(client.run)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.stop()
    return {**result, "seen": watcher.seen, "heard": watcher.heard, "size": watcher.size}


print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
