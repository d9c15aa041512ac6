"""One HTTP request, carried to the worker that holds its session: signaling that has no socket of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.responses import Response

from mouthpiece.cluster.pipe import carried_headers, carried_target
from mouthpiece.errors import WorkerLost

_HOP = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding", "date", "server"))


async def forward(
    request: Request, address: Path, *, headers: Mapping[str, str] | None = None, timeout_s: float = 30.0
) -> Response:
    """Ask the worker at ``address`` the same thing and return its answer, both read whole.

    Bodies are bounded by the server that accepted the request. Raises WorkerLost when the worker is gone.
    """
    body = await request.body()
    transport = httpx.AsyncHTTPTransport(uds=str(address))
    async with httpx.AsyncClient(transport=transport, timeout=timeout_s, trust_env=False) as worker:
        sent = worker.build_request(request.method, "http://" + carried_target(request), content=body)
        sent.headers.update(dict(carried_headers(request, headers or {})))
        try:
            answer = await worker.send(sent)
        except httpx.TransportError as error:
            raise WorkerLost from error
    response = Response(answer.content, answer.status_code)
    response.raw_headers.extend(
        (name.lower(), value) for name, value in answer.headers.raw if name.decode().lower() not in _HOP
    )
    return response
