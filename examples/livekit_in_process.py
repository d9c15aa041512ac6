"""A LiveKit agent with a face in its own process, without any key or cloud: it greets whoever joins.

Start ``livekit-server --dev``, then this, then join room ``hello`` with any LiveKit client. It ends after its greeting.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, Agent, AgentSession, APIConnectOptions, tts

from mouthpiece.integrations.livekit import AvatarSession
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.transport.grants import Signer

URL = os.environ.get("LIVEKIT_URL", "ws://127.0.0.1:7880")
KEY, SECRET = os.environ.get("LIVEKIT_API_KEY", "devkey"), os.environ.get("LIVEKIT_API_SECRET", "secret")


class EmbeddedVoice(tts.TTS[str]):
    """Mouthpiece's own voice, as livekit-agents wants one."""

    def __init__(self) -> None:
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=SAMPLE_RATE, num_channels=1)
        self.voice = EspeakVoice()

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """One utterance."""
        return _Utterance(tts=self, input_text=text, conn_options=conn_options)


class _Utterance(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, EmbeddedVoice)
        spoken = await self._tts.voice.speak(self.input_text)
        output_emitter.initialize(request_id="embedded", sample_rate=SAMPLE_RATE, num_channels=1, mime_type="audio/pcm")
        output_emitter.push(spoken.pcm.tobytes())
        output_emitter.flush()


async def converse(room: rtc.Room, session: AgentSession[Any]) -> None:
    """Greet."""
    await session.say("Hello. I am a face that lives in the same process as its agent.")


async def main(room_name: str = "hello") -> None:
    """Join, greet, and leave."""
    room, voice = rtc.Room(), EmbeddedVoice()
    token = Signer(KEY, SECRET).avatar(room_name, "agent", time.time(), 3600)
    await room.connect(URL, token, rtc.RoomOptions(auto_subscribe=False))
    somebody = asyncio.Event()

    def note(who: rtc.RemoteParticipant) -> None:
        if who.identity != avatar.avatar_identity:
            somebody.set()

    room.on("participant_connected", note)
    session: AgentSession[Any] = AgentSession(tts=voice)
    avatar = AvatarSession(face="mia")
    await avatar.start(session, room, url=URL, key=KEY, secret=SECRET)
    await session.start(Agent(instructions="greet"), room=room)
    try:
        if not [who for who in room.remote_participants if who != avatar.avatar_identity]:
            await somebody.wait()
        await converse(room, session)
    finally:
        await session.aclose()
        await avatar.aclose()
        await room.disconnect()
        await voice.voice.close()


if __name__ == "__main__":
    asyncio.run(main())
