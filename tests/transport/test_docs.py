"""What ``docs/network.md`` says of settings is so."""

from __future__ import annotations

import re
from pathlib import Path

from mouthpiece.settings import setting_names
from mouthpiece.transport.candidates import MAX_CANDIDATES

PAGE = (Path(__file__).parents[2] / "docs" / "network.md").read_text(encoding="utf-8")


def test_every_setting_that_the_page_names_is_one() -> None:
    named = set(re.findall(r"`((?:transport|media|server)\.[a-z_]+)", PAGE))
    assert named <= set(setting_names())
    assert {name for name in setting_names() if name.startswith("transport.")} - named <= {"transport.public_ip"}


def test_the_number_of_candidates_is_the_real_one() -> None:
    assert f"most {MAX_CANDIDATES} of one viewer" in PAGE.replace("\n", " ")
