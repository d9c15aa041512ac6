"""Offers of every kind, and what the answer says to each section. The WebRTC library itself writes the answers."""

from __future__ import annotations

import contextlib

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.viewing import Listening
from tests.transport import offers
from tests.transport.offers import audio, data, media, offer, video

from mouthpiece.errors import InvalidOffer
from mouthpiece.settings import MediaSettings, TransportSettings
from mouthpiece.transport.p2p import answer
from mouthpiece.transport.sdp import finish_answer, read_offer


def lines_of(sdp: str, index: int) -> list[str]:
    """The lines of one media section."""
    return ("\n" + sdp.replace("\r", "")).split("\nm=")[index + 1].splitlines()


def media_lines(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith("m=")]


async def answered(sdp: str, prefer: str = "h264") -> str:
    peer, text = await answer(
        sdp, Listening(), TransportSettings(), media=MediaSettings(prefer=prefer), host="127.0.0.1"
    )
    await peer.close()
    return text


# --- which codec ---------------------------------------------------------------------------------------------------
async def test_h264_wins_and_constrained_baseline_before_baseline() -> None:
    text = await answered(offer(audio(), video()))
    assert media_lines(text)[0].endswith(" 111")
    assert media_lines(text)[1].endswith(" 102 103")
    assert "a=rtpmap:102 H264/90000" in text
    assert "a=fmtp:103 apt=102" in text


async def test_the_setting_prefers_vp8() -> None:
    assert media_lines(await answered(offer(audio(), video()), prefer="vp8"))[1].endswith(" 96 97")


@pytest.mark.parametrize(
    ("codecs", "expected"),
    [
        ((offers.H264_MODE0, offers.VP8), "vp8"),
        ((offers.H264_HIGH, offers.VP8), "vp8"),
        ((offers.H264_BASE,), "h264"),
        ((offers.VP9, offers.VP8), "vp8"),
        ((offers.VP9,), None),
    ],
)
def test_only_what_we_can_send_is_agreed_on(codecs: tuple[tuple[str, ...], ...], expected: str | None) -> None:
    plan = read_offer(offer(audio(), media("video", "1", *codecs)))
    assert plan.video_codec == expected
    assert plan.sections[1].use == ("pictures" if expected else "refused")


async def test_spaces_between_format_parameters_do_no_harm() -> None:
    text = await answered(offer(media("video", "0", offers.H264_BASE)))
    assert "a=rtpmap:98 H264/90000" in text


# --- sections ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", ["avd", "vad", "dav", "dva", "ad", "da", "v", "a", "d"])
async def test_sections_are_answered_in_the_order_of_the_offer(order: str) -> None:
    make = {"a": audio, "v": video, "d": data}
    text = await answered(offer(*(make[kind]() for kind in order)))
    kinds = [line[2] for line in media_lines(text)]
    assert kinds == [{"a": "a", "v": "v", "d": "a"}[kind] for kind in order]
    assert [line.split()[0] for line in media_lines(text)] == [
        {"a": "m=audio", "v": "m=video", "d": "m=application"}[kind] for kind in order
    ]
    mids = " ".join({"a": "0", "v": "1", "d": "2"}[kind] for kind in order)
    assert f"a=group:BUNDLE {mids}\r\n" in text
    assert any("typ host" in line for line in lines_of(text, 0))


async def test_directions_mirror_what_was_offered() -> None:
    text = await answered(offer(audio(direction="sendrecv"), video(direction="sendrecv")))
    assert "a=sendrecv" in lines_of(text, 0)
    assert "a=sendonly" in lines_of(text, 1), "a viewer's camera is not wanted"


async def test_a_missing_direction_means_both_ways() -> None:
    assert "a=sendrecv" in lines_of(await answered(offer(audio(direction=None))), 0)


async def test_a_direction_of_the_whole_session_counts() -> None:
    text = await answered(offer(audio(direction=None), session=["a=recvonly"]))
    assert "a=sendonly" in lines_of(text, 0)


async def test_a_microphone_may_have_its_own_section() -> None:
    sdp = offer(audio("0"), video("1"), audio("2", direction="sendonly"))
    plan = read_offer(sdp)
    assert [s.use for s in plan.sections] == ["sound", "pictures", "microphone"]
    assert [s.microphone for s in plan.sections] == [False, False, True]
    assert "a=recvonly" in lines_of(await answered(sdp), 2)


async def test_further_sections_of_a_kind_are_agreed_on_but_unused() -> None:
    text = await answered(offer(audio("0"), audio("1"), video("2"), video("3", direction="sendonly")))
    assert "a=inactive" in lines_of(text, 1)
    assert "a=inactive" in lines_of(text, 3)
    assert [line.split()[1] for line in media_lines(text)].count("0") == 0


async def test_what_cannot_be_served_is_refused_with_port_0_and_left_out_of_the_bundle() -> None:
    sdp = offer(media("video", "9", offers.VP9), audio("0"), data("d1"), data("d2"))
    text = await answered(sdp)
    assert media_lines(text)[0] == "m=video 0 UDP/TLS/RTP/SAVPF 45"
    assert "a=mid:9" in lines_of(text, 0)
    assert media_lines(text)[3].startswith("m=application 0 ")
    assert "a=group:BUNDLE 0 d1\r\n" in text
    SessionDescription.parse(text)


async def test_a_section_that_the_offer_itself_closed_stays_closed() -> None:
    text = await answered(offer(audio(), video(port=0), bundle="0"))
    assert media_lines(text)[1].startswith("m=video 0 ")


async def test_a_bundled_section_may_have_port_0() -> None:
    sdp = offer(audio(), video(port=0, more=["a=bundle-only"], transport=()))
    text = await answered(sdp)
    assert not media_lines(text)[1].startswith("m=video 0 ")
    assert "a=sendonly" in lines_of(text, 1)


async def test_offers_without_mids_get_answers_without_mids() -> None:
    text = await answered(offer(audio(None), bundle=None))
    assert "a=mid" not in text
    assert "BUNDLE" not in text


async def test_an_older_protocol_name_is_mirrored() -> None:
    assert media_lines(await answered(offer(audio(protocol="RTP/SAVPF"))))[0].split()[2] == "RTP/SAVPF"


async def test_the_old_form_of_data_channels_is_answered_in_kind() -> None:
    section = data("0")
    section = [line for line in section if not line.startswith(("a=sctp-port", "a=max-message"))]
    section[0] = "m=application 9 DTLS/SCTP 5000"
    text = await answered(offer([*section, "a=sctpmap:5000 webrtc-datachannel 1024"]))
    assert media_lines(text)[0].split()[2:] == ["DTLS/SCTP", "5000"]


async def test_ice_and_dtls_may_stand_at_the_top() -> None:
    text = await answered(offer(audio(transport=()), video(transport=()), session=offers.TRANSPORT))
    assert len(media_lines(text)) == 2


async def test_a_browser_takes_the_answer() -> None:
    """An aiortc client, which checks more than browsers do, takes every answer to its own offer."""
    client = RTCPeerConnection()
    for kind in ("video", "audio", "audio"):
        client.addTransceiver(kind, direction="recvonly")
    client.createDataChannel("d")
    created = await client.createOffer()
    peer, text = await answer(created.sdp, Listening(), TransportSettings(), host="127.0.0.1")
    try:
        plan = read_offer(created.sdp)
        assert [s.use for s in plan.sections] == ["pictures", "sound", "idle", "data"]
        parsed = SessionDescription.parse(text)
        assert [m.kind for m in parsed.media] == ["video", "audio", "audio", "application"]
    finally:
        await peer.close()
        await client.close()


# --- candidates ----------------------------------------------------------------------------------------------------
def candidate(host: str, port: int = 50_000, rest: str = "typ host generation 0") -> str:
    return f"a=candidate:1 1 udp 2122260223 {host} {port} {rest}"


def candidates_of(clean: str) -> list[str]:
    return [line.split()[4] for line in clean.splitlines() if line.startswith("a=candidate")]


def test_candidates_of_a_bundle_are_gathered_once_and_bounded() -> None:
    many = [candidate(f"192.0.2.{n}") for n in range(1, 60)]
    plan = read_offer(offer(audio(more=many), video(more=many)))
    assert plan.candidates == 32
    assert candidates_of(plan.clean) == [f"192.0.2.{n}" for n in range(1, 33)]


@pytest.mark.parametrize(
    "line",
    [
        candidate("224.0.0.251"),
        candidate("ff02::fb"),
        candidate("255.255.255.255"),
        candidate("0.0.0.0"),
        candidate("169.254.169.254"),
        candidate("fe80::1"),
        candidate("127.0.0.1"),
        candidate("::1"),
        candidate("::ffff:127.0.0.1"),
        candidate("192.0.2.1", port=53),
        candidate("192.0.2.1", port=1023),
        candidate("192.0.2.1", port=65_536),
        candidate("3f2504e0-4f89-11d3-9a0c-0305e82c3301.local"),
        candidate("example.org"),
        candidate("192.0.2.1").replace(" udp ", " tcp "),
        candidate("192.0.2.1").replace(":1 1 ", ":1 2 "),
        "a=candidate:",
        "a=candidate:1 1 udp",
        candidate("192.0.2.1", rest="typ nonsense"),
    ],
)
def test_candidates_that_nobody_should_send_to_are_dropped(line: str) -> None:
    assert candidates_of(read_offer(offer(audio(more=[line]))).clean) == []


def test_good_candidates_stay() -> None:
    lines = [
        candidate("10.1.2.3"),
        candidate("2001:db8::7"),
        candidate("203.0.113.9", rest="typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999"),
        candidate("203.0.113.10", rest="typ relay raddr 1.2.3.4 rport 5"),
    ]
    clean = read_offer(offer(audio(more=lines))).clean
    assert candidates_of(clean) == ["10.1.2.3", "2001:db8::7", "203.0.113.9", "203.0.113.10"]
    assert "a=end-of-candidates" not in clean


def test_loopback_candidates_are_believed_on_loopback_only() -> None:
    sdp = offer(audio(more=[candidate("127.0.0.1")]))
    assert candidates_of(read_offer(sdp, loopback=True).clean) == ["127.0.0.1"]


# --- bad offers ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sdp", "reason"),
    [
        ("", "not SDP"),
        ("hello", "not SDP"),
        ('{"type":"offer"}', "not SDP"),
        ("v=0\r\n" * 40_000, "longer than"),
        (offer(), "no media"),
        (offer(*(audio(str(n)) for n in range(33))), "more than 32"),
        (offer(["m=audio nine UDP 0"]), "cannot be read"),
        (offer(audio("0"), video("0")), "same mid"),
        (offer(media("video", "0", offers.VP9)), "offer audio with opus"),
        (offer(audio(direction="inactive")), "offer audio with opus"),
        (offer(audio(protocol="RTP/AVP")), "offer audio with opus"),
        (offer(audio(transport=offers.TRANSPORT[1:])), "ice-ufrag"),
        (offer(audio(transport=("a=ice-ufrag:a b", *offers.TRANSPORT[1:]))), "ice-ufrag"),
        (offer(audio(transport=offers.TRANSPORT[:2])), "fingerprint"),
        (offer(audio(transport=(*offers.TRANSPORT[:3], "a=setup:holdconn"))), "holdconn"),
        (offer(audio()).replace("a=rtcp-mux\r\n", ""), "rtcp-mux"),
        (offer([line.replace("5000", "x") for line in data()]), "sctp-port"),
    ],
)
async def test_bad_offers_say_what_is_wrong(sdp: str, reason: str) -> None:
    with pytest.raises(InvalidOffer, match=reason):
        await answered(sdp)


LINES = offer(audio(direction="sendrecv"), video(), data()).splitlines()


@settings(max_examples=300, deadline=None)
@given(
    drop=st.sets(st.integers(0, len(LINES) - 1), max_size=6),
    swap=st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.text(max_size=30)), max_size=4),
)
def test_a_damaged_offer_is_read_or_refused_and_nothing_else(drop: set[int], swap: list[tuple[int, str]]) -> None:
    lines = dict(enumerate(LINES))
    for at, text in swap:
        lines[at] = lines[at][: len(text)] + text
    damaged = "\r\n".join(line for at, line in lines.items() if at not in drop)
    with contextlib.suppress(InvalidOffer):
        assert read_offer(damaged).clean.startswith("v=0")


async def test_what_the_library_refuses_is_an_invalid_offer() -> None:
    sdp = offer(audio()).replace("a=fmtp:111 minptime=10", "a=fmtp:111 minptime=ten")
    with pytest.raises(InvalidOffer, match="ten"):
        await answered(sdp)


def test_the_answer_keeps_lines_that_it_does_not_know() -> None:
    plan = read_offer(offer(audio()))
    text = finish_answer("v=0\r\nt=0 0\r\na=group:BUNDLE x\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=new\r\n", plan)
    assert text.splitlines() == [
        "v=0", "t=0 0", "a=group:BUNDLE 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=new",
    ]  # fmt: skip


async def test_the_clean_offer_is_one_that_the_library_takes_as_it_is() -> None:
    connection = RTCPeerConnection()
    plan = read_offer(offer(data(), video(), audio(direction="sendrecv")))
    await connection.setRemoteDescription(RTCSessionDescription(plan.clean, "offer"))
    assert [t.kind for t in connection.getTransceivers()] == ["video", "audio"]
    await connection.close()
