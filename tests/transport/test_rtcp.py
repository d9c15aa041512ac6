"""Reports in both directions, and every private name of aiortc and aioice that the transport stands on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import pytest
from aioice.ice import Connection, StunProtocol
from aiortc import RTCIceGatherer, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket, RtpPacket
from tests.support.peer import Inbox, Viewer
from tests.support.viewing import Show
from tests.transport.conftest import Meet

from mouthpiece.media import SAMPLE_RATE
from mouthpiece.transport.rtcp import MediaLine, replace


class Reports:
    """A viewer's receiver, watched: the first RTP timestamp, and each sender report."""

    def __init__(self, receiver: RTCRtpReceiver, rate: int) -> None:
        self._rate = rate
        self._first: int | None = None
        self.lines: Inbox[float] = Inbox()
        """Of each report: NTP time less media time, in seconds. One clock for all streams: equal for all reports."""
        self._rtp, self._rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet
        replace(receiver, "_handle_rtp_packet", self._packet)
        replace(receiver, "_handle_rtcp_packet", self._report)

    async def _packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self._first = packet.timestamp if self._first is None else self._first
        await self._rtp(packet, arrival_time_ms)

    async def _report(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket) and self._first is not None:
            media = ((packet.sender_info.rtp_timestamp - self._first) & 0xFFFFFFFF) / self._rate
            self.lines.add(packet.sender_info.ntp_timestamp / (1 << 32) - media)
        await self._rtcp(packet)


async def test_sound_and_pictures_report_one_clock_however_late_they_leave(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer)
    by_kind = {t.kind: t.receiver for t in viewer.pc.getTransceivers()}
    sound, pictures = Reports(by_kind["audio"], 48_000), Reports(by_kind["video"], 90_000)
    async with Show(peer, listening, late_ticks=8):
        await sound.lines.take(2)
        await pictures.lines.take(2)
    lines = sound.lines.items + pictures.lines.items
    assert max(lines) - min(lines) < 0.001
    assert listening.lost.items == []


async def test_the_round_trip_is_still_measured(viewer: Viewer, meet: Meet) -> None:
    peer, listening = await meet(viewer)
    trips: Inbox[float] = Inbox()
    sender = next(s for s in peer._pc.getSenders() if s.kind == "audio")
    inner: Callable[[AnyRtcpPacket], Awaitable[None]] = sender._handle_rtcp_packet

    async def handle(packet: AnyRtcpPacket) -> None:
        await inner(packet)
        for stats in (await sender.getStats()).values():
            if getattr(stats, "roundTripTime", None) is not None:
                trips.add(stats.roundTripTime)

    replace(sender, "_handle_rtcp_packet", handle)
    async with Show(peer, listening):
        first = (await trips.take(1))[0]
    assert -0.01 < first < 1.0


def test_the_media_line_goes_through_its_first_packet() -> None:
    now = [100.0]
    line = MediaLine(now=lambda: now[0])
    assert line.present() is None
    line.start(32_000)
    start = line.present()
    now[0] += 2.5
    line.start(99)
    later = line.present()
    assert start is not None
    assert later is not None
    assert start[1] == 32_000
    assert later[1] == 32_000 + 2.5 * SAMPLE_RATE
    assert (later[0] - start[0]) / (1 << 32) == pytest.approx(2.5)


# --- private names: when one of these fails, the library has changed, and what uses the name must be looked at -------
@pytest.fixture
async def sender() -> RTCRtpSender:
    return RTCPeerConnection().addTransceiver("video").sender


def test_aiortc_sender_has_send_keyframe(sender: RTCRtpSender) -> None:
    assert callable(sender._send_keyframe)


def test_aiortc_sender_has_handle_rtcp_packet(sender: RTCRtpSender) -> None:
    assert asyncio.iscoroutinefunction(sender._handle_rtcp_packet)


def test_aiortc_sender_has_send_rtcp(sender: RTCRtpSender) -> None:
    assert asyncio.iscoroutinefunction(sender._send_rtcp)


def test_aiortc_sender_has_ssrc(sender: RTCRtpSender) -> None:
    assert isinstance(sender._ssrc, int)


def test_aiortc_sender_has_rtp_timestamp(sender: RTCRtpSender) -> None:
    assert sender._RTCRtpSender__rtp_timestamp == 0  # type: ignore[attr-defined]


def test_aiortc_sender_has_lsr(sender: RTCRtpSender) -> None:
    assert sender._RTCRtpSender__lsr is None  # type: ignore[attr-defined]


async def test_aiortc_receiver_has_a_jitter_buffer_that_is_given_every_packet() -> None:
    receiver = RTCPeerConnection().addTransceiver("audio").receiver
    assert inspect.signature(receiver._RTCRtpReceiver__jitter_buffer.add).parameters.keys() == {"packet"}  # type: ignore[attr-defined]


async def test_aiortc_gatherer_has_connection() -> None:
    assert isinstance(RTCIceGatherer(iceServers=[])._connection, Connection)


async def test_aiortc_transport_start_may_be_replaced() -> None:
    transceiver = RTCPeerConnection().addTransceiver("video")
    assert asyncio.iscoroutinefunction(transceiver.receiver.transport.transport.start)


async def test_aioice_connection_gathers_through_get_component_candidates() -> None:
    connection = Connection(ice_controlling=False)
    asked = []

    async def gather(component: int, addresses: list[str], timeout: int = 5) -> list[object]:
        asked.append(component)
        return []

    replace(connection, "get_component_candidates", gather)
    await connection.gather_candidates()
    assert asked == [1]
    await connection.close()


async def test_aioice_connection_has_protocols() -> None:
    assert Connection(ice_controlling=False)._protocols == []


async def test_aioice_protocol_takes_a_local_candidate() -> None:
    assert "local_candidate" in StunProtocol.__annotations__


def test_a_name_that_is_gone_is_not_set_in_vain() -> None:
    with pytest.raises(AttributeError, match="no _nothing_like_it"):
        replace(object(), "_nothing_like_it", 1)
