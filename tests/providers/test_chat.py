"""OpenAI-compatible language models: the documented sample servers, odd ones, and bad ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, APITimeoutError, llm
from tests.providers.samples import running, sample
from tests.support.tiny_http import TinyHttp, tiny_http

from mouthpiece.providers.chat import CompatibleLLM, EmbeddedLLM, completions_url
from mouthpiece.providers.guard import Rules, client
from mouthpiece.providers.responder import HONEST

HELLO = b'data: {"id":0,"choices":[{"delta":{"content":"Hello"}}],"object":"chat.completion.chunk"}\n\n'
DONE = b"data: [DONE]\n\n"


def context() -> llm.ChatContext:
    it = llm.ChatContext.empty()
    it.add_message(role="system", content="Be kind. The museum opens at nine.")
    it.add_message(role="user", content="When does the museum open?")
    return it


async def ask(mind: llm.LLM[str], timeout_s: float = 20.0) -> str:
    options = APIConnectOptions(max_retry=0, timeout=timeout_s)
    async with mind.chat(chat_ctx=context(), conn_options=options) as stream:
        return "".join([c.delta.content or "" async for c in stream if c.delta])


async def ask_url(url: str, *, key: str = "", rules: Rules | None = None, timeout_s: float = 20.0) -> str:
    mind = CompatibleLLM(client(rules, timeout_s), url, "my-AGI", key)
    try:
        return await ask(mind, timeout_s)
    finally:
        await mind.aclose()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[TinyHttp]:
    async with tiny_http() as it:
        yield it


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(sample(0), tmp_path_factory.mktemp("sample")) as base:
        yield base


@pytest.mark.parametrize("path", ["", "/", "/chat/completions", "/chat/completions/"])
async def test_the_documented_sample_server_is_heard_to_its_end(documented: str, path: str) -> None:
    assert await ask_url(documented + path) == "This is a test. " * 5


async def test_the_documented_proxy_to_another_model_is_heard_too(documented: str, tmp_path: Path) -> None:
    environ = {"OPENAI_BASE_URL": documented, "OPENAI_API_KEY": "secret"}
    with running(sample(1), tmp_path, environ) as proxy:
        assert await ask_url(proxy) == "This is a test. " * 5


async def test_the_key_and_the_conversation_are_sent(server: TinyHttp) -> None:
    server.stream(HELLO + DONE)
    assert await ask_url(server.url + "/v1", key="secret") == "Hello"
    (request,) = server.requests
    assert request.startswith(b"POST /v1/chat/completions ")
    assert b"authorization: bearer secret" in request.lower()
    assert b'"stream":true' in request.replace(b" ", b"")
    assert b"my-AGI" in request
    assert b"The museum opens at nine." in request


@pytest.mark.parametrize(
    "body",
    [
        HELLO,  # no end mark
        b": a comment\n\nid: 3\nevent: message\n" + HELLO + DONE,
        b'data:{"choices":[{"index":7,"delta":{"role":"asssistant","content":"Hello"}}]}\r\n\r\n' + DONE,
        b'{"choices":[{"message":{"content":"Hello"}}]}',  # a server that does not stream
        b'data: {"choices":[]}\n\ndata: {"choices":[{"delta":{"content":null}}]}\n\n' + HELLO + DONE,
    ],
)
async def test_odd_streams_are_understood(server: TinyHttp, body: bytes) -> None:
    server.stream(body)
    assert await ask_url(server.url) == "Hello"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("401 Unauthorized", b"{}", APIStatusError),
        ("429 Too Many Requests", b"{}", APIStatusError),
        ("500 Oh", b"{}", APIStatusError),
        ("302 Found", b"", APIStatusError),
        ("200 OK", b"data: nonsense\n\n", APIConnectionError),
        ("200 OK", b'data: {"error":{"message":"no such model"}}\n\n', APIConnectionError),
        ("200 OK", b"data: [1,2]\n\n", APIConnectionError),
    ],
)
async def test_a_server_that_fails_is_a_clear_error(
    server: TinyHttp, status: str, body: bytes, error: type[Exception]
) -> None:
    server.stream(body, status)
    with pytest.raises((error, APIConnectionError)):
        await ask_url(server.url)


async def test_a_server_that_hangs_is_left(server: TinyHttp) -> None:
    server.hang = True
    with pytest.raises((APITimeoutError, APIConnectionError)):
        await ask_url(server.url, timeout_s=0.2)


async def test_a_redirect_is_not_followed(server: TinyHttp) -> None:
    async with tiny_http() as other:
        other.stream(HELLO)
        server.answer = f"HTTP/1.1 307 x\r\nlocation: {other.url}/\r\ncontent-length: 0\r\n\r\n".encode()
        with pytest.raises((APIStatusError, APIConnectionError)):
            await ask_url(server.url)
        assert other.requests == []


async def test_a_caller_s_private_address_is_not_asked(server: TinyHttp) -> None:
    server.stream(HELLO)
    with pytest.raises(APIConnectionError):
        await ask_url(server.url, rules=Rules())
    assert server.requests == []
    assert await ask_url(server.url, rules=Rules(["127.0.0.1"])) == "Hello"


def test_completions_are_not_appended_twice() -> None:
    assert completions_url("http://a/v1") == "http://a/v1/chat/completions"
    assert completions_url("http://a/v1/chat/completions/") == "http://a/v1/chat/completions"


async def test_the_embedded_mind_answers_from_the_instructions() -> None:
    answer = await ask(EmbeddedLLM())
    assert answer == f"{HONEST} The museum opens at nine."
