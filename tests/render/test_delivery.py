"""Ranges, as RFC 9110 has them."""

from __future__ import annotations

import pytest

from mouthpiece.render.delivery import Asked, part_of

TAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "status", "start", "end"),
    [
        (None, 200, 0, 1000),
        ("bytes=0-", 206, 0, 1000),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=100-199", 206, 100, 200),
        ("Bytes= 900-5000", 206, 900, 1000),
        ("bytes=-10", 206, 990, 1000),
        ("bytes=-5000", 206, 0, 1000),
        ("bytes=1000-", 416, 0, 0),
        ("bytes=5000-6000", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=200-100", 200, 0, 1000),
        ("bytes=0-1,5-6", 200, 0, 1000),
        ("bytes=-", 200, 0, 1000),
        ("items=0-1", 200, 0, 1000),
        ("bytes=x-y", 200, 0, 1000),
    ],
)
def test_what_a_range_gets(header: str | None, status: int, start: int, end: int) -> None:
    part = part_of(1000, Asked(header), TAG)
    assert (part.status, part.start, part.end) == (status, start, end)
    said = part.headers()
    assert said["content-length"] == str(end - start)
    assert said.get("content-range") == {206: f"bytes {start}-{end - 1}/1000", 416: "bytes */1000"}.get(status)


def test_a_range_of_another_version_gets_the_whole() -> None:
    assert part_of(1000, Asked("bytes=0-9", TAG), TAG).status == 206
    assert part_of(1000, Asked("bytes=0-9", '"old"'), TAG).status == 200


def test_an_empty_file_has_no_ranges() -> None:
    assert part_of(0, Asked("bytes=0-"), TAG).status == 416
    assert part_of(0, Asked(), TAG).status == 200
