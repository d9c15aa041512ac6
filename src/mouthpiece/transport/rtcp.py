"""What the receiver reports and what we report to it: RTCP around the WebRTC library's senders.

The library reports the time at which a packet happened to be sent, so any lateness of one stream shifts lips against
sound. Here both streams report one line, media sample against wall clock, drawn once when the first packet leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiortc import RTCRtpSender, clock
from aiortc.rtp import (
    RTCP_PSFB_APP,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)

from mouthpiece.media import SAMPLE_RATE

_NTP_SECOND: Final = 1 << 32
_RTP_TIMESTAMP: Final = "_RTCRtpSender__rtp_timestamp"
_LAST_SR: Final = "_RTCRtpSender__lsr"


class Feedback(Protocol):
    """Who hears what the receiver says."""

    def heard(self) -> None:
        """Any RTCP about our stream."""

    def keyframe_wanted(self) -> None:
        """PLI (RFC 4585 section 6.3.1) or FIR (RFC 5104 section 4.3.1)."""

    def estimated(self, bits_per_second: int) -> None:
        """REMB."""

    def lost(self, fraction: float) -> None:
        """Fraction of packets lost since the last report, 0..1."""


@dataclass(slots=True)
class MediaLine:
    """Media time against wall clock for all streams of one peer: a line through one origin, immune to clock steps."""

    now: Callable[[], float] = time.monotonic
    _started: float | None = None
    _sample: int = 0
    _ntp: int = 0

    def start(self, sample: int) -> None:
        """The first packet of any stream, at ``sample``, leaves now. Later calls change nothing."""
        if self._started is None:
            self._started, self._sample, self._ntp = self.now(), sample, clock.current_ntp_time()

    def present(self) -> tuple[int, float] | None:
        """The NTP time (RFC 3550 section 4) and the media time in samples of this moment; None before the start."""
        if self._started is None:
            return None
        elapsed = self.now() - self._started
        return self._ntp + round(elapsed * _NTP_SECOND), self._sample + elapsed * SAMPLE_RATE


class SentPts(Protocol):
    """What a track knows of its last packet."""

    @property
    def sent_pts(self) -> int | None:
        """RTP timestamp, less the random origin, of the packet that left last; None before the first."""
        ...


def listen(sender: RTCRtpSender, feedback: Feedback) -> None:
    """Tell ``feedback`` everything that the receiver says about this sender's stream."""
    inner = sender._handle_rtcp_packet

    async def handle(packet: AnyRtcpPacket) -> None:
        feedback.heard()
        _understand(packet, sender._ssrc, feedback)
        await inner(packet)

    replace(sender, "_handle_rtcp_packet", handle)
    replace(sender, "_send_keyframe", feedback.keyframe_wanted)


def _understand(packet: AnyRtcpPacket, ssrc: int, feedback: Feedback) -> None:
    if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
        for report in packet.reports:
            if report.ssrc == ssrc:
                feedback.lost(report.fraction_lost / 256)
    elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
        try:
            bits_per_second, ssrcs = unpack_remb_fci(packet.fci)
        except ValueError:
            return
        if ssrc in ssrcs:
            feedback.estimated(bits_per_second)


def report_on_one_clock(sender: RTCRtpSender, track: SentPts, line: MediaLine, rate: int) -> None:
    """Make a sender's reports say where ``line`` is now, on this stream's RTP clock of ``rate`` ticks a second.

    A stream that has sent nothing yet sends no report: the library would report zeros. The round-trip time keeps
    working, because the library compares what comes back with the report that really left.
    """
    inner = sender._send_rtcp

    async def send(packets: list[AnyRtcpPacket]) -> None:
        if packets and isinstance(packets[0], RtcpSrPacket):
            info = _sender_info(sender, track, line, rate)
            if info is None:
                return
            before = packets[0].sender_info
            info.packet_count, info.octet_count = before.packet_count, before.octet_count
            packets[0].sender_info = info
            replace(sender, _LAST_SR, (info.ntp_timestamp >> 16) & 0xFFFFFFFF)
        await inner(packets)

    replace(sender, "_send_rtcp", send)


def _sender_info(sender: RTCRtpSender, track: SentPts, line: MediaLine, rate: int) -> RtcpSenderInfo | None:
    present, pts = line.present(), track.sent_pts
    if present is None or pts is None:
        return None
    ntp, sample = present
    origin = int(getattr(sender, _RTP_TIMESTAMP)) - pts
    rtp = (origin + round(sample * rate / SAMPLE_RATE)) & 0xFFFFFFFF
    return RtcpSenderInfo(ntp_timestamp=ntp, rtp_timestamp=rtp, packet_count=0, octet_count=0)


def replace(owner: object, name: str, value: Any) -> None:  # noqa: ANN401 - any attribute of the library's objects
    """Set an attribute that the library does not mean to be set; refuses names that it does not have any more."""
    if not hasattr(owner, name):
        raise AttributeError(f"{type(owner).__name__} has no {name}: this aiortc is not the one it was written for")
    setattr(owner, name, value)
