"""The viseme table says what mouths do."""

from __future__ import annotations

import numpy as np

from mouthpiece.lipsync.visemes import GAP, SHAPES, TABLE, VISEMES, lip_gap
from mouthpiece.media import REST, MouthPose


def pose(viseme: str) -> MouthPose:
    return MouthPose(*TABLE[VISEMES.index(viseme)].tolist())


def test_there_are_fifteen_in_the_reference_order() -> None:
    assert VISEMES == ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")
    assert TABLE.shape == (len(VISEMES), len(SHAPES))
    assert GAP.shape == (len(SHAPES),)


def test_silence_is_rest_and_bilabials_are_shut() -> None:
    assert pose("sil") == REST
    assert lip_gap(pose("PP")) < 0.01
    assert pose("FF").tuck > 0.5


def test_open_vowels_are_open_rounded_ones_round_spread_ones_wide() -> None:
    assert lip_gap(pose("aa")) > lip_gap(pose("E")) > lip_gap(pose("ih"))
    assert np.argmax([pose(v).pucker for v in VISEMES]) == VISEMES.index("ou")
    assert np.argmax([pose(v).stretch for v in VISEMES]) == VISEMES.index("ih")
