"""Whatever a client says: nothing hangs, the reason is in the protocol's words, and nobody else notices."""

from __future__ import annotations

import json
import logging
import struct
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.simli.conftest import OFFER, Front, rest, said
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST_WORDS = {
    "START", "STOP", "SPEAK", "SILENT", "ERROR", "RATE", "CLOSING", "ENDFRAME", "WARNING:", "pong",
    "Invalid", "Selected", "background", "foreground",
}  # fmt: skip
"""What clients know how to read, beside JSON."""

words = st.sampled_from(
    ["SKIP", "DONE", "ping 1", "ping", "BG_x", "FG_" + "0" * 36, "hello", "{}", "{", "", " ", OFFER]
)
texts = st.one_of(words, st.text(max_size=20), st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
camera = st.lists(st.floats(width=32), min_size=3, max_size=10).map(
    lambda values: b"CAM_" + struct.pack(f"<{len(values)}f", *values)
)
sounds = st.one_of(
    st.binary(max_size=700),
    st.sampled_from([b"", b"SKIP", b"DONE", b"PLAY_IMMEDIATE", b"CAM_", bytes(70_000)]),
    st.binary(max_size=9).map(lambda tail: b"PLAY_IMMEDIATE" + tail),
    camera,
    camera.map(lambda message: message + b"LERP" + struct.pack("<f", 1.0)),
)
messages = st.lists(st.one_of(texts, sounds), max_size=8)
tokens = st.one_of(st.none(), st.just("good"), st.text("abc-_=%&/?é ", max_size=12).map(quote))

fuzzed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def readable(text: str) -> bool:
    """Whether every client generation can classify it by its first word."""
    return text.startswith("{") or text.split(" ", maxsplit=1)[0] in FIRST_WORDS


@fuzzed
@given(token=tokens, before=messages)
async def test_anything_before_the_offer_is_answered_and_closed(
    front: Front, caplog: pytest.LogCaptureFixture, token: str | None, before: list[str | bytes]
) -> None:
    caplog.set_level(logging.WARNING)
    async with front.session() as (other, _):
        async with front.socket(front.token() if token == "good" else token) as socket:
            try:
                for message in before:
                    await socket.send(message)
                await socket.send("no offer and no token")
            except ConnectionClosed:
                pass
            if OFFER in before:
                await socket.close()
            spoken, code = await rest(socket)
        assert all(map(readable, spoken))
        assert code in (1000, 1001, 1008)
        await other.send("ping 7")
        assert await said(other) == "pong 7"
    await front.stage.until(running=0)
    assert not caplog.records


@fuzzed
@given(during=messages)
async def test_anything_in_a_session_leaves_it_alive_or_ends_it_in_words(
    front: Front, caplog: pytest.LogCaptureFixture, during: list[str | bytes]
) -> None:
    caplog.set_level(logging.WARNING)
    async with front.session() as (other, _):
        async with front.session() as (socket, session):
            for message in during:
                await socket.send(message)
            await socket.send("ping last")
            while (text := await said(socket)) != "pong last":
                assert readable(text)
            assert session.over is None
        await other.send("ping 7")
        assert await said(other) == "pong 7"
    await front.stage.until(running=0)
    assert not caplog.records


@fuzzed
@given(path=st.text("abc/%.?=&-_", max_size=30), body=st.one_of(st.binary(max_size=50), texts))
async def test_any_request_gets_an_answer_below_500(front: Front, path: str, body: str | bytes) -> None:
    reply = await front.http.post("/" + path.lstrip("/"), content=body.encode() if isinstance(body, str) else body)
    assert reply.status_code < 500


@fuzzed
@given(
    body=st.dictionaries(
        st.sampled_from(
            ["faceId", "maxIdleTime", "camera", "streaming_width", "originAllowList", "startFrame", "apiKey"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=5,
        ),
    )
)
async def test_any_token_request_gets_an_answer_below_500(front: Front, body: dict[str, object]) -> None:
    headers = {"x-simli-api-key": "key-of-the-first-account", "content-type": "application/json"}
    reply = await front.http.post("/compose/token", content=json.dumps(body), headers=headers)
    assert reply.status_code in (200, 400, 401, 422, 429)
