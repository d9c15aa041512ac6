"""Finds a language model that runs on this machine: Ollama, llama.cpp, vLLM, LM Studio, or any that speaks so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

PORTS: Final = (11434, 8080, 8000, 1234)
"""Where Ollama, llama.cpp, vLLM and LM Studio listen when they are not told otherwise."""

PATIENCE_S: Final = 0.4
KEEP_S: Final = 30.0
"""How long what was found, or not found, is believed."""

_NOT_FOR_CHAT: Final = ("embed", "rerank", "whisper", "tts", "clip")


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model and the base URL of its server."""

    base_url: str
    model: str


class LocalModels:
    """Looks on loopback, and nowhere else. ``own_port`` is never asked: it is this very server."""

    def __init__(
        self, own_port: int, ports: Sequence[int] = PORTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ports = [port for port in ports if port != own_port]
        self._clock = clock
        self._found: LocalModel | None = None
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def find(self) -> LocalModel | None:
        """The first server that lists a model, in the order of the ports."""
        async with self._looking:
            if self._clock() >= self._until:
                async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
                    answers = await asyncio.gather(*(_ask(http, port) for port in self._ports))
                self._found = next((model for model in answers if model is not None), None)
                self._until = self._clock() + KEEP_S
            return self._found


async def _ask(http: httpx.AsyncClient, port: int) -> LocalModel | None:
    base = f"http://127.0.0.1:{port}/v1"
    try:
        answer = await http.get(f"{base}/models")
        answer.raise_for_status()
        names = [str(entry["id"]) for entry in answer.json()["data"]]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None
    fit = [name for name in names if not any(word in name.lower() for word in _NOT_FOR_CHAT)]
    return LocalModel(base, fit[0]) if fit else None
