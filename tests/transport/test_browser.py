"""A real Chromium as the viewer."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright
from tests.support.browser import FLAGS, chromium
from tests.support.viewing import Listening, Show

from mouthpiece.settings import MediaSettings, TransportSettings
from mouthpiece.transport.p2p import P2PPeer, answer

pytestmark = pytest.mark.browser

VIEWER = """
async (microphone) => {
  const pc = window.pc = new RTCPeerConnection();
  window.pictures = [];
  window.heard = [];
  pc.ontrack = ({track}) => {
    const media = document.createElement(track.kind);
    media.srcObject = new MediaStream([track]);
    media.autoplay = true;
    document.body.append(media);
    if (track.kind !== "video") return;
    const canvas = new OffscreenCanvas(16, 16), pen = canvas.getContext("2d", {willReadFrequently: true});
    const seen = (now, frame) => {
      pen.drawImage(media, 0, 0, 16, 16);
      window.pictures.push([frame.rtpTimestamp, pen.getImageData(8, 8, 1, 1).data[1]]);
      media.requestVideoFrameCallback(seen);
    };
    media.requestVideoFrameCallback(seen);
  };
  if (microphone) {
    const sound = new AudioContext(), tone = sound.createOscillator(), out = sound.createMediaStreamDestination();
    tone.frequency.value = 700;
    tone.connect(out);
    tone.start();
    pc.addTransceiver(out.stream.getTracks()[0], {direction: "sendrecv"});
  } else {
    pc.addTransceiver("audio", {direction: "recvonly"});
  }
  pc.addTransceiver("video", {direction: "recvonly"});
  const channel = pc.createDataChannel("chat");
  channel.onopen = () => channel.send("hello");
  channel.onmessage = ({data}) => window.heard.push(data);
  await pc.setLocalDescription(await pc.createOffer());
  return pc.localDescription.sdp;
}
"""
STATS = """
async () => {
  const all = [...(await pc.getStats()).values()].filter((s) => s.type === "inbound-rtp" || s.type === "codec");
  const of = (kind) => all.find((s) => s.type === "inbound-rtp" && s.kind === kind);
  const video = of("video"), audio = of("audio");
  return {
    decoded: video.framesDecoded, keys: video.keyFramesDecoded, width: video.frameWidth, lost: video.packetsLost,
    codec: all.find((s) => s.id === video.codecId).mimeType, energy: audio.totalAudioEnergy,
    skew: video.estimatedPlayoutTimestamp - audio.estimatedPlayoutTimestamp, plis: video.pliCount,
  };
}
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    program = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield await browser.new_page()
        await browser.close()


async def connect(page: Page, media: MediaSettings, *, microphone: bool = False) -> tuple[P2PPeer, Listening]:
    """The browser has gathered nothing yet when it sends its offer."""
    listening = Listening()
    offer = await page.evaluate(VIEWER, microphone)
    peer, sdp = await answer(offer, listening, TransportSettings(), media=media, host="127.0.0.1")
    await page.evaluate("(sdp) => pc.setRemoteDescription({type: 'answer', sdp})", sdp)
    return peer, listening


@pytest.mark.parametrize("prefer", ["h264", "vp8"])
async def test_chromium_shows_every_picture_and_hears_the_tone(page: Page, prefer: str) -> None:
    peer, listening = await connect(page, MediaSettings(prefer=prefer))
    async with Show(peer, listening):
        await page.wait_for_function("window.pictures.length >= 30")
        pictures = await page.evaluate("window.pictures.slice(0, 30)")
        await page.wait_for_function("window.heard.length >= 1")
        stats = await page.evaluate(STATS)
    levels = [green for _, green in pictures]
    assert levels == sorted(levels)
    assert levels[-1] - levels[0] > 50
    steps = {(later - earlier) % 2**32 for (earlier, _), (later, _) in itertools.pairwise(pictures)}
    assert min(steps) == 3600
    assert all(step % 3600 == 0 for step in steps)
    assert stats["codec"] == {"h264": "video/H264", "vp8": "video/VP8"}[prefer]
    assert stats["width"] == 128
    assert stats["decoded"] >= 30
    assert stats["energy"] > 0
    assert stats["lost"] == 0
    assert await page.evaluate("window.heard") == ["heard 'hello'"]
    await peer.close()


async def test_chromiums_voice_arrives(page: Page) -> None:
    peer, listening = await connect(page, MediaSettings(), microphone=True)
    voice = np.concatenate(await listening.voice.until(lambda parts: sum(p.size for p in parts) >= 16_000))
    spectrum = np.abs(np.fft.rfft(voice[6_000:] * np.hanning(voice.size - 6_000)))
    assert np.argmax(spectrum) * 16_000 / (voice.size - 6_000) == pytest.approx(700, abs=10)
    await peer.close()


async def test_chromium_that_leaves_is_lost(page: Page) -> None:
    peer, listening = await connect(page, MediaSettings())
    async with Show(peer, listening):
        await page.wait_for_function("window.pictures.length >= 2")
    await page.evaluate("pc.close()")
    assert await listening.lost.take(1) == ["the connection was closed"]
    await peer.close()
