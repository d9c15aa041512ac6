"""Visemes beside the video: told to those who open the channel, and to nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest_asyncio
from aiortc import RTCPeerConnection, RTCSessionDescription
from tests.support.studio import TinyFace, TinyLedger, TinySound

from mouthpiece.errors import InvalidFace
from mouthpiece.lipsync import open_lipsync
from mouthpiece.lipsync.visemes import VISEMES
from mouthpiece.live.base import SessionSpec
from mouthpiece.live.stage import Stage
from mouthpiece.live.studio import Studio
from mouthpiece.live.visemes import CHANNEL, VisemeStream
from mouthpiece.media import MOUTH_SHAPES, REST, Look, MouthPose
from mouthpiece.providers.espeak import EspeakVoice
from mouthpiece.session.events import Frame
from mouthpiece.settings import LimitSettings, MediaSettings, TransportSettings
from mouthpiece.transport.base import DirectPeer, PeerListener
from mouthpiece.transport.p2p import answer

LOOK = Look("mia")


def frame(n: int, pose: MouthPose, visemes: tuple[float, ...] | None = None) -> Frame:
    return Frame(n, n * 640, pose, LOOK, resting=pose == REST, visemes=visemes)


def test_every_picture_of_a_moving_mouth_is_told_and_a_mouth_at_rest_once() -> None:
    stream, heard = VisemeStream(), list[str]()
    stream.tell(frame(0, MouthPose(jaw_open=0.5)))
    stream.add(heard.append, 25)
    weights = tuple(float(i == 10) for i in range(15))
    for picture in (frame(1, REST), frame(2, REST), frame(3, MouthPose(jaw_open=0.5), weights), frame(4, REST)):
        stream.tell(picture)
    first, *told = map(json.loads, heard)
    assert first == {"fps": 25, "visemes": list(VISEMES), "shapes": list(MOUTH_SHAPES)}
    assert [t["frame"] for t in told] == [1, 3, 4]
    assert told[1]["visemes"][10] == 1.0
    assert told[1]["lip_gap"] == 6.0
    assert told[1]["time"] == 0.12
    assert told[2]["visemes"][0] == 1.0
    assert told[2]["shapes"] == [0.0] * 14


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async def answer_here(offer: str, listener: PeerListener) -> tuple[DirectPeer, str]:
        return await answer(offer, listener, TransportSettings(), host="127.0.0.1")

    def no_video(*_: object) -> object:
        raise InvalidFace(face_id="nobody asked for pictures")

    studio = Studio(lambda _: TinyFace(), open_lipsync, no_video, TinySound, answer_here, TinyLedger())  # type: ignore[arg-type]
    stage = Stage(studio, MediaSettings(), LimitSettings())
    await stage.start()
    yield stage
    await stage.close()


async def _viewer(stage: Stage, labels: list[str]) -> tuple[RTCPeerConnection, list[tuple[str, str]], asyncio.Event]:
    """A peer that opened channels of these names; what it hears there, and an event when the mouth is shut again."""
    peer, heard, rested = RTCPeerConnection(), list[tuple[str, str]](), asyncio.Event()
    peer.addTransceiver("audio", direction="recvonly")
    for label in labels:
        channel = peer.createDataChannel(label)

        def note(text: str, label: str = label) -> None:
            heard.append((label, text))
            spoken = any('"sil"' not in t and json.loads(t).get("lip_gap", 0) > 1 for _, t in heard)
            if spoken and not any(json.loads(text).get("shapes", [1])):
                rested.set()

        channel.on("message", note)
    await peer.setLocalDescription(await peer.createOffer())
    return peer, heard, rested


async def test_a_client_that_opens_the_channel_is_told_what_the_mouth_does(stage: Stage) -> None:
    voice = EspeakVoice()
    speech = await voice.speak("Papa.")
    await voice.close()
    peer, heard, rested = await _viewer(stage, [CHANNEL, "chat"])
    try:
        session = await stage.open(SessionSpec("s", "acc", "t", LOOK))
        sdp = await session.answer(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        session.push_audio(speech.pcm.tobytes() + bytes(16_000), speech.script)
        await asyncio.wait_for(rested.wait(), 20)
    finally:
        await peer.close()
    assert {label for label, _ in heard} == {CHANNEL}
    names, *told = (json.loads(text) for _, text in heard)
    assert names["visemes"] == list(VISEMES)
    numbers = [t["frame"] for t in told]
    assert numbers == sorted(set(numbers))
    strongest = [VISEMES[int(np.argmax(t["visemes"]))] for t in told]
    assert {"PP", "aa"} <= set(strongest)
    shut = [t["lip_gap"] for t, viseme in zip(told, strongest, strict=True) if viseme == "PP"]
    assert min(shut) == 0.0
