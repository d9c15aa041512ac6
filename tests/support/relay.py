"""A network between a client and a server that does not let everything through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

PIECE = 65_536


@contextmanager
def relay(url: str, refused: str) -> Iterator[tuple[str, list[str]]]:
    """An address that leads to ``url``, and the request lines that came there.

    Connections whose first line has ``refused`` in it are cut without an answer.
    """
    there = urlsplit(url)
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with suppress(OSError):  # the door was closed
                while True:
                    guest = door.accept()[0]
                    threading.Thread(target=_pass, args=(guest, lines, refused, (there.hostname, there.port))).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}", lines
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)


def _pass(guest: socket.socket, lines: list[str], refused: str, there: tuple[str, int]) -> None:
    with guest:
        first = guest.recv(PIECE)
        line = first.split(b"\r\n")[0].decode(errors="replace")
        lines.append(line)
        if refused in line:
            return
        with socket.create_connection(there) as host:
            host.sendall(first)
            back = threading.Thread(target=_pipe, args=(host, guest))
            back.start()
            _pipe(guest, host)
            back.join()


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(PIECE):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
