"""Peer to peer with real aiortc viewers on loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import threading

import aioice.ice
import numpy as np
import pytest
from aiortc.rtp import RTCP_PSFB_FIR, RtcpPsfbPacket
from tests.support.peer import TIMEOUT, Seen, Viewer
from tests.support.viewing import Listening, Show, tone
from tests.transport import offers
from tests.transport.conftest import Meet

from mouthpiece.errors import InvalidOffer, Unavailable
from mouthpiece.media import EncodedPicture, EncodedSound
from mouthpiece.settings import MediaSettings, TransportSettings
from mouthpiece.transport.p2p import answer


def bright(seen: Seen) -> int:
    return int(np.median(seen.luma))


def pitch(pcm: np.ndarray[tuple[int], np.dtype[np.int16]], rate: int) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(pcm.size), 4 * pcm.size))
    return float(np.argmax(spectrum) * rate / (4 * pcm.size))


# --- media out -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("prefer", ["h264", "vp8"])
async def test_pictures_and_sound_arrive_with_their_own_times(viewer: Viewer, meet: Meet, prefer: str) -> None:
    peer, listening = await meet(viewer, media=MediaSettings(prefer=prefer))
    assert peer.video_codec == prefer
    assert peer.wants_sound
    async with Show(peer, listening):
        pictures = await viewer.pictures.take(12)
        sounds = await viewer.sounds.take(20)
    assert [p.seconds for p in pictures] == pytest.approx([n * 0.04 for n in range(len(pictures))])
    assert [s.seconds for s in sounds] == pytest.approx([n * 0.02 for n in range(len(sounds))])
    levels = [bright(p) for p in pictures]
    assert levels == sorted(levels)
    assert len(set(levels)) > 8
    assert pitch(np.concatenate([s.pcm for s in sounds[3:]]), 48_000) == pytest.approx(440, abs=5)
    assert (peer.sounds_dropped, peer.pictures_dropped) == (0, 0)


async def test_sound_alone(viewer: Viewer, meet: Meet) -> None:
    viewer.receive("audio")
    peer, listening = await meet(viewer)
    assert peer.video_codec is None
    async with Show(peer, listening):
        await viewer.sounds.take(10)
        peer.send_picture(EncodedPicture(b"nobody wants it", 0, key=True))
    assert viewer.pictures.items == []


async def test_pictures_alone(viewer: Viewer, meet: Meet) -> None:
    viewer.receive("video")
    peer, listening = await meet(viewer)
    assert not peer.wants_sound
    async with Show(peer, listening):
        await viewer.pictures.take(5)
    assert viewer.sounds.items == []


@pytest.mark.parametrize("first", ["video", "data"])
async def test_any_order_of_sections_connects(viewer: Viewer, meet: Meet, first: str) -> None:
    if first == "data":
        viewer.channel()
    viewer.receive("video")
    viewer.receive("audio", direction="sendrecv")
    peer, listening = await meet(viewer)
    async with Show(peer, listening):
        await viewer.pictures.take(3)
        await viewer.sounds.take(3)


async def test_a_stale_start_of_the_media_clock_is_no_matter(viewer: Viewer, meet: Meet) -> None:
    """Times count from where the session is, here an hour in: RTP's 32 bits wrap in between."""
    peer, listening = await meet(viewer)
    async with Show(peer, listening, start=16_000 * 60 * 60 * 14):
        pictures = await viewer.pictures.take(5)
    assert [p.seconds for p in pictures] == pytest.approx([n * 0.04 for n in range(len(pictures))])


async def test_sends_outside_the_connection_are_ignored(viewer: Viewer) -> None:
    listening = Listening()
    peer, _ = await answer(await viewer.offer(), listening, TransportSettings(), host="127.0.0.1")
    for _ in range(2):
        for n in range(100):
            peer.send_sound(EncodedSound(b"\xf8\xff\xfe", n * 320))
            peer.send_picture(EncodedPicture(b"\0\0\0\1\x67", n * 320, key=True))
        await peer.close()
    assert (peer.sounds_dropped, peer.pictures_dropped) == (0, 0)
    assert listening.lost.items == []


# --- what the receiver says ----------------------------------------------------------------------------------------
async def test_pli_and_fir_ask_the_listener_for_a_key_frame(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer)
    video = next(t.receiver for t in viewer.pc.getTransceivers() if t.kind == "video")
    ssrc = int(re.findall(r"a=ssrc:(\d+) cname", viewer.pc.remoteDescription.sdp.partition("m=video")[2])[0])
    async with Show(peer, listening) as show:
        await viewer.pictures.take(3)
        before = show.keys
        await video._send_rtcp_pli(ssrc)
        await listening.keys.take(1)
        await video._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=1, media_ssrc=ssrc, fci=bytes(8)))
        await listening.keys.take(2)
        seen = len(viewer.pictures.items)
        await viewer.pictures.take(seen + 5)
        assert show.keys > before


async def test_the_bitrate_follows_the_receiver(viewer: Viewer, meet: Meet) -> None:
    media = MediaSettings(bitrate=300_000, min_bitrate=200_000, max_bitrate=400_000)
    peer, listening = await meet(viewer, media=media)
    async with Show(peer, listening):
        rates = await listening.rates.take(2)
    assert all(200_000 <= rate <= 400_000 for rate in rates)


async def test_overflow_drops_counts_and_asks_for_a_key_frame(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer)
    for n in range(13):  # no turn of the loop in between: nobody can take them
        peer.send_picture(EncodedPicture(b"\0\0\0\1\x65", n * 640, key=n == 0))
    assert peer.pictures_dropped == 13
    assert len(listening.keys.items) == 1
    peer.send_picture(EncodedPicture(b"\0\0\0\1\x41", 13 * 640, key=False))
    assert peer.pictures_dropped == 14, "a picture that cannot be decoded is held back"
    async with Show(peer, listening, start=14 * 640):
        await viewer.pictures.take(3)
    assert peer.pictures_dropped == 14


# --- what comes in -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("own_section", [False, True])
async def test_the_microphone_arrives_at_16_khz(viewer: Viewer, meet: Meet, own_section: bool) -> None:
    if own_section:
        viewer.receive("audio")
    viewer.receive("video")
    if own_section:
        viewer.pc.addTransceiver("audio", direction="recvonly")
    viewer.talk(tone(1.0, hertz=700))
    peer, listening = await meet(viewer)
    chunks = await listening.voice.until(lambda parts: sum(p.size for p in parts) >= 8_000)
    voice = np.concatenate(chunks)
    assert voice.dtype == np.int16
    assert pitch(voice[3_000:], 16_000) == pytest.approx(700, abs=10)
    assert np.abs(voice[3_000:]).max() > 5_000
    await peer.close()


async def test_messages_are_answered_on_their_own_channel(viewer: Viewer, meet: Meet) -> None:
    channel = viewer.channel("chat")
    opened = asyncio.Event()
    channel.on("open", opened.set)
    viewer.receive("audio")
    _, listening = await meet(viewer)
    await asyncio.wait_for(opened.wait(), TIMEOUT)
    channel.send("ping 1")
    channel.send(b"\1\2\3")
    assert await viewer.messages.take(2) == ["heard 'ping 1'", r"heard b'\x01\x02\x03'"]
    assert listening.messages.items == ["ping 1", b"\1\2\3"]


async def test_a_channel_alone_is_enough(viewer: Viewer, meet: Meet) -> None:
    channel = viewer.channel()
    peer, _ = await meet(viewer)
    assert (peer.video_codec, peer.wants_sound) == (None, False)
    opened = asyncio.Event()
    channel.on("open", opened.set)
    if channel.readyState != "open":
        await asyncio.wait_for(opened.wait(), TIMEOUT)
    channel.send("hello")
    assert await viewer.messages.take(1) == ["heard 'hello'"]


async def test_a_reply_after_the_end_is_dropped_and_counted(viewer: Viewer) -> None:
    replies = []

    class Keeping(Listening):
        def on_message(self, message: str | bytes, reply: object) -> None:
            replies.append(reply)
            super().on_message(message, lambda _: None)

    listening = Keeping()
    channel = viewer.channel()
    channel.on("open", lambda: channel.send("hello"))
    peer, sdp = await answer(await viewer.offer(), listening, TransportSettings(), host="127.0.0.1")
    await viewer.accept(sdp)
    await listening.messages.take(1)
    await peer.close()
    replies[0]("too late")  # type: ignore[operator]
    assert peer.replies_dropped == 1


# --- ICE -----------------------------------------------------------------------------------------------------------
def without_candidates(sdp: str) -> str:
    kept = [line for line in sdp.splitlines() if not re.match("a=(candidate|end-of-candidates)", line)]
    return "\r\n".join([*kept, ""])


@pytest.mark.parametrize("end_mark", [False, True])
async def test_an_offer_without_candidates_connects(viewer: Viewer, end_mark: bool) -> None:
    listening = Listening()
    offer = without_candidates(await viewer.offer())
    if end_mark:
        offer = offer.replace("a=mid:0", "a=end-of-candidates\r\na=mid:0")
    peer, sdp = await answer(offer, listening, TransportSettings(), host="127.0.0.1")
    await viewer.accept(sdp)
    async with Show(peer, listening):
        await viewer.pictures.take(2)
    await peer.close()


async def test_candidates_may_trickle_in_later(viewer: Viewer) -> None:
    listening = Listening()
    offer = await viewer.offer()
    lines = re.findall(r"a=(candidate:.*127\.0\.0\.1.*)", offer)
    peer, sdp = await answer(without_candidates(offer), listening, TransportSettings(), host="127.0.0.1")
    assert await peer.add_candidate(lines[0], mid="1")
    assert await peer.add_candidate("candidate:1 1 udp 5 192.0.2.7 5000 typ host", index=0)
    assert not await peer.add_candidate("", mid="0")
    assert not await peer.add_candidate(lines[0], mid="nobody")
    assert not await peer.add_candidate(lines[0])
    assert not await peer.add_candidate(lines[0], index=7)
    assert not await peer.add_candidate("candidate:1 1 udp 5 224.0.0.1 5000 typ host", mid="0")
    assert not await peer.add_candidate("nonsense", mid="0")
    assert {c.ip for c in peer._transport("0").getRemoteCandidates()} == {"127.0.0.1", "192.0.2.7"}
    await viewer.accept(sdp)
    await viewer.connected()
    await peer.close()
    assert not await peer.add_candidate(lines[0], mid="0")


async def test_trickled_candidates_are_bounded(viewer: Viewer) -> None:
    offer = without_candidates(await viewer.offer())
    peer, _ = await answer(offer, Listening(), TransportSettings(), host="127.0.0.1")
    taken = [await peer.add_candidate(f"candidate:1 1 udp 5 192.0.2.1 {5000 + n} typ host", mid="0") for n in range(40)]
    assert taken == [True] * 32 + [False] * 8
    await peer.close()


def advertised(sdp: str) -> set[tuple[str, int]]:
    return {(host, int(port)) for host, port in re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", sdp)}


async def test_media_stays_in_the_port_range_until_it_is_used_up() -> None:
    first = 20_000 + os.getpid() % 4_000 * 3  # below the range of free ports, and another for each test process
    ports = (first, first + 2)
    settings = TransportSettings(udp_ports=ports, public_ip="127.0.0.1")
    peers = []
    for _ in range(3):
        peer, sdp = await answer(offers.offer(offers.audio()), Listening(), settings)
        peers.append(peer)
        assert all(ports[0] <= port <= ports[1] for _, port in advertised(sdp))
    with pytest.raises(Unavailable, match="no UDP port"):
        await answer(offers.offer(offers.audio()), Listening(), settings)
    await peers[0].close()
    again, _ = await answer(offers.offer(offers.audio()), Listening(), settings)
    for peer in (again, *peers):
        await peer.close()


async def test_a_public_address_behind_nat_stands_in_for_our_own() -> None:
    settings = TransportSettings(public_ip="203.0.113.5")
    peer, sdp = await answer(offers.offer(offers.audio()), Listening(), settings)
    assert {host for host, _ in advertised(sdp)} == {"203.0.113.5"}
    assert "c=IN IP4 203.0.113.5" in sdp
    await peer.close()


async def test_bound_to_loopback_only_loopback_is_offered() -> None:
    peer, sdp = await answer(offers.offer(offers.audio()), Listening(), TransportSettings(), host="localhost")
    assert {host for host, _ in advertised(sdp)} <= {"127.0.0.1", "::1"}
    await peer.close()


async def test_ipv6_alone_connects() -> None:
    async with Viewer(host="::1") as viewer:
        listening = Listening()
        offer = await viewer.offer()
        peer, sdp = await answer(offer, listening, TransportSettings(public_ip="::1"))
        if not advertised(sdp):
            pytest.skip("this machine has no IPv6 loopback")
        assert {host for host, _ in advertised(sdp)} == {"::1"}
        await viewer.accept(sdp)
        async with Show(peer, listening):
            await viewer.pictures.take(2)
        await peer.close()


# --- ends ----------------------------------------------------------------------------------------------------------
async def test_a_second_close_is_as_good_as_one(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer)
    await asyncio.gather(peer.close(), peer.close())
    await peer.close()
    await viewer.disconnected()
    assert listening.lost.items == []


async def test_a_peer_that_never_connects_is_lost_once(viewer: Viewer) -> None:
    listening = Listening()
    peer, _ = await answer(await viewer.offer(), listening, TransportSettings(connect_timeout_s=0.2), host="127.0.0.1")
    assert await listening.lost.take(1) == ["not connected within 0.2 s"]
    await peer.close()
    assert len(listening.lost.items) == 1


async def test_a_viewer_that_leaves_is_lost_at_once(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer)
    await viewer.close()
    assert await listening.lost.take(1) == ["the connection was closed"]
    await peer.close()


async def test_a_viewer_that_vanishes_is_lost_for_its_silence(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer, settings=TransportSettings(silence_timeout_s=2.0))
    async with Show(peer, listening):
        await viewer.pictures.take(2)
        viewer.vanish()
        assert await listening.lost.take(1) == ["no report from the receiver for 2 s"]
    await peer.close()


async def test_a_viewer_that_reports_stays(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer, settings=TransportSettings(silence_timeout_s=2.0))
    async with Show(peer, listening):
        await viewer.sounds.until(lambda sounds: sounds[-1:] != [] and sounds[-1].seconds > 2.6)
    assert listening.lost.items == []


async def test_without_media_ice_notices_a_dead_path(
    viewer: Viewer, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.05)
    viewer.channel()
    peer, listening = await meet(viewer, settings=TransportSettings(silence_timeout_s=0.2))
    viewer.vanish()
    assert await listening.lost.take(1) == ["the connection was closed"]
    await peer.close()


async def test_an_offer_that_fails_leaves_nothing_behind() -> None:
    bad = offers.offer(offers.audio()).replace("minptime=10", "minptime=ten")
    with pytest.raises(InvalidOffer):
        await answer(bad, Listening(), TransportSettings(), host="127.0.0.1")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(InvalidOffer):
            await answer(bad, Listening(), TransportSettings(), host="127.0.0.1")
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(asyncio.all_tasks()) == 1


async def test_cycles_leave_no_tasks_threads_or_sockets() -> None:
    async def cycle(*, early: bool) -> None:
        async with Viewer() as viewer:
            viewer.receive("audio", direction="sendrecv")
            viewer.receive("video")
            viewer.channel()
            listening = Listening()
            peer, sdp = await answer(await viewer.offer(), listening, TransportSettings(), host="127.0.0.1")
            await viewer.accept(sdp)
            if not early:
                async with Show(peer, listening):
                    await viewer.pictures.take(1)
            await peer.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # the viewer's own, which end with its last timer
            await asyncio.wait(others, timeout=TIMEOUT)

    def standing() -> tuple[int, int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), threading.active_count()

    await cycle(early=False)
    before = standing()
    for n in range(12):
        await cycle(early=n % 3 == 2)
    assert standing() == before
