"""The original documents, read at test time from the folder that ``MOUTHPIECE_TEST_DATA`` names; never copied."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

VARIABLE = "MOUTHPIECE_TEST_DATA"


def seed(number: int) -> str:
    """The text of one document. Skips the test where there is no such folder."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} is not set: the original documents are not part of this project")
    (path,) = (Path(folder) / "seeds").glob(f"{number:03}_*.txt")
    return path.read_text()


def between(text: str, start: str, end: str) -> str:
    """What stands between two strings, the first time they stand in this order."""
    return text.split(start, 1)[1].split(end, 1)[0]


def code_blocks(text: str) -> list[str]:
    """The code of a page that was copied as text: each block begins after a line "Copy" and ends at prose."""
    blocks = text.split("\nCopy\n")[1:]
    return [re.split(r"\n(?:This block of code|The last block of code|and Here)", block)[0] for block in blocks]


def snippet(text: str, title: str) -> str:
    """The JavaScript of a documentation snippet with this title, all on one line but without its line comments."""
    line = next(line for line in text.splitlines() if line.startswith(f"### {title}"))
    return between(line, "```javascript ", " ```")
