"""A conversation that lives in a child process: entered, heard and written down through the gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.support.peer import Viewer
from tests.support.server import KEY, serving
from websockets.asyncio.client import connect

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

HEADERS = {"x-simli-api-key": KEY}
ENVIRON = {"MOUTHPIECE_AGENTS_FIND_LOCAL": "false"}


@pytest.mark.timeout(240)
async def test_a_conversation_in_a_worker_is_heard_and_written_down(tmp_path: Path) -> None:
    with serving(tmp_path / "data", ("--workers", "2"), ENVIRON) as server:
        async with httpx.AsyncClient(base_url=server.url, headers=HEADERS, timeout=60) as http:
            body = {"faceId": "mia", "firstMessage": "Hello, I am Mia.", "createTranscript": True}
            started = (await http.post("/auto/start/configurable", json=body)).json()
            token = started["roomUrl"].partition("token=")[2]
            async with Viewer() as viewer, connect(f"{server.ws}/auto/room?token={token}") as socket:
                await socket.send(json.dumps({"type": "offer", "sdp": await viewer.offer()}))
                told = []
                async with asyncio.timeout(100):
                    async for text in socket:
                        told.append(content := json.loads(text))
                        if "sdp" in content:
                            await viewer.accept(content["sdp"])
                        if content.get("type") == "said":
                            break
                    await viewer.sounds.until(lambda heard: any(np.abs(one.pcm).max() > 1000 for one in heard))
                assert told[0]["type"] == "welcome"
                assert told[-1]["content"] == "Hello, I am Mia."
                metrics = (await http.get("/metrics")).text
                lines = [line for line in metrics.splitlines() if line.startswith("mouthpiece_conversations{")]
                assert len(lines) == 2, "the gateway holds none"
                assert sorted(line[-3:] for line in lines) == ["0.0", "1.0"]
                await socket.send('{"type":"end"}')
                async with asyncio.timeout(30):
                    rest = [json.loads(text) async for text in socket]
                assert rest[-1] == {"type": "over", "reason": "ended"}
            said = (await http.get(f"/auto/transcript/{started['sessionId']}")).json()["transcript"]
            assert [(line["role"], line["content"]) for line in said] == [("assistant", "Hello, I am Mia.")]
