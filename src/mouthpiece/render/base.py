"""What render jobs are, and where their files lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from mouthpiece.codec.mux import MOVIE, PLAYLIST, WEBM
from mouthpiece.media import Look
from mouthpiece.providers.espeak import Speech

FOLDER: Final = "films"
SOUND: Final = "sound.pcm"

_DESTINATION: Final = re.compile(r"[0-9a-f]{32}")
_SEGMENT: Final = re.compile(r"output\d{5,8}\.ts")


@dataclass(frozen=True, slots=True)
class Order:
    """A film that somebody wants.

    Where it is known what is said: ``phones`` as (sample, IPA) in order, and the samples where words start; ``exact``
    when these are the samples of the very sound, and not of another voice that says the same.
    """

    account: str
    look: Look
    fps: int = 25
    phones: tuple[tuple[int, str], ...] = ()
    word_starts: tuple[int, ...] = ()
    exact: bool = False

    def saying(self, speech: Speech, *, exact: bool) -> Order:
        """The same with what a voice tells of its words; ``exact``: its own sound is filmed."""
        phones = tuple((phone.sample, phone.ipa) for phone in speech.phones)
        return replace(self, phones=phones, word_starts=tuple(word.sample for word in speech.words), exact=exact)

    def request(self) -> dict[str, object]:
        """As JSON, to begin again from after a restart."""
        request = asdict(self)
        del request["account"]
        return request


def order_of(account: str, request: Mapping[str, Any]) -> Order:
    """The inverse of ``Order.request``."""
    phones = tuple((int(sample), str(ipa)) for sample, ipa in request["phones"])
    words, exact = tuple(request["word_starts"]), bool(request.get("exact", False))
    look: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in request["look"].items()
    }
    return Order(account, Look(**look), request["fps"], phones, words, exact)


def blob(destination: str, file: str) -> str:
    """Where a job's file is kept."""
    return f"{FOLDER}/{destination}/{file}"


def is_destination(text: str) -> bool:
    """Whether this can be a job's id."""
    return _DESTINATION.fullmatch(text) is not None


def is_file(text: str) -> bool:
    """Whether viewers may ask for a file of this name."""
    return text in (MOVIE, PLAYLIST, WEBM) or _SEGMENT.fullmatch(text) is not None
