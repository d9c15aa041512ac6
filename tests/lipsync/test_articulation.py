"""The table of phones: IPA in, indices out, and what each shows."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.lipsync.articulation import (
    ARTICULATORS,
    BILABIAL,
    LABIODENTAL,
    PHONE_ID,
    PHONES,
    SHAPE_OF,
    parse_ipa,
    shares,
    spoken_shapes,
)


def names(ipa: str) -> list[str]:
    return [PHONES[p].name for p in parse_ipa(ipa)]


@pytest.mark.parametrize(
    ("ipa", "expected"),
    [
        ("p", ["p"]),
        ("ˈeɪ", ["ɛ", "i"]),
        ("tʃ", ["tʃ"]),
        ("t͡ʃ", ["t", "ʃ"]),
        ("bʲ", ["b"]),
        ("œ̃", ["ø"]),
        ("uː", ["u"]),
        ("?!", []),
        ("", []),
    ],
)
def test_ipa_is_read_symbol_by_symbol(ipa: str, expected: list[str]) -> None:
    assert names(ipa) == expected


def test_no_symbol_means_two_phones() -> None:
    symbols = [s for p in PHONES for s in (p.name, *p.members.split())]
    assert len(symbols) == len(set(symbols))


def test_closed_lips_have_no_gap_and_every_value_is_a_share() -> None:
    gap = ARTICULATORS.index("lip_gap")
    assert (SHAPE_OF[BILABIAL][:, gap] == 0).all()
    assert (SHAPE_OF[LABIODENTAL][:, gap] < SHAPE_OF[PHONE_ID["a"], gap] / 4).all()
    assert ((SHAPE_OF >= 0) & (SHAPE_OF <= 1)).all()


def test_diphthongs_take_sixty_to_forty() -> None:
    assert shares(2).tolist() == [0.6, 0.4]
    assert shares(3).sum() == pytest.approx(1)


def test_h_takes_the_shape_of_the_vowel_after_it() -> None:
    h, u, t = (PHONE_ID[n] for n in ("h", "u", "t"))
    assert spoken_shapes(np.array([h, u, h, t])).tolist() == [u, u, h, t]
