"""Offers and answers of calls that are sound alone: text in, text out (RFC 3264, RFC 7587, RFC 8839)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mouthpiece.errors import InvalidOffer

_OPUS: Final = re.compile(r"^a=rtpmap:(\d{1,3}) opus/48000/2$", re.MULTILINE | re.IGNORECASE)


def sound_only(offer: str) -> str:
    """The offer with every section but sound turned down, so that its answer refuses them with port 0.

    Raises InvalidOffer when no section of sound takes Opus.
    """
    head, *sections = _sections(offer)
    if not any(_is_sound(section) and _OPUS.search(section) for section in sections):
        raise InvalidOffer(reason="it has no audio that takes opus/48000/2")
    kept = (section if _is_sound(section) else _turned_down(section) for section in sections)
    return _text(head, *kept)


def in_stereo(answer: str) -> str:
    """The answer, saying that we take Opus in two channels (``stereo=1``): browsers send one otherwise."""
    return _text(*map(_stereo, _sections(answer)))


def candidates_of(answer: str) -> Iterator[tuple[str, str | None, int]]:
    """Every candidate of a complete answer as ``candidate:…``, with its section's mid and index, for trickling."""
    for index, section in enumerate(_sections(answer)[1:]):
        mid = re.search(r"^a=mid:(.*)$", section, re.MULTILINE)
        for found in re.findall(r"^a=(candidate:.*)$", section, re.MULTILINE):
            yield found, mid[1] if mid else None, index


def _sections(sdp: str) -> list[str]:
    """What stands before the first media section, and each section."""
    return re.split(r"^(?=m=)", "\n".join(line.strip() for line in sdp.splitlines()), flags=re.MULTILINE)


def _text(*sections: str) -> str:
    lines = (line for section in sections for line in section.splitlines())
    return "\r\n".join([*(line for line in lines if line), ""])


def _is_sound(section: str) -> bool:
    return section.startswith("m=audio ")


def _turned_down(section: str) -> str:
    at_zero = re.sub(r"^(m=\S+) \d+ ", r"\1 0 ", section)
    return re.sub(r"^a=bundle-only$", "", at_zero, flags=re.MULTILINE)


def _stereo(section: str) -> str:
    for payload in _OPUS.findall(section):
        told = re.search(rf"^a=fmtp:{payload} .*$", section, re.MULTILINE)
        if told is None:
            section = re.sub(rf"^a=rtpmap:{payload} .*$", rf"\g<0>\na=fmtp:{payload} stereo=1", section, flags=re.M)
        elif "stereo=" not in told[0].replace("sprop-stereo=", ""):
            section = section.replace(told[0], f"{told[0]};stereo=1")
    return section
