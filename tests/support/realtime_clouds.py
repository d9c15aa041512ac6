"""Small servers that speak the wire formats of OpenAI Realtime, Gemini and Gemini Live, well and badly."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web
from tests.support.clouds import ANSWER, Clouds, Mode

HEARD = "what time is it"
LOUD = 500
PIECES = 10
STALLED = 7
"""Messages of an answer after which it stalls: some of its sound is there."""
TONE = (8_000 * np.sin(np.arange(24_000 // 5) * 2 * np.pi * 200 / 24_000)).astype("<i2").tobytes()
"""A fifth of a second of the model's voice, at 24 kHz."""


class Turns:
    """Hears when somebody has spoken: loud, then quiet for 0.6 s. ``rate``: samples a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._spoke = False
        self._still = 0

    def push(self, data: str) -> str:
        """``started`` and ``stopped`` as they happen, else nothing."""
        pcm = np.frombuffer(base64.b64decode(data), "<i2").astype(int)
        if len(pcm) and np.abs(pcm).max() > LOUD:
            first, self._spoke, self._still = not self._spoke, True, 0
            return "started" if first else ""
        self._still += self._spoke * len(pcm)
        if self._still < 0.6 * self._rate:
            return ""
        self._spoke, self._still = False, 0
        return "stopped"


class OpenAIRealtime:
    """``/realtime`` of OpenAI: hears, and answers with ten pieces of a tone and the words of ANSWER."""

    def __init__(self, clouds: Clouds) -> None:
        self._clouds = clouds

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        await self._clouds._admit(request, request.headers.get("authorization", ""))
        mode = self._clouds.mode
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "session.created", "event_id": "e", "session": {}})
        turns = Turns(24_000)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            if mode == "mute" and asked["type"] != "session.update":
                await self._clouds.gone.wait()
            self._clouds.kinds.append(asked["type"])
            if asked["type"] == "response.create":
                self._clouds.texts.append(str(asked["response"].get("instructions")))
                await self._answer(socket, asked["response"].get("metadata"), mode)
            elif asked["type"] == "input_audio_buffer.append":
                await self._hear(socket, turns.push(asked["audio"]), mode)
            elif asked["type"] == "session.update":
                self._clouds.texts.append(str(asked["session"].get("instructions")))
        return socket

    async def _hear(self, socket: web.WebSocketResponse, what: str, mode: Mode) -> None:
        if what:
            await socket.send_json({"type": f"input_audio_buffer.speech_{what}", "item_id": "u1", "event_id": "e"})
        if what == "stopped":
            item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
            await socket.send_json({"type": "conversation.item.added", "item": item, "event_id": "e"})
            done = {"item_id": "u1", "content_index": 0, "transcript": HEARD, "event_id": "e"}
            await socket.send_json({"type": "conversation.item.input_audio_transcription.completed", **done})
            await self._answer(socket, None, mode)

    async def _answer(self, socket: web.WebSocketResponse, metadata: object, mode: Mode) -> None:
        item = {"id": "a1", "type": "message", "role": "assistant", "content": []}
        part = {"item_id": "a1", "content_index": 0, "output_index": 0, "response_id": "r1"}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {"id": "r1", "metadata": metadata}},
            {"type": "response.output_item.added", "response_id": "r1", "output_index": 0, "item": item},
            {"type": "conversation.item.added", "item": item},
            {"type": "response.content_part.added", **part, "part": {"type": "audio"}},
            {"type": "response.output_audio_transcript.delta", **part, "delta": ANSWER},
            *({"type": "response.output_audio.delta", **part, "delta": _b64(TONE)} for _ in range(PIECES)),
            {"type": "response.output_audio.done", **part},
            {"type": "response.output_item.done", "response_id": "r1", "output_index": 0, "item": item},
            {"type": "response.done", "response": {"id": "r1", "status": "completed", "output": [item]}},
        ]
        for n, event in enumerate(events):
            await socket.send_json(event | {"event_id": f"e{n}"})
            if mode == "stall" and n == STALLED:
                await self._clouds.gone.wait()
            if self._clouds.mode == "break" and event["type"] == "response.output_audio.delta":
                await socket.close(code=1011)
                return


class Gemini:
    """``streamGenerateContent`` and ``BidiGenerateContent`` of Google."""

    def __init__(self, clouds: Clouds) -> None:
        self._clouds = clouds

    async def generate(self, request: web.Request) -> web.StreamResponse:
        await self._clouds._admit(request, request.headers.get("x-goog-api-key", ""))
        self._clouds.texts.append(str((await request.json())["contents"][-1]["parts"][0]["text"]))
        pieces = [
            {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": word}]}}]}
            for word in ANSWER.split(" ")
        ]
        return await self._clouds._stream(request, pieces, end=b"")

    async def live(self, request: web.Request) -> web.WebSocketResponse:
        await self._clouds._admit(request, request.headers.get("x-goog-api-key", ""))
        mode = self._clouds.mode
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        turns = Turns(16_000)
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            asked = json.loads(message.data)
            if mode == "mute" and "setup" not in asked:
                await self._clouds.gone.wait()
            self._clouds.kinds += list(asked)
            if setup := asked.get("setup"):
                self._clouds.texts.append(json.dumps(setup.get("systemInstruction", setup)))
                await socket.send_json({"setupComplete": {}})
            elif (sound := asked.get("realtime_input", asked.get("realtimeInput", {})).get("audio")) is not None:
                if turns.push(sound["data"].replace("-", "+").replace("_", "/")) == "stopped":
                    await self._answer(socket, mode, heard=True)
            elif (content := asked.get("client_content") or asked.get("clientContent") or {}) and (
                content.get("turn_complete") or content.get("turnComplete")
            ):
                self._clouds.texts.append(json.dumps(asked))
                await self._answer(socket, mode, heard=False)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, mode: Mode, *, heard: bool) -> None:
        sound = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": _b64(TONE)}}
        contents: list[dict[str, Any]] = [{"inputTranscription": {"text": HEARD}}] if heard else []
        contents.append({"outputTranscription": {"text": ANSWER}})
        contents += [{"modelTurn": {"role": "model", "parts": [sound]}} for _ in range(PIECES)]
        contents += [{"generationComplete": True}, {"turnComplete": True}]
        for n, content in enumerate(contents):
            await socket.send_json({"serverContent": content})
            if mode == "stall" and n == STALLED:
                await self._clouds.gone.wait()
            if self._clouds.mode == "break" and "modelTurn" in content:
                await socket.close(code=1011)
                return
            await asyncio.sleep(0)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
