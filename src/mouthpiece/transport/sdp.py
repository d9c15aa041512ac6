"""Reading a stranger's WebRTC offer and finishing the answer: text in, text out (RFC 8866, RFC 8829, RFC 8843).

The WebRTC library sees a clean offer that is built here, line by line, from what was understood: one codec a section,
explicit directions, ICE and DTLS parameters in every section, only candidates worth a packet. Sections that are
refused are taken out before and put back, with port 0, into the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mouthpiece.errors import InvalidOffer
from mouthpiece.transport.base import VideoCodec
from mouthpiece.transport.candidates import MAX_CANDIDATES, usable_candidates

MAX_BYTES: Final = 128 * 1024
MAX_SECTIONS: Final = 32

_MEDIA_LINE: Final = re.compile(r"m=(audio|video|application|[a-z]{1,16}) (\d{1,5}) ([A-Za-z/]{1,32}) (.{1,512})")
_RTP: Final = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~/=-]{1,256}")
_H264_LEVELS: Final = frozenset({10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52})


@dataclass(frozen=True, slots=True)
class Section:
    """One media section of an offer, as understood.

    ``use`` is what the answer makes of it: "sound" (perhaps with a microphone), "microphone", "pictures", "data",
    "idle" (agreed on but unused) or "refused". ``offered`` is the direction in the offer.
    """

    kind: str
    protocol: str
    formats: str
    mid: str
    named: bool
    offered: str
    use: str
    lines: tuple[str, ...] = ()
    bundled: bool = False

    @property
    def microphone(self) -> bool:
        """Whether the other side may send its voice here."""
        return self.use in ("sound", "microphone") and self.offered in ("sendrecv", "sendonly")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered. ``clean`` is what the WebRTC library gets to see."""

    sections: tuple[Section, ...]
    clean: str
    video_codec: VideoCodec | None
    bundle: tuple[str, ...]
    candidates: int

    @property
    def accepted(self) -> tuple[Section, ...]:
        """The sections that the WebRTC library knows of, in order."""
        return tuple(s for s in self.sections if s.use != "refused")

    @property
    def wants_sound(self) -> bool:
        """Whether the other side receives sound."""
        return any(s.use == "sound" for s in self.sections)

    def accepts(self, mid: str | None, index: int | None) -> Section | None:
        """The accepted section that a trickled candidate names, by mid or else by its index in the offer."""
        if mid is not None:
            return next((s for s in self.accepted if s.mid == mid), None)
        known = index is not None and 0 <= index < len(self.sections)
        found = self.sections[index] if known and index is not None else None
        return found if found is not None and found.use != "refused" else None


@dataclass(slots=True)
class _Raw:
    """A media section's lines, before anything is decided."""

    kind: str
    port: int
    protocol: str
    formats: str
    lines: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        prefix = f"a={name}:"
        return [line[len(prefix) :] for line in self.lines if line.startswith(prefix)]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    def has(self, name: str) -> bool:
        return f"a={name}" in self.lines


# --- reading -------------------------------------------------------------------------------------------------------
def read_offer(sdp: str, prefer: VideoCodec = "h264", *, loopback: bool = False) -> Offer:
    """Understand an offer. ``loopback``: whether remote candidates on this very host are believed.

    Raises InvalidOffer when it is not SDP, has no media, no codec in common, or lacks ICE or DTLS parameters.
    """
    session, raws = _split(sdp)
    mids = _name_sections(raws)
    sections, codec = _decide(session, raws, mids, prefer)
    if all(section.use in ("refused", "idle") for section in sections):
        raise InvalidOffer(reason="nothing in it can be served: offer audio with opus, or video with H264 or VP8")
    accepted = {section.mid for section in sections if section.use != "refused"}
    order = _bundle_order(session)
    bundle = tuple(mid for mid in order if mid in accepted)
    sections = [replace(section, bundled=section.mid in bundle) for section in sections]
    tagged = next((raw for mid in order for raw, name in zip(raws, mids, strict=True) if name == mid), session)
    writer = _CleanOffer(session, tagged, [raw for raw, mid in zip(raws, mids, strict=True) if mid in order], loopback)
    for section, raw in zip(sections, raws, strict=True):
        if section.use != "refused":
            writer.add(section, raw)
    return Offer(tuple(sections), writer.text(), codec, bundle, MAX_CANDIDATES - writer.budget)


def _split(sdp: str) -> tuple[_Raw, list[_Raw]]:
    if len(sdp) > MAX_BYTES:
        raise InvalidOffer(reason=f"it is longer than {MAX_BYTES} bytes")
    lines = [line.strip() for line in sdp.splitlines() if line.strip()]
    if not lines or lines[0] != "v=0":
        raise InvalidOffer(reason='it is not SDP: the first line must be "v=0"')
    session = _Raw("session", 0, "", "")
    raws: list[_Raw] = []
    for line in lines:
        if line.startswith("m="):
            raws.append(_media_line(line))
        else:
            (raws[-1] if raws else session).lines.append(line)
    if not raws:
        raise InvalidOffer(reason="it has no media: add a recvonly audio and video transceiver")
    if len(raws) > MAX_SECTIONS:
        raise InvalidOffer(reason=f"it has more than {MAX_SECTIONS} media sections")
    return session, raws


def _media_line(line: str) -> _Raw:
    match = _MEDIA_LINE.fullmatch(line)
    if match is None:
        raise InvalidOffer(reason=f"a media line cannot be read: {line[:80]!r}")
    kind, port, protocol, formats = match.groups()
    return _Raw(kind, int(port), protocol, formats)


def _bundle_order(session: _Raw) -> list[str]:
    groups = [value.split() for value in session.values("group")]
    return next((group[1:] for group in groups if group and group[0] == "BUNDLE"), [])


def _name_sections(raws: Sequence[_Raw]) -> list[str]:
    """Every section's mid; sections without one get a name of ours, which the answer leaves out again."""
    names = [raw.value("mid") or f"unnamed-{i}" for i, raw in enumerate(raws)]
    if not all(_TOKEN.fullmatch(name) for name in names):
        raise InvalidOffer(reason="a media section's mid is not a token")
    if len(set(names)) != len(names):
        raise InvalidOffer(reason="two media sections have the same mid")
    return names


# --- deciding ------------------------------------------------------------------------------------------------------
def _decide(
    session: _Raw, raws: Sequence[_Raw], mids: Sequence[str], prefer: VideoCodec
) -> tuple[list[Section], VideoCodec | None]:
    taken: set[str] = set()
    agreed: VideoCodec | None = None
    sections = []
    for raw, mid in zip(raws, mids, strict=True):
        direction = _direction(raw, session)
        payloads, codec = _payloads(raw, prefer)
        use = _use(raw, direction, payloads, taken)
        taken |= {use, "microphone"} if use == "sound" and direction == "sendrecv" else {use}
        agreed = codec if use == "pictures" else agreed
        lines = () if use == "refused" else tuple(_clean_lines(raw, mid, payloads, _wanted(use, direction)))
        named = raw.value("mid") is not None
        sections.append(Section(raw.kind, raw.protocol, raw.formats, mid, named, direction, use, lines))
    return sections, agreed


def _use(raw: _Raw, direction: str, payloads: Sequence[str], taken: set[str]) -> str:
    """What a section is good for, given what earlier ones are used for."""
    alive = raw.port != 0 or raw.has("bundle-only")
    if raw.kind == "application":
        speaks = raw.protocol in ("UDP/DTLS/SCTP", "DTLS/SCTP")
        return "data" if alive and speaks and "data" not in taken else "refused"
    if not alive or not payloads:
        return "refused"
    receives, sends = direction in ("recvonly", "sendrecv"), direction in ("sendonly", "sendrecv")
    mine = {"audio": "sound", "video": "pictures"}[raw.kind]
    if receives and mine not in taken:
        return mine
    return "microphone" if raw.kind == "audio" and sends and "microphone" not in taken else "idle"


def _wanted(use: str, direction: str) -> str:
    """The direction that the WebRTC library is told was offered, so that it answers with what we want."""
    if use == "pictures":
        return "recvonly"
    return direction if use == "sound" else "sendonly" if use == "microphone" else "inactive"


def _direction(raw: _Raw, session: _Raw) -> str:
    for lines in (raw, session):
        for direction in ("sendrecv", "recvonly", "sendonly", "inactive"):
            if lines.has(direction):
                return direction
    return "sendrecv"


def _payloads(raw: _Raw, prefer: VideoCodec) -> tuple[list[str], VideoCodec | None]:
    """The payload types to agree on: one codec, and its retransmission format if offered."""
    if raw.kind not in ("audio", "video") or raw.protocol not in _RTP:
        return [], None
    offered = [pt for pt in raw.formats.split() if pt.isdecimal() and int(pt) < 128]
    maps = {pt: name.lower() for pt, _, name in (value.partition(" ") for value in raw.values("rtpmap"))}
    formats = {pt: _parameters(text) for pt, _, text in (value.partition(" ") for value in raw.values("fmtp"))}
    if raw.kind == "audio":
        return [pt for pt in offered if maps.get(pt) == "opus/48000/2"][:1], None
    usable: dict[VideoCodec, list[str]] = {
        "h264": [p for p in offered if maps.get(p) == "h264/90000" and _baseline(formats.get(p, {}))],
        "vp8": [p for p in offered if maps.get(p) == "vp8/90000"],
    }
    usable["h264"].sort(key=lambda p: not formats.get(p, {}).get("profile-level-id", "42e01f").startswith("42e0"))
    second: VideoCodec = "vp8" if prefer == "h264" else "h264"
    codec = next((c for c in (prefer, second) if usable[c]), None)
    if codec is None:
        return [], None
    main = usable[codec][0]
    rtx = [p for p in offered if maps.get(p) == "rtx/90000" and formats.get(p, {}).get("apt") == main]
    return [main, *rtx[:1]], codec


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {key.lower(): value.strip().lower() for key, _, value in pairs}


def _baseline(parameters: dict[str, str]) -> bool:
    """Whether an H.264 format takes (constrained) baseline in fragmented packets (RFC 6184 section 8.1)."""
    profile = parameters.get("profile-level-id", "42e01f")
    if parameters.get("packetization-mode") != "1" or not re.fullmatch("42[0-9a-f]0[0-9a-f]{2}", profile):
        return False
    return int(profile[4:], 16) in _H264_LEVELS


# --- the clean offer -----------------------------------------------------------------------------------------------
def _clean_lines(raw: _Raw, mid: str, payloads: Sequence[str], direction: str) -> Iterator[str]:
    if raw.kind == "application":
        yield from _clean_data(raw, mid)
        return
    yield f"m={raw.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(payloads)}"
    yield "c=IN IP4 0.0.0.0"
    yield f"a=mid:{mid}"
    yield f"a={direction}"
    if raw.has("rtcp-mux"):
        yield "a=rtcp-mux"
    yield from (f"a=extmap:{v}" for v in raw.values("extmap") if re.fullmatch(r"\d{1,3}(/[a-z]+)? \S{1,256}", v))
    for name in ("rtpmap", "fmtp", "rtcp-fb"):
        for value in raw.values(name):
            if value.partition(" ")[0] in (*payloads, "*"):
                yield f"a={name}:{re.sub('; +', ';', value)}"  # the library keeps such spaces as part of the name


def _clean_data(raw: _Raw, mid: str) -> Iterator[str]:
    size = raw.value("max-message-size") or "65536"
    port = raw.value("sctp-port") or "5000"
    if not (size.isdecimal() and port.isdecimal() and int(port) < 65536):
        raise InvalidOffer(reason="the data channel's sctp-port or max-message-size is not a number")
    if raw.protocol == "DTLS/SCTP":
        if not raw.formats.isdecimal():
            raise InvalidOffer(reason="the data channel's port is not a number")
        yield f"m=application 9 DTLS/SCTP {raw.formats}"
        yield f"a=sctpmap:{raw.formats} webrtc-datachannel 65535"
    else:
        yield "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
        yield f"a=sctp-port:{port}"
    yield "c=IN IP4 0.0.0.0"
    yield f"a=mid:{mid}"
    yield f"a=max-message-size:{size}"


def _transport(raw: _Raw, *sources: _Raw) -> list[str]:
    """ICE and DTLS parameters of a section, from the first of ``sources`` that has each (RFC 8843 section 9)."""

    def first(name: str) -> list[str]:
        return next((source.values(name) for source in sources if source.values(name)), [])

    ufrag, password, prints = first("ice-ufrag")[:1], first("ice-pwd")[:1], first("fingerprint")
    if not (ufrag and password and all(re.fullmatch(r"[A-Za-z0-9+/]{4,256}", v) for v in ufrag + password)):
        raise InvalidOffer(reason="ice-ufrag or ice-pwd is missing or malformed")
    if not prints or not all(re.fullmatch(r"[A-Za-z0-9-]+ [0-9A-Fa-f:]+", value) for value in prints):
        raise InvalidOffer(reason="the DTLS fingerprint is missing or malformed")
    setup = (first("setup") or ["actpass"])[0]
    if setup not in ("actpass", "active", "passive"):
        raise InvalidOffer(reason=f"a=setup:{setup[:20]} cannot be answered: offer actpass")
    if raw.kind != "application" and not raw.has("rtcp-mux"):
        raise InvalidOffer(reason="RTP and RTCP must share a port: offer a=rtcp-mux")
    lines = [f"a=ice-ufrag:{ufrag[0]}", f"a=ice-pwd:{password[0]}"]
    return [*lines, *(f"a=fingerprint:{value}" for value in prints), f"a=setup:{setup}"]


class _CleanOffer:
    """Writes what the WebRTC library sees. A bundle's candidates, wherever they stood, go to its first section."""

    def __init__(self, session: _Raw, tagged: _Raw, bundled: Sequence[_Raw], loopback: bool) -> None:
        self._session, self._tagged, self._loopback = session, tagged, loopback
        self._shared = [candidate for raw in bundled for candidate in raw.values("candidate")]
        self._bundle: list[str] = []
        self._lines: list[str] = []
        self.budget = MAX_CANDIDATES

    def add(self, section: Section, raw: _Raw) -> None:
        sources = (self._tagged, raw, self._session) if section.bundled else (raw, self._session)
        offered = raw.values("candidate")
        if section.bundled:
            offered, self._shared = self._shared, []
            self._bundle.append(section.mid)
        usable = list(usable_candidates(offered, loopback=self._loopback))[: self.budget]
        self.budget -= len(usable)
        self._lines += [*section.lines, *_transport(raw, *sources), *(f"a=candidate:{line}" for line in usable)]

    def text(self) -> str:
        head = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
        if self._session.has("ice-lite"):
            head.append("a=ice-lite")
        if self._bundle:
            head.append(f"a=group:BUNDLE {' '.join(self._bundle)}")
        return "\r\n".join([*head, *self._lines, ""])


# --- the answer ----------------------------------------------------------------------------------------------------
def finish_answer(answer: str, offer: Offer) -> str:
    """The WebRTC library's answer to ``offer.clean``, with the refused sections back in place."""
    head, parts = _answer_parts(answer)
    lines = [line for line in head if not line.startswith("a=group:BUNDLE")]
    if offer.bundle:
        at = next((i + 1 for i, line in enumerate(lines) if line.startswith("t=")), len(lines))
        lines.insert(at, "a=group:BUNDLE " + " ".join(offer.bundle))
    answered = iter(parts)
    for section in offer.sections:
        lines += _refusal(section) if section.use == "refused" else _accepted(next(answered), section)
    return "\r\n".join([*lines, ""])


def _answer_parts(answer: str) -> tuple[list[str], list[list[str]]]:
    head: list[str] = []
    parts: list[list[str]] = []
    for line in answer.splitlines():
        if line.startswith("m="):
            parts.append([])
        (parts[-1] if parts else head).append(line)
    return head, parts


def _accepted(lines: list[str], section: Section) -> Iterator[str]:
    for line in lines:
        if line.startswith("m=") and section.kind != "application":
            yield line.replace("UDP/TLS/RTP/SAVPF", section.protocol, 1)
        elif section.named or not line.startswith("a=mid:"):
            yield line


def _refusal(section: Section) -> list[str]:
    lines = [f"m={section.kind} 0 {section.protocol} {section.formats}", "c=IN IP4 0.0.0.0", "a=inactive"]
    return [*lines, f"a=mid:{section.mid}"] if section.named else lines
