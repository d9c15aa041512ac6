"""What a start checks first, before the seconds that loading everything else takes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mouthpiece.app import logs, net
from mouthpiece.errors import StartupError
from mouthpiece.settings import WORKER_SETTINGS, Settings, settings_from_json
from mouthpiece.store.secrets import data_folder


def serve(settings: Settings) -> None:
    """Serve until a signal. Raises StartupError."""
    _set_up_logs(settings)
    data = data_folder(settings.server.data)
    tls = net.certificate(settings.server, data)
    with contextlib.ExitStack() as stack:
        sockets = net.bind(settings.server.host, settings.server.port)
        for sock in sockets:
            stack.callback(sock.close)
        from mouthpiece.app.run import run_gateway

        run_gateway(settings, sockets, tls)


def work(worker_id: str, address: Path) -> None:
    """Serve as a media worker of the gateway that started this process. Raises StartupError."""
    text = os.environ.pop(WORKER_SETTINGS, None)
    if text is None:
        raise StartupError(reason="a media worker is started by its server", remedy="run mouthpiece serve --workers N")
    settings = settings_from_json(text)
    _set_up_logs(settings, worker_id)
    from mouthpiece.app.run import run_worker

    run_worker(settings, worker_id, address)


def _set_up_logs(settings: Settings, process: str | None = None) -> None:
    known = (
        settings.store.secret,
        settings.store.pepper,
        settings.transport.turn_secret,
        settings.livekit.secret,
        *settings.server.api_keys,
    )
    server = settings.server
    logs.set_up(server.log_level, as_json=server.log_json, known_secrets=filter(None, known), process=process)
