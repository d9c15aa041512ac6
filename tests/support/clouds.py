"""Small servers that speak the wire formats of ElevenLabs, Cartesia, Deepgram, OpenAI and Google, well and badly."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Mode = Literal["good", "refuse", "limit", "hang", "break", "mute", "stall"]
"""Well; not admitted; told to wait; never taken up; broken off in the middle; open, but nothing is said on it; that, in
the middle of an answer. The last two stay with a speech-to-speech line while it is open, whatever the mode becomes.
"""
SOUND = b"\x00\x10\x00\xf0" * 4_000  # half a second of a hum at 16 kHz
LOUD = 500
ENOUGH = 8
"""Loud messages that are a word to the ears; silence is none."""
ANSWER = "Hello from far away."


@dataclass
class Clouds:
    """``mode``: how all of them behave now. ``seen``: what was asked, as (path, credential)."""

    mode: Mode = "good"
    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def _admit(self, request: web.Request, credential: str) -> None:
        self.seen.append((request.path, credential))
        if self.mode == "refuse":
            raise web.HTTPUnauthorized(text='{"error":{"message":"bad key"}}', content_type="application/json")
        if self.mode == "limit":
            raise web.HTTPTooManyRequests(text='{"error":{"message":"slow down"}}', content_type="application/json")
        if self.mode == "hang":
            await self.gone.wait()

    async def _mute(self) -> None:
        if self.mode == "mute":
            await self.gone.wait()

    async def elevenlabs(self, request: web.Request) -> web.WebSocketResponse:
        await self._admit(request, request.headers.get("xi-api-key", ""))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            asked = json.loads(message.data)
            context = asked.get("context_id")
            if text := asked.get("text", "").strip():
                await self._mute()
                self.texts.append(text)
                await socket.send_json({"contextId": context, "audio": base64.b64encode(SOUND).decode()})
                if self.mode == "break":
                    await socket.close(code=1011)
            if asked.get("close_context"):
                await socket.send_json({"contextId": context, "isFinal": True})
        return socket

    async def cartesia(self, request: web.Request) -> web.WebSocketResponse:
        await self._admit(request, request.headers.get("X-API-Key", "") or request.query.get("api_key", ""))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            asked = json.loads(message.data)
            context = asked.get("context_id")
            if text := str(asked.get("transcript", "")).strip():
                await self._mute()
                self.texts.append(text)
                await socket.send_json(
                    {"type": "chunk", "context_id": context, "data": base64.b64encode(SOUND).decode()}
                )
                if self.mode == "break":
                    await socket.close(code=1011)
            if not asked.get("continue"):
                await socket.send_json({"type": "done", "context_id": context, "done": True})
        return socket

    async def deepgram(self, request: web.Request) -> web.WebSocketResponse:
        await self._admit(request, request.headers.get("authorization", ""))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        loud = 0
        async for message in socket:
            if isinstance(message.data, bytes):
                loud += max(map(abs, memoryview(message.data).cast("h"))) > LOUD
                if loud < ENOUGH:
                    continue
                loud = 0
                words = [{"word": "hallo", "start": 0.0, "end": 0.4, "confidence": 0.9}]
                channel = {"alternatives": [{"transcript": "hallo", "confidence": 0.9, "words": words}]}
                await socket.send_json(
                    {
                        "type": "Results", "metadata": {"request_id": "1"}, "is_final": True, "speech_final": True,
                        "start": 0.0, "duration": 0.4, "channel": channel,
                    }
                )  # fmt: skip
                if self.mode == "break":
                    await socket.close(code=1011)
            elif json.loads(message.data)["type"] == "CloseStream":
                await socket.send_json({"type": "Metadata", "request_id": "1"})
                await socket.close()
        return socket

    async def openai(self, request: web.Request) -> web.StreamResponse:
        await self._admit(request, request.headers.get("authorization", ""))
        self.texts.append(str((await request.json())["messages"][-1]["content"]))
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        pieces = [{"index": 0, "delta": {"content": word}, "finish_reason": None} for word in ANSWER.split(" ")]
        return await self._stream(request, [{**chunk, "choices": [piece]} for piece in pieces], end=b"data: [DONE]\n\n")

    async def _stream(self, request: web.Request, chunks: list[dict[str, Any]], end: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await self._mute()
        for chunk in chunks:
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            if self.mode == "break" and request.transport is not None:
                request.transport.abort()
                return response
        await response.write(end)
        return response


@contextlib.asynccontextmanager
async def clouds() -> AsyncIterator[Clouds]:
    """All of them on one port of loopback."""
    from tests.support.realtime_clouds import Gemini

    it = Clouds()
    app = web.Application()
    app.router.add_get("/eleven/text-to-speech/{voice}/multi-stream-input", it.elevenlabs)
    app.router.add_get("/cartesia/tts/websocket", it.cartesia)
    app.router.add_get("/deepgram/listen", it.deepgram)
    app.router.add_post("/openai/chat/completions", it.openai)
    app.router.add_post("/google/{path:.*streamGenerateContent}", Gemini(it).generate)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield it
    finally:
        it.gone.set()
        await runner.cleanup()
