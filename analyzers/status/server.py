"""The web server of the status page: a few threads, and nobody who reads slowly holds one of them."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server

from analyzers.status.app import LONGEST_BODY_BYTES
from analyzers.status.hosts import is_loopback
from feeds.errors import SettingsError

__all__ = ["StatusServer"]

_THREADS = 8
_CONNECTIONS = 500
_CONNECTIONS_OF_AN_ADDRESS = 64
_IDLE_SECONDS = 20
_REQUEST_SECONDS = 20.0
_LONGEST_HEADER_BYTES = 16_384
_BACKLOG = 256
_LOOK_SECONDS = 0.25
_TURN_SECONDS = 0.2


class StatusServer:
    """Serves an application by waitress, in threads of its own. A context manager.

    Parameters
    ----------
    app : Flask
        See :func:`analyzers.status.app.make_app`.
    host : str
        Address to listen on.
    port : int
        Port to listen on, 0 for any free one.

    Notes
    -----
    A thread is only held while an answer is made: sending it is done by one loop for all connections. One on
    which nothing moves for 20 seconds is closed, and so is one whose request is not whole 20 seconds after
    its first byte, and the newest of more than 64 of one address. This machine's own may have more: a proxy
    on it has everybody's.
    """

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._over = threading.Event()
        self._sockets: dict[int, Any] = {}
        self._server: Any = None
        self._thread = threading.Thread(target=self._run, name="status-server", daemon=True)
        self.url = ""

    def start(self, *, patience_seconds: float = 0.0) -> str:
        """Listen, and return the address of the page.

        Parameters
        ----------
        patience_seconds : float
            How long a taken port is tried again: the process before this one may be about to let it go.

        Raises
        ------
        SettingsError
            The port is taken, or the host is no address of this machine.
        """
        # It warns of each moment at which more ask than there are threads, and of those who still ask when it
        # is stopped: no trouble, and a companion's would stand on the console of the trading process
        logging.getLogger("waitress").setLevel(logging.ERROR)
        listening = self._listen(patience_seconds)
        host, port = listening.getsockname()[:2]
        self._server = create_server(
            self._app,
            map=self._sockets,
            sockets=[listening],
            threads=_THREADS,
            backlog=_BACKLOG,
            connection_limit=_CONNECTIONS,
            channel_timeout=_IDLE_SECONDS,
            cleanup_interval=_IDLE_SECONDS // 4,
            max_request_header_size=_LONGEST_HEADER_BYTES,
            max_request_body_size=LONGEST_BODY_BYTES,
            asyncore_use_poll=True,
            expose_tracebacks=False,
            ident=None,
        )
        self._server.channel_class = _Channel
        self._thread.start()
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        return self.url

    def stop(self) -> None:
        """Close every connection, and wait for the threads."""
        # The loop looks within a moment; to wake it from outside would race with the end of its descriptors
        self._over.set()
        if self._server is not None and self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return 0 if self._server is None else len(self._server.active_channels)

    def _listen(self, patience_seconds: float) -> socket.socket:
        give_up_at = time.monotonic() + patience_seconds
        while True:
            try:
                family, *_, address = socket.getaddrinfo(
                    self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
                )[0]
                return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
            except OSError as error:
                if time.monotonic() >= give_up_at or self._over.wait(_LOOK_SECONDS):
                    raise SettingsError(
                        f"port {self._port} of {self._host} cannot be listened on ({error.strerror}), "
                        "expected a free one; set status.port or status.host, or end what is using it"
                    ) from error

    def _run(self) -> None:
        server = self._server
        try:
            while not self._over.is_set():
                wasyncore.loop(timeout=_TURN_SECONDS, use_poll=True, map=self._sockets, count=1)
                of_address: Counter[str] = Counter()
                for channel in [*server.active_channels.values()]:  # the oldest first
                    address = channel.addr[0]
                    of_address[address] += 1
                    is_one_too_many = of_address[address] > _CONNECTIONS_OF_AN_ADDRESS and not is_loopback(
                        address
                    )
                    # waitress closes an idle connection when it can be written to; to a reader that has
                    # stopped reading that is never
                    if channel.will_close or is_one_too_many or _is_overdue(channel.request):
                        channel.handle_close()
        finally:
            server.task_dispatcher.shutdown()
            for channel in [*server.active_channels.values()]:
                channel.handle_close()  # also what it has kept in files for a slow reader
            wasyncore.close_all(self._sockets)


class _Request(HTTPRequestParser):
    """A request that knows when its first byte came."""

    def __init__(self, adjustments: Any) -> None:  # noqa: ANN401 # waitress has no types
        super().__init__(adjustments)
        self.begun_at = time.monotonic()


class _Channel(HTTPChannel):
    parser_class = _Request


def _is_overdue(request: _Request | None) -> bool:
    """Tell whether a request that is not whole yet has been on its way for too long."""
    return request is not None and time.monotonic() - request.begun_at > _REQUEST_SECONDS
