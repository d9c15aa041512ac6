"""Offers and answers of calls that are sound alone."""

from __future__ import annotations

import pytest
from tests.transport import offers

from mouthpiece.errors import InvalidOffer
from mouthpiece.transport.sdp import read_offer
from mouthpiece.transport.sound_sdp import candidates_of, in_stereo, sound_only

LINE = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"


def uses(sdp: str) -> list[str]:
    return [section.use for section in read_offer(sound_only(sdp)).sections]


def test_everything_but_sound_is_refused_in_its_place() -> None:
    sdp = offers.offer(offers.video("v"), offers.audio("a", direction="sendrecv"), offers.data("d"))
    assert [section.use for section in read_offer(sdp).sections] == ["pictures", "sound", "data"]
    assert uses(sdp) == ["refused", "sound", "refused"]


def test_a_section_that_is_only_there_in_the_bundle_is_refused_too() -> None:
    video = offers.video("v", port=0, more=["a=bundle-only"])
    assert uses(offers.offer(offers.audio("a"), video)) == ["sound", "refused"]


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_whatever_ends_its_lines(newline: str) -> None:
    sdp = offers.offer(offers.audio("a"), offers.video("v")).replace("\r\n", newline)
    assert uses(sdp) == ["sound", "refused"]


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "garbage",
        "v=0 o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        offers.offer(offers.video()),
        offers.offer(offers.media("audio", "a", ("a=rtpmap:0 PCMU/8000",))),
        offers.offer(offers.media("audio", "a", ("a=rtpmap:111 opus/48000/1",))),
    ],
)
def test_without_opus_there_is_nothing_to_answer(sdp: str) -> None:
    with pytest.raises(InvalidOffer, match="opus"):
        sound_only(sdp)


def test_the_answer_takes_two_channels() -> None:
    bare = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=mid:0\r\n"
    assert "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 stereo=1\r\n" in in_stereo(bare)
    told = bare + "a=fmtp:111 minptime=10;useinbandfec=1\r\n"
    assert "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n" in in_stereo(told)
    assert in_stereo(in_stereo(told)) == in_stereo(told)
    sends = bare + "a=fmtp:111 sprop-stereo=1\r\n"
    assert "sprop-stereo=1;stereo=1" in in_stereo(sends)
    other = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtpmap:0 PCMU/8000\r\n"
    assert in_stereo(other) == other


def test_candidates_are_told_with_their_section() -> None:
    answer = f"v=0\r\nm=video 0 X 0\r\na=mid:v\r\nm=audio 9 X 111\r\na={LINE}\r\na={LINE}9\r\na=end-of-candidates\r\n"
    assert list(candidates_of(answer)) == [(LINE, None, 1), (f"{LINE}9", None, 1)]
    assert next(candidates_of(answer + "a=mid:a\r\n")) == (LINE, "a", 1)
