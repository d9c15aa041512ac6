"""Callers for ``bench voice``: WebRTC peers with a fake microphone, who talk with an avatar and note when it answers.

Run as a process of its own (``python -m mouthpiece.bench.caller``), so that what calling costs is counted apart: a plan
goes in as JSON on standard input, what was heard and seen comes out as JSON. All times are of one monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal, cast

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.audio.frame import AudioFrame
from websockets.asyncio.client import ClientConnection, connect

from mouthpiece.bench.lips import LipReader, Unwatched
from mouthpiece.bench.utterances import NOTES
from mouthpiece.media import SAMPLE_RATE, TICK, Pcm
from mouthpiece.transport.microphone import MicrophoneBuffer

AUDIBLE: Final = 100
"""Largest sample of a packet that can be heard; the avatar's silence is exact zeros."""

PATIENCE_S: Final = 8.0
"""For the first sound of an answer."""
LISTEN_S: Final = 0.8
"""Of an answer are heard before it is interrupted."""
CALM_S: Final = 0.5
"""Without sound, and it is silent; between two words it is not."""
GAP_S: Final = 1.0
"""Between the end of an answer and the next question."""

Then = Literal["hear out", "button", "talk over"]


@dataclass(frozen=True, slots=True)
class Say:
    """Something to say: a file of raw PCM at 16 kHz, the sample where its speech ends, what is done with the answer."""

    path: str
    end: int
    then: Then = "hear out"


@dataclass(frozen=True, slots=True)
class Plan:
    """``callers`` talk with avatars of ``url``: each says everything once, or over and over for ``seconds``.

    ``lips``: look at the pictures too. ``echo_s``: no conversation, but a plain avatar session that is sent so many
    seconds of ``echo`` (raw PCM) after each thing said: what the avatar costs by itself.
    """

    url: str
    key: str
    says: tuple[Say, ...]
    callers: int = 1
    seconds: float = 0.0
    lips: bool = False
    echo: str = ""
    echo_s: float = 0.0
    face: str = "mia"


@dataclass(slots=True)
class Answer:
    """To one thing said, in seconds after the end of its speech; None: it did not come.

    ``sound``, ``mouth``: the first sound and the first open mouth of the answer. ``cut_in``: sound that came before
    that end, in seconds from the beginning. ``silent`` counts from the decision to be silent, ``silenced`` from the
    first word that talked over it. ``spoke_s``: how long the answer was, where it was heard to its end.
    """

    sound: float | None = None
    mouth: float | None = None
    cut_in: float | None = None
    silent: float | None = None
    silenced: float | None = None
    spoke_s: float = 0.0


@dataclass(slots=True)
class Outcome:
    """All callers' answers, and what the server said of its turns (seconds, by the names of ``agent.base.Turn``)."""

    answers: list[list[Answer]] = field(default_factory=list)
    turns: list[dict[str, float | None]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Microphone(MediaStreamTrack):
    """Says what it is told to, in real time, and is quiet otherwise."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._said: Pcm = np.zeros(0, np.int16)
        self._at = 0
        self._end = 0
        self._done: asyncio.Future[float] | None = None
        self._started: float | None = None
        self._frames = itertools.count()

    def say(self, pcm: Pcm, end: int) -> asyncio.Future[float]:
        """Begin at once. The future: when the sample ``end`` left."""
        self._said, self._at, self._end = pcm, 0, end
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        if self.readyState != "live":
            raise MediaStreamError
        k = next(self._frames)
        self._started = time.monotonic() if self._started is None else self._started
        await asyncio.sleep(self._started + (k + 1) * TICK / SAMPLE_RATE - time.monotonic())
        part = self._said[self._at : self._at + TICK]
        self._at += TICK
        if self._done is not None and not self._done.done() and self._at >= self._end:
            self._done.set_result(time.monotonic() - (self._at - self._end) / SAMPLE_RATE)
        frame = AudioFrame.from_ndarray(np.pad(part, (0, TICK - len(part)))[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, k * TICK, Fraction(1, SAMPLE_RATE)
        return frame


class Caller:
    """One peer: a microphone, ears, and a socket."""

    def __init__(self, plan: Plan) -> None:
        self.answers: list[Answer] = []
        self.turns: list[dict[str, float | None]] = []
        self.faults: list[str] = []
        self._plan = plan
        self._microphone = Microphone()
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._lips = LipReader() if plan.lips else None
        self._heard: list[float] = []  # when audible packets came
        self._decided: list[float] = []  # when the avatar stopped to speak before its time
        self._news = asyncio.Event()

    async def call(self, gate: asyncio.Barrier, delay_s: float) -> None:
        """Connect, wait for the others, talk."""
        path = "/compose/webrtc/p2p?session_token=" if self._plan.echo else "/auto/room?token="
        token = await (self._session_token() if self._plan.echo else self._room_token())
        address = f"{self._plan.url.replace('http', 'ws', 1)}{path}{token}"
        async with connect(address, max_size=None, compression=None) as socket:
            await self._negotiate(socket)
            reading = asyncio.create_task(self._read(socket))
            try:
                await gate.wait()
                await asyncio.sleep(delay_s)
                await self._talk(socket)
                await gate.wait()
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        await self._peer.close()

    # --- what it says ------------------------------------------------------------------------------------------------
    async def _talk(self, socket: ClientConnection) -> None:
        until = time.monotonic() + self._plan.seconds
        says = itertools.cycle(self._plan.says) if self._plan.seconds else iter(self._plan.says)
        for say in says:
            await self._say(say, socket)
            if self._plan.seconds and time.monotonic() >= until:
                return

    async def _say(self, say: Say, socket: ClientConnection) -> None:
        pcm = np.fromfile(say.path, "<i2")
        answer, over = Answer(), self._speaking
        self.answers.append(answer)
        began = time.monotonic()
        ended = await self._microphone.say(pcm, say.end)
        if over:
            self._note_silence(began, answer)
            if answer.silent is None:
                return  # nobody was interrupted: what is heard now is the old answer
        else:
            answer.cut_in = next((at - began for at in self._heard if began < at < ended), None)
        if self._plan.echo:
            await self._echo(socket)
        at = await self._first_after(ended)
        if at is None:
            return
        answer.sound = at - ended
        if say.then == "hear out":
            await self._calm()
            answer.spoke_s = self._heard[-1] - at
            self._see(answer, ended, at)
            await asyncio.sleep(GAP_S)
            return
        await asyncio.sleep(LISTEN_S)
        self._see(answer, ended, at)
        if say.then == "button":
            pressed = time.monotonic()
            await socket.send('{"type":"interrupt"}')
            await self._calm()
            answer.silent = max(0.0, self._heard[-1] - pressed)
            await asyncio.sleep(GAP_S)

    async def _echo(self, socket: ClientConnection) -> None:
        sound = np.fromfile(self._plan.echo, "<i2")[: round(self._plan.echo_s * SAMPLE_RATE)]
        await socket.send(sound.tobytes())

    def _note_silence(self, began: float, answer: Answer) -> None:
        """It was talked over from ``began`` on; the last sound before the user had ended was its last word."""
        decided = next((at for at in self._decided if at > began), None)
        last = max((at for at in self._heard if at < (decided or began) + 1.0), default=began)
        answer.silenced = last - began
        if decided is not None:
            answer.silent = max(0.0, last - decided)

    def _see(self, answer: Answer, ended: float, first: float) -> None:
        if self._lips is not None:
            opened = self._lips.opened(ended, first)
            answer.mouth = None if opened is None else opened - ended

    # --- what it hears -----------------------------------------------------------------------------------------------
    @property
    def _speaking(self) -> bool:
        return bool(self._heard) and time.monotonic() - self._heard[-1] < CALM_S

    async def _first_after(self, when: float) -> float | None:
        """The first sound since then, of an answer that had not begun before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    if self._heard and self._heard[-1] > when:
                        return next(at for at in self._heard if at > when)
                    self._news.clear()
                    await self._news.wait()
        return None

    async def _calm(self) -> None:
        while (left := self._heard[-1] + CALM_S - time.monotonic()) > 0:  # noqa: ASYNC110 -- it moves
            await asyncio.sleep(left + 0.001)

    def _hear(self, pcm: Pcm) -> None:
        if pcm.size and int(np.abs(pcm.astype(np.int32)).max()) >= AUDIBLE:
            self._heard.append(time.monotonic())
            self._news.set()

    # --- the line ----------------------------------------------------------------------------------------------------
    async def _negotiate(self, socket: ClientConnection) -> None:
        sound = self._peer.addTransceiver(self._microphone, direction="sendrecv")
        picture = self._peer.addTransceiver("video", direction="recvonly")
        cast(Any, sound.receiver)._RTCRtpReceiver__jitter_buffer = MicrophoneBuffer(self._hear)
        cast(Any, picture.receiver)._RTCRtpReceiver__jitter_buffer = self._lips or Unwatched()
        await self._peer.setLocalDescription(await self._peer.createOffer())
        await socket.send(json.dumps({"type": "offer", "sdp": self._peer.localDescription.sdp}))
        async for text in socket:
            if '"sdp"' in str(text):
                content = json.loads(text)
                await self._peer.setRemoteDescription(RTCSessionDescription(content["sdp"], "answer"))
                return
            if str(text).startswith(("ERROR", "RATE")):
                raise RuntimeError(text)

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            if not str(text).startswith("{"):
                continue
            content = json.loads(text)
            match content.pop("type", None):
                case "caption" if content["final"] and content["role"] == "assistant":
                    self._decided.append(time.monotonic())
                case "turn":
                    self.turns.append(content)
                case "fault":
                    self.faults.append(content["stage"])

    async def _room_token(self) -> str:
        body: dict[str, object] = {"faceId": self._plan.face, "systemPrompt": NOTES}
        answer = await self._post("/auto/start/configurable", body)
        return str(answer["roomUrl"]).partition("token=")[2]

    async def _session_token(self) -> str:
        return str((await self._post("/compose/token", {"faceId": self._plan.face}))["session_token"])

    async def _post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        async with httpx.AsyncClient(headers={"x-simli-api-key": self._plan.key}, timeout=60) as http:
            answer = await http.post(self._plan.url + path, json=body)
            answer.raise_for_status()
            return dict(answer.json())


async def _run(plan: Plan) -> Outcome:
    gate = asyncio.Barrier(plan.callers + 1)
    callers = [Caller(plan) for _ in range(plan.callers)]
    spread_s = 6.0 / plan.callers  # they do not all speak at the same time
    async with asyncio.TaskGroup() as group:
        for n, caller in enumerate(callers):
            group.create_task(caller.call(gate, n * spread_s))
        await gate.wait()
        print("measuring", flush=True)
        await gate.wait()
        print("measured", flush=True)
    turns = [turn for caller in callers for turn in caller.turns]
    return Outcome([caller.answers for caller in callers], turns, [f for c in callers for f in c.faults])


def main() -> None:
    """Read a plan, carry it out, print what was noted."""
    told = json.load(sys.stdin)
    plan = Plan(**{**told, "says": tuple(Say(**say) for say in told["says"])})
    print("outcome", json.dumps(asdict(asyncio.run(_run(plan)))), flush=True)


if __name__ == "__main__":
    main()
