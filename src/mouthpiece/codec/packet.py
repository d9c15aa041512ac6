"""Encoded bytes as the packets that WebRTC senders take."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, TypeAlias

from av.packet import Packet
from av.stream import Stream

from mouthpiece.media import EncodedPicture, EncodedSound, audio_pts, video_pts

RtpPayload: TypeAlias = "Packet[Stream]"
SOUND_CLOCK: Final = Fraction(1, 48_000)
PICTURE_CLOCK: Final = Fraction(1, 90_000)


def sound_packet(sound: EncodedSound) -> RtpPayload:
    """A packet on Opus's 48 kHz clock (RFC 7587)."""
    packet: RtpPayload = Packet(sound.data)
    packet.pts = audio_pts(sound.sample)
    packet.time_base = SOUND_CLOCK
    return packet


def picture_packet(picture: EncodedPicture) -> RtpPayload:
    """A packet on the 90 kHz clock of RTP video (RFC 3551)."""
    packet: RtpPayload = Packet(picture.data)
    packet.pts = video_pts(picture.sample)
    packet.time_base = PICTURE_CLOCK
    return packet
