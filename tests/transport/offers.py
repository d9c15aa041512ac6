"""Offers as browsers write them, made to measure."""

from __future__ import annotations

from collections.abc import Sequence

SESSION = ("v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0")
FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
TRANSPORT = ("a=ice-ufrag:EsAw", "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", FINGERPRINT, "a=setup:actpass")
OPUS = ("a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1", "a=rtcp-fb:111 transport-cc")
VP8 = ("a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 goog-remb", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli")
VP8_RTX = ("a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96")
H264_BASE = (
    "a=rtpmap:98 H264/90000",
    "a=fmtp:98 packetization-mode=1; profile-level-id=42001F",
)
H264 = ("a=rtpmap:102 H264/90000", "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
H264_RTX = ("a=rtpmap:103 rtx/90000", "a=fmtp:103 apt=102")
H264_MODE0 = ("a=rtpmap:104 H264/90000", "a=fmtp:104 packetization-mode=0;profile-level-id=42e01f")
H264_HIGH = ("a=rtpmap:105 H264/90000", "a=fmtp:105 packetization-mode=1;profile-level-id=640c1f")
VP9 = ("a=rtpmap:45 VP9/90000",)
EXTENSIONS = (
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
)


def media(
    kind: str,
    mid: str | None,
    *codecs: Sequence[str],
    direction: str | None = "recvonly",
    port: int = 9,
    protocol: str = "UDP/TLS/RTP/SAVPF",
    more: Sequence[str] = (),
    transport: Sequence[str] = TRANSPORT,
) -> list[str]:
    """A media section; the payload types come from the codecs' rtpmap lines, in order."""
    types = [line.split(":")[1].split()[0] for codec in codecs for line in codec if line.startswith("a=rtpmap:")]
    lines = [f"m={kind} {port} {protocol} {' '.join(types) or '0'}", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0"]
    lines += [*transport, "a=rtcp-mux", "a=rtcp-rsize", *EXTENSIONS]
    lines += [f"a=mid:{mid}"] if mid is not None else []
    lines += [f"a={direction}"] if direction else []
    return [*lines, *(line for codec in codecs for line in codec), *more]


def audio(mid: str | None = "0", **other: object) -> list[str]:
    return media("audio", mid, OPUS, **other)  # type: ignore[arg-type]


def video(mid: str | None = "1", **other: object) -> list[str]:
    return media("video", mid, VP8, VP8_RTX, H264_BASE, H264, H264_RTX, **other)  # type: ignore[arg-type]


def data(mid: str = "2", **other: object) -> list[str]:
    lines = media("application", mid, direction=None, protocol="UDP/DTLS/SCTP", **other)  # type: ignore[arg-type]
    lines[0] = lines[0].rsplit(" ", 1)[0] + " webrtc-datachannel"
    return [*lines, "a=sctp-port:5000", "a=max-message-size:262144"]


def offer(*sections: Sequence[str], bundle: str | None = "", session: Sequence[str] = ()) -> str:
    """The whole. ``bundle``: the group's mids; empty means all of them in order, None no group."""
    mids = [line[6:] for section in sections for line in section if line.startswith("a=mid:")]
    group = [] if bundle is None else [f"a=group:BUNDLE {bundle or ' '.join(mids)}"]
    lines = [*SESSION, *group, "a=extmap-allow-mixed", "a=msid-semantic: WMS", *session]
    return "\r\n".join([*lines, *(line for section in sections for line in section), ""])
