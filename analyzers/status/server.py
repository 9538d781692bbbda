"""The web server of the status page: a few threads, and nobody who reads slowly holds one of them."""

from __future__ import annotations

import logging
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from analyzers.status.app import LONGEST_BODY_BYTES
from feeds.errors import SettingsError

__all__ = ["StatusServer"]

_THREADS = 8
_CONNECTIONS = 500
_IDLE_SECONDS = 20
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
    which nothing moves for 20 seconds is closed.
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
        # Its warnings name each moment at which more ask than there are threads, which is no trouble
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
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
                for channel in [*server.active_channels.values()]:
                    # waitress closes an idle connection when it can be written to; to a reader that has
                    # stopped reading that is never
                    if channel.will_close:
                        channel.handle_close()
        finally:
            server.task_dispatcher.shutdown()
            for channel in [*server.active_channels.values()]:
                channel.handle_close()  # also what it has kept in files for a slow reader
            wasyncore.close_all(self._sockets)
