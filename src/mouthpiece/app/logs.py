"""One log, on standard error: lines for people or JSON, and never a secret in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_HIDDEN: Final = "[hidden]"
_SECRETS: Final = re.compile(
    r"(?<=gAAAA)[\w-]{16,}=*"  # what our seals look like (Fernet), wherever it stands
    r"|\bmp_[\w-]{16,}"  # API keys
    r"|(?<=session_token=)[^&\s\"']+|(?<=api_key=)[^&\s\"']+|(?<=apiKey=)[^&\s\"']+|(?<=[?&]code=)[^&\s\"']+"
)
_QUIET: Final = ("uvicorn", "uvicorn.error", "websockets", "aiortc", "aioice", "httpx", "httpcore", "alembic", "numba")
"""Libraries that tell of every request with its query string, or of every packet."""


class Redactor:
    """Takes secrets out of a finished log line. ``known``: secrets with no shape of their own."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted(filter(None, known), key=len, reverse=True)

    def __call__(self, line: str) -> str:
        """The line without secrets."""
        for secret in self._known:
            line = line.replace(secret, _HIDDEN)
        return _SECRETS.sub(_HIDDEN, line)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Redacts last, so that tracebacks and extras are seen too."""

    def __init__(self, redact: Redactor, processors: list[Processor]) -> None:
        shared: list[Processor] = [
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _bind_process,
        ]
        super().__init__(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors],
            foreign_pre_chain=shared,
        )
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """One line, or one with its traceback."""
        return self._redact(super().format(record))


_process: str | None = None


def _bind_process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if _process is not None:
        event["process"] = _process
    return event


def set_up(level: str, *, as_json: bool, known_secrets: Iterable[str] = (), process: str | None = None) -> None:
    """Own the root logger. ``process`` names a worker in its lines."""
    global _process
    _process = process
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(Redactor(known_secrets), _json() if as_json else _console()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def _json() -> list[Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _console() -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
