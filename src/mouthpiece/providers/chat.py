"""Any OpenAI-compatible language model, and the responder, as livekit-agents language models.

The wire is read leniently, because servers in the field reuse ids, count ``index`` up with each chunk, leave
``finish_reason`` out and call the stream ``text/eventstream``.
"""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, APITimeoutError, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr

from mouthpiece.providers.guard import NotAllowed
from mouthpiece.providers.responder import Responder

COMPLETIONS: Final = "/chat/completions"
LONGEST_LINE: Final = 1 << 20


def completions_url(base_url: str) -> str:
    """Where to post: the base may end in ``/chat/completions`` already."""
    base = base_url.rstrip("/")
    return base if base.endswith(COMPLETIONS) else base + COMPLETIONS


class TextLLM(llm.LLM[str], ABC):
    """A language model that gives text alone: tools are not passed on."""

    @abstractmethod
    def pieces(self, chat_ctx: llm.ChatContext, timeout_s: float) -> AsyncIterator[str]:
        """The answer's text, piece by piece. Raises APIStatusError, APITimeoutError, APIConnectionError."""

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        """One answer, as it is written."""
        return _Answer(self, chat_ctx=chat_ctx, tools=[], conn_options=conn_options)


class _Answer(llm.LLMStream):
    """One answer of a model that gives text alone."""

    async def _run(self) -> None:
        mind = self._llm
        assert isinstance(mind, TextLLM), "made by its chat()"
        name = uuid.uuid4().hex
        async for piece in mind.pieces(self._chat_ctx, self._conn_options.timeout):
            delta = llm.ChoiceDelta(role="assistant", content=piece)
            self._event_ch.send_nowait(llm.ChatChunk(id=name, delta=delta))


class CompatibleLLM(TextLLM):
    """A language model behind ``POST {base_url}/chat/completions`` that streams. ``http`` is closed with it."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, model: str, key: str = "") -> None:
        super().__init__()
        self._http = http
        self._url = completions_url(base_url)
        self._model = model
        self._key = key

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    @property
    def provider(self) -> str:
        """Who runs it."""
        return "openai-compatible"

    async def pieces(self, chat_ctx: llm.ChatContext, timeout_s: float) -> AsyncIterator[str]:
        """The answer's text, piece by piece. Raises APIStatusError, APITimeoutError, APIConnectionError."""
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        body = {"model": self._model, "messages": _messages(chat_ctx), "stream": True}
        try:
            async with self._http.stream("POST", self._url, json=body, headers=headers, timeout=timeout_s) as answer:
                if answer.status_code != 200:
                    raise _refused(answer.status_code)
                async for piece in _read(answer):
                    yield piece
        except NotAllowed as error:
            raise APIConnectionError(str(error), retryable=False) from error
        except httpx.TimeoutException as error:
            raise APITimeoutError("the language model does not answer") from error
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise APIConnectionError(f"the language model cannot be reached: {words}") from error

    async def aclose(self) -> None:
        """Close its connections."""
        await super().aclose()
        await self._http.aclose()


def _refused(status: int) -> APIStatusError:
    if 300 <= status < 400:
        return APIStatusError("the language model's server redirects, which is not followed", status_code=status)
    return APIStatusError(f"the language model's server answers {status}", status_code=status)


def _messages(chat_ctx: llm.ChatContext) -> list[dict[str, str]]:
    found = (item for item in chat_ctx.items if isinstance(item, llm.ChatMessage))
    return [{"role": m.role, "content": text} for m in found if (text := m.text_content)]


async def _read(answer: httpx.Response) -> AsyncIterator[str]:
    """The pieces of an event stream, or the whole of a plain JSON answer from a server that does not stream."""
    plain = ""
    async for line in answer.aiter_lines():
        if len(line) > LONGEST_LINE:
            raise APIConnectionError("the language model's server sends a line without end")
        if line.startswith("data:"):
            data = line[5:].strip()
            if data == "[DONE]":
                return
            if piece := _content(data):
                yield piece
        elif not line.startswith((":", "event:", "id:", "retry:")):
            plain += line
    if plain.strip() and (piece := _content(plain)):
        yield piece


def _content(data: str) -> str:
    """The text of one chunk; whichever choice it is in. Raises APIConnectionError for what is no chunk."""
    try:
        chunk = json.loads(data)
        if chunk.get("error"):
            raise APIConnectionError(f"the language model's server reports {str(chunk['error'])[:200]}")
        parts = [choice.get("delta") or choice.get("message") or {} for choice in chunk.get("choices") or []]
        return "".join(str(part.get("content") or "") for part in parts)
    except (ValueError, AttributeError, TypeError) as error:
        raise APIConnectionError("the language model's server sends what is no chat completion") from error


# --- when there is none --------------------------------------------------------------------------------------------
class EmbeddedLLM(TextLLM):
    """The responder as a language model: answers from the instructions, at once."""

    @property
    def model(self) -> str:
        """Its name."""
        return "responder"

    @property
    def provider(self) -> str:
        """Ours."""
        return "mouthpiece"

    async def pieces(self, chat_ctx: llm.ChatContext, timeout_s: float) -> AsyncIterator[str]:
        """The whole answer."""
        messages = [item for item in chat_ctx.items if isinstance(item, llm.ChatMessage)]
        prompt = " ".join(m.text_content or "" for m in messages if m.role in ("system", "developer"))
        asked = next((m.text_content or "" for m in reversed(messages) if m.role == "user"), "")
        yield Responder(prompt).answer(asked, first=sum(m.role == "user" for m in messages) <= 1)
