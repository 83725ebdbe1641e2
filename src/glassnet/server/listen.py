"""Listening: a socket, the connections on it, and their end."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from glassnet.errors import InputError, spell
from glassnet.server.guard import App
from glassnet.support.i18n import tr

HEADERS_WITHIN = 10.0  # seconds
MOST_CONNECTIONS = 1000
GRACE = 10  # seconds in which requests in progress are answered after Ctrl-C


class PatientProtocol(H11Protocol):
    """HTTP/1.1, where a client that does not send the whole of a request's headers in time is left."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        in_progress = self.cycle is not None and not self.cycle.response_complete
        if in_progress and self._late is not None:
            self._late.cancel()
            self._late = None
        elif not in_progress and self._late is None:
            self._late = self.loop.call_later(HEADERS_WITHIN, self._leave)

    def _leave(self) -> None:
        self._late = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `InputError` where it can't; another port is proposed where this one is in use."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return _bound(family, address)
    except (OSError, OverflowError, UnicodeError) as error:
        in_use = getattr(error, "errno", None) == errno.EADDRINUSE
        if not in_use:
            raise InputError(
                tr("The service can't listen there."),
                where=f"{host}:{port}",
                expected=tr("an address of this machine, and a port that you may use"),
                received=spell(error),
                hint="glassnet serve … --host 127.0.0.1 --port 8000",
            ) from None
    free = _free_port(family, address)
    raise InputError(
        tr("Another program listens on this port."),
        where=f"{host}:{port}",
        expected=tr("a free port"),
        received=tr("one in use"),
        hint=f"--port {free}",
    )


def _bound(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(2048)  # here, so that two that start at once do not both believe that they have it
    except OSError:
        made.close()
        raise
    return made


def _free_port(family: int, address: Any) -> int:
    """The next port that is free, else any."""
    host, port, *more = address
    for candidate in (*range(port + 1, min(port + 20, 65536)), 0):
        try:
            with _bound(family, (host, candidate, *more)) as found:
                return int(found.getsockname()[1])
        except OSError:
            continue
    return 0


def serve(app: App, listening: socket.socket) -> None:
    """Answer requests until Ctrl-C, which raises `KeyboardInterrupt` after those in progress are answered."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # requests are logged by AccessLog
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
    uvicorn.Server(config).run(sockets=[listening])
