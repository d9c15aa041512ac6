"""Language models of this machine."""

from __future__ import annotations

from tests.support.server import free_port
from tests.support.tiny_http import TinyHttp, tiny_http

from mouthpiece.providers.local import KEEP_S, LocalModel, LocalModels


def lists(server: TinyHttp, body: str) -> None:
    server.answer = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()


async def test_the_first_server_that_lists_a_chat_model_is_used() -> None:
    async with tiny_http() as broken, tiny_http() as good:
        lists(broken, "<html>")
        lists(good, '{"data":[{"id":"nomic-embed-text"},{"id":"llama3.2"}]}')
        models = LocalModels(0, (free_port(), broken.port, good.port))
        assert await models.find() == LocalModel(f"{good.url}/v1", "llama3.2")
        assert good.requests[0].startswith(b"GET /v1/models ")


async def test_our_own_port_is_never_asked() -> None:
    async with tiny_http() as server:
        lists(server, '{"data":[{"id":"llama3.2"}]}')
        assert await LocalModels(server.port, (server.port,)).find() is None
        assert server.requests == []


async def test_what_was_found_is_believed_for_a_while() -> None:
    now = 0.0
    async with tiny_http() as server:
        lists(server, '{"data":[{"id":"llama3.2"}]}')
        models = LocalModels(0, (server.port,), clock=lambda: now)
        for _ in range(3):
            assert await models.find() is not None
        assert len(server.requests) == 1
        now = KEEP_S + 1
        lists(server, '{"data":[]}')
        assert await models.find() is None
