"""A viewer over WebRTC, peer to peer: an offer answered, packets out, voice and messages in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError
from aiortc.rtcicetransport import RTCIceParameters, RTCIceTransport
from aiortc.sdp import candidate_from_sdp

from mouthpiece.codec.packet import picture_packet, sound_packet
from mouthpiece.errors import InvalidOffer
from mouthpiece.media import SAMPLE_RATE, EncodedPicture, EncodedSound, Pcm
from mouthpiece.settings import MediaSettings, TransportSettings
from mouthpiece.transport import ice, rtcp
from mouthpiece.transport.base import PeerListener, VideoCodec
from mouthpiece.transport.bitrate import BitrateRule
from mouthpiece.transport.candidates import MAX_CANDIDATES, usable_candidates
from mouthpiece.transport.microphone import MicrophoneBuffer, Mirror
from mouthpiece.transport.sdp import Offer, finish_answer, read_offer
from mouthpiece.transport.tracks import PICTURE_QUEUE, SOUND_QUEUE, PacketTrack
from mouthpiece.transport.watch import Watch

REPLY_BUFFER: Final = 1 << 20
"""Bytes of unread replies on a data channel; more are dropped, because nobody reads them."""
JITTER_BUFFER: Final = "_RTCRtpReceiver__jitter_buffer"
CLOSE_S: Final = 2.0
ANY: Final = "0.0.0.0"  # noqa: S104 - a name for "every address", to compare with
SOUND_CLOCK: Final = 48_000
PICTURE_CLOCK: Final = 90_000


async def answer(
    offer_sdp: str,
    listener: PeerListener,
    settings: TransportSettings,
    *,
    media: MediaSettings | None = None,
    host: str = ANY,
) -> tuple[P2PPeer, str]:
    """Answer a WebRTC offer; returns the peer and complete SDP with all candidates inside.

    ``media`` says which video codec is preferred and bounds the bitrate that the listener is told; ``host`` is what
    the server is bound to, and decides the addresses on offer. Raises InvalidOffer when the offer cannot be answered,
    Unavailable when no UDP port is free. Nothing is left behind when it raises or is cancelled.
    """
    media = media or MediaSettings()
    prefer: VideoCodec = "vp8" if media.prefer == "vp8" else "h264"
    offer = read_offer(offer_sdp, prefer, loopback=ice.is_loopback(host) or _only_loopback())
    peer = P2PPeer(offer, listener, settings, media)
    try:
        return peer, await peer.start(host)
    except BaseException:
        await peer.close()
        raise


def _only_loopback() -> bool:
    return all(ice.is_loopback(address) for address in ice.local_addresses())


class P2PPeer:
    """A ``Peer`` over aiortc. Made by ``answer``; lives on the event loop that made it."""

    def __init__(self, offer: Offer, listener: PeerListener, settings: TransportSettings, media: MediaSettings) -> None:
        self._offer = offer
        self._listener = listener
        self._settings = settings
        bundled = all(section.bundled for section in offer.accepted)
        policy = RTCBundlePolicy.MAX_BUNDLE if bundled else RTCBundlePolicy.MAX_COMPAT
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=policy))
        self._sound = PacketTrack("audio", SOUND_QUEUE) if offer.wants_sound else None
        self._pictures = PacketTrack("video", PICTURE_QUEUE) if offer.video_codec else None
        self._line = rtcp.MediaLine()
        self._rule = BitrateRule(media.bitrate, media.min_bitrate, media.max_bitrate)
        self._watch = Watch(settings.connect_timeout_s, self._silence_s(), self._lost)
        self._candidates = offer.candidates
        self._needs_key = False
        self._connected = False
        self._over = False
        self._mirror: Mirror | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self.replies_dropped = 0

    # --- what a Peer is --------------------------------------------------------------------------------------------
    @property
    def video_codec(self) -> VideoCodec | None:
        """The codec that was agreed on, None when nobody wants pictures."""
        return self._offer.video_codec

    @property
    def wants_sound(self) -> bool:
        """Whether the other side receives sound."""
        return self._offer.wants_sound

    @property
    def sounds_dropped(self) -> int:
        """Sound packets that were dropped because the sender did not take them."""
        return self._sound.dropped if self._sound else 0

    @property
    def pictures_dropped(self) -> int:
        """Pictures that were dropped because the sender did not take them."""
        return self._pictures.dropped if self._pictures else 0

    def send_sound(self, packet: EncodedSound) -> None:
        """Send one 20 ms packet now. Ignored before the connection, after its end, and when nobody wants sound."""
        if self._sound is not None and self._connected and not self._over:
            self._note_sending(packet.sample)
            self._sound.put(sound_packet(packet))

    def send_picture(self, packet: EncodedPicture) -> None:
        """Send one picture now. After a drop, pictures that cannot be decoded are held back until a key frame."""
        if self._pictures is None or not self._connected or self._over:
            return
        if self._needs_key and not packet.key:
            self._pictures.dropped += 1
            return
        self._needs_key = False
        self._note_sending(packet.sample)
        if not self._pictures.put(picture_packet(packet)):
            self._needs_key = True
            self._listener.on_keyframe_request()

    def echo(self) -> None:
        """From now on the other side hears itself. See ``Peer``."""
        self._mirror = Mirror(0)

    def _reflect(self, payload: bytes, timestamp: int) -> None:
        at = None if self._mirror is None else self._mirror.place(timestamp)
        if at is not None:
            self.send_sound(EncodedSound(payload, at // (SOUND_CLOCK // SAMPLE_RATE)))

    async def close(self) -> None:
        """Leave: tells the other side, frees sockets and tasks. Idempotent; takes at most two seconds."""
        self._over = True
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._shut())
        await asyncio.shield(self._closing)

    # --- trickle ICE -----------------------------------------------------------------------------------------------
    async def add_candidate(self, candidate: str, mid: str | None = None, index: int | None = None) -> bool:
        """Take one more remote candidate (RFC 8838), as browsers write it: ``candidate:842163049 1 udp …``.

        ``mid`` or ``index`` names its media section. False when it is not used: it is the empty end mark, its address
        is not one that we send to, the section was refused, or the peer has sent too many.
        """
        section = self._offer.accepts(mid, index)
        text = candidate.strip().removeprefix("a=").removeprefix("candidate:")
        usable = list(usable_candidates([text], loopback=self._loopback))
        if self._over or section is None or not usable or self._candidates >= MAX_CANDIDATES:
            return False
        self._candidates += 1
        await self._transport(section.mid).addRemoteCandidate(candidate_from_sdp(usable[0]))
        return True

    # --- coming up -------------------------------------------------------------------------------------------------
    async def start(self, host: str) -> str:
        """Negotiate; returns the answer. Raises InvalidOffer, Unavailable."""
        self._loopback = ice.is_loopback(host) or _only_loopback()
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("datachannel", self._opened)
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(self._offer.clean, "offer"))
        except Exception as error:  # the library's parser meets a stranger's text: whatever it raises, the offer is bad
            raise InvalidOffer(reason=str(error) or type(error).__name__) from error
        self._attach()
        for transport in self._transports():
            ice.arrange(transport.iceGatherer._connection, host, self._settings)
            self._follow_start(transport)
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        self._watch.start()
        return finish_answer(self._pc.localDescription.sdp, self._offer)

    def _follow_start(self, transport: RTCIceTransport) -> None:
        """Know the library's connecting task, so that ``close`` can wait for its end.

        A transport that was closed while the connection came up is no error, but the library logs it as one.
        """
        inner = transport.start

        async def start(parameters: RTCIceParameters) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            if transport.state != "closed":
                await inner(parameters)

        rtcp.replace(transport, "start", start)

    def _attach(self) -> None:
        """Give the senders their tracks, and hear what their receivers report."""
        media = [section for section in self._offer.accepted if section.kind != "application"]
        for transceiver, section in zip(self._pc.getTransceivers(), media, strict=True):
            transceiver.direction = "sendrecv"  # the offer's clean copy already says what we agree to
            track = {"sound": self._sound, "pictures": self._pictures}.get(section.use)
            if track is not None:
                self._attach_sender(transceiver, track)
            if section.microphone:
                rtcp.replace(transceiver.receiver, JITTER_BUFFER, MicrophoneBuffer(self._hear, self._reflect))

    def _attach_sender(self, transceiver: RTCRtpTransceiver, track: PacketTrack) -> None:
        sender = transceiver.sender
        sender.replaceTrack(track)
        rtcp.listen(sender, _Feedback(self, pictures=track is self._pictures))
        rate = SOUND_CLOCK if track.kind == "audio" else PICTURE_CLOCK
        rtcp.report_on_one_clock(sender, track, self._line, rate)

    def _transports(self) -> set[RTCIceTransport]:
        found = {transceiver.receiver.transport.transport for transceiver in self._pc.getTransceivers()}
        return found | ({self._pc.sctp.transport.transport} if self._pc.sctp else set())

    def _transport(self, mid: str) -> RTCIceTransport:
        for transceiver in self._pc.getTransceivers():
            if transceiver.mid == mid:
                return transceiver.receiver.transport.transport
        if self._pc.sctp is None:
            raise KeyError(mid)
        return self._pc.sctp.transport.transport

    # --- what happens ----------------------------------------------------------------------------------------------
    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected" and not self._connected and not self._over:
            self._connected = True
            self._watch.connected()
            self._listener.on_connected()
        elif state == "failed":
            self._lost("the connection broke" if self._connected else "no connection could be made")
        elif state == "closed":
            self._lost("the connection was closed")

    def _lost(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._watch.stop()
            self._listener.on_lost(reason)

    def _silence_s(self) -> float:
        """Receivers report on sound alone only every five seconds or so, and one report may be lost."""
        alone = self._offer.video_codec is None
        return self._settings.silence_timeout_s * (2 if alone else 1)

    def _note_sending(self, sample: int) -> None:
        self._line.start(sample)
        self._watch.sending()

    def heard(self) -> None:
        """The receiver reported something."""
        self._watch.heard()

    def report(self, bits_per_second: int | None) -> None:
        """Tell the listener a new bitrate, if there is news."""
        if bits_per_second is not None and not self._over:
            self._listener.on_bitrate(bits_per_second)

    def _opened(self, channel: RTCDataChannel) -> None:
        reply = self._replier(channel)

        def received(message: str | bytes) -> None:
            if not self._over:
                self._listener.on_message(message, reply)

        channel.on("message", received)
        if not self._over:
            self._listener.on_channel(channel.label, reply)

    def _replier(self, channel: RTCDataChannel) -> Callable[[str], None]:
        def reply(text: str) -> None:
            if self._over or channel.readyState != "open" or channel.bufferedAmount > REPLY_BUFFER:
                self.replies_dropped += 1
                return
            with contextlib.suppress(InvalidStateError, ConnectionError):
                channel.send(text)

        return reply

    def _hear(self, pcm: Pcm) -> None:
        if not self._over:
            self._listener.on_microphone(pcm)

    # --- going away ------------------------------------------------------------------------------------------------
    async def _shut(self) -> None:
        self._watch.stop()
        for track in (self._sound, self._pictures):
            if track is not None:
                track.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._pc.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Feedback:
    """One stream's receiver reports, turned into what the session should know."""

    def __init__(self, peer: P2PPeer, *, pictures: bool) -> None:
        self._peer = peer
        self._pictures = pictures

    def heard(self) -> None:
        self._peer.heard()

    def keyframe_wanted(self) -> None:
        if self._pictures and not self._peer._over:
            self._peer._listener.on_keyframe_request()

    def estimated(self, bits_per_second: int) -> None:
        if self._pictures:
            self._peer.report(self._peer._rule.estimate(bits_per_second))

    def lost(self, fraction: float) -> None:
        if self._pictures:
            self._peer.report(self._peer._rule.loss(fraction))
