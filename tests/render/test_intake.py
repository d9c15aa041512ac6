"""Bodies with a file inside: found without being parsed, whatever they look like."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.errors import TooLarge
from mouthpiece.render.intake import MAX_FIELDS, NotJson, receive


async def pieces(data: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def received(data: bytes, size: int = 7) -> tuple[dict[str, object], bytes]:
    async with receive(pieces(data, size), "audioBase64") as body:
        return body.fields, bytes(body.file)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.dictionaries(st.text(max_size=9).filter(lambda k: k != "audioBase64"), st.text() | st.integers(), max_size=4),
    st.booleans(),
    st.sampled_from([None, 2]),
)
async def test_what_was_sent_is_received(data: bytes, more: dict[str, object], first: bool, indent: int | None) -> None:
    text = base64.b64encode(data).decode()
    whole = {"audioBase64": text, **more} if first else {**more, "audioBase64": text}
    fields, file = await received(json.dumps(whole, indent=indent).encode())
    assert file == text.encode()
    assert fields == {**more, "audioBase64": ""}


async def test_a_field_that_is_named_inside_another_is_not_taken_for_it() -> None:
    fields, file = await received(
        json.dumps({"note": 'the "audioBase64": "x" is below', "audioBase64": "QUJD"}).encode()
    )
    assert (file, fields["note"]) == (b"QUJD", 'the "audioBase64": "x" is below')


async def test_a_nested_field_does_not_hide_the_real_one() -> None:
    _, file = await received(b'{"a":{"audioBase64":"WFhY"},"audioBase64":"QUJD"}')
    assert file == b"QUJD"


async def test_a_body_without_the_field_keeps_the_rest() -> None:
    assert await received(b'{"faceId":"mia"}') == ({"faceId": "mia"}, b"")
    assert (await received(b'{"audioBase64":3}'))[0] == {"audioBase64": 3}


@pytest.mark.parametrize("data", [b"", b"{", b'{"audioBase64":"AAAA', b"[1]", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(NotJson):
        await received(data, 65_536)


async def test_only_the_file_may_be_large() -> None:
    big = b"A" * (MAX_FIELDS + 1)
    _, file = await received(b'{"audioBase64":"' + big + b'"}', 65_536)
    assert len(file) == len(big)
    with pytest.raises(TooLarge):
        await received(b'{"note":"' + big + b'"}', 65_536)
