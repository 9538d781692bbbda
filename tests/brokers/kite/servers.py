"""Throw-away servers on 127.0.0.1 that speak as much of Kite as a test needs."""

from __future__ import annotations

import json
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

WAIT = 10.0
"""Seconds that a test waits for what has to happen."""

TOKEN = 14_000_002


class Request(NamedTuple):
    method: str
    path: str
    fields: dict[str, list[str]]
    body: Any
    headers: dict[str, str]
    connection: int


class Answer(NamedTuple):
    """What is sent: ``None`` for the body closes the connection without an answer."""

    body: bytes | None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


def data(value: Any) -> Answer:
    return Answer(json.dumps({"status": "success", "data": value}).encode())


def error(status: int, error_type: str, message: str) -> Answer:
    body = {"status": "error", "message": message, "error_type": error_type, "data": None}
    return Answer(json.dumps(body).encode(), status)


def html(status: int) -> Answer:
    return Answer(b"<html>gateway</html>", status, (("Content-Type", "text/html"),))


LOST = Answer(None)


class HttpServer:
    """Answers with what is queued for ``METHOD /path``, else with what stands there for good."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.always: dict[str, Answer] = {}
        self.queued: dict[str, list[Answer]] = {}
        self.date: str | None = "Mon, 02 Nov 2026 04:00:00 GMT"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = WAIT

            def handle_one(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 # the base class's names

            def log_message(self, format, *args):
                pass

            def date_time_string(self, timestamp=None):
                return outer.date or ""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def on(self, call: str, *answers: Answer) -> None:
        """Answer a call with these, the last one for good."""
        self.queued[call] = list(answers[:-1])
        self.always[call] = answers[-1]

    def of(self, call: str) -> list[Request]:
        return [request for request in self.requests if f"{request.method} {request.path}" == call]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        text = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        is_json = "json" in (handler.headers.get("Content-Type") or "")
        body = (
            json.loads(text or "null")
            if is_json
            else {key: value[0] for key, value in parse_qs(text).items()}
        )
        self.requests.append(
            Request(
                handler.command, url.path, parse_qs(url.query), body, dict(handler.headers),
                handler.client_address[1],
            )
        )  # fmt: skip
        call = f"{handler.command} {url.path}"
        waiting = self.queued.get(call)
        answer = waiting.pop(0) if waiting else self.always.get(call, error(404, "GeneralException", call))
        if answer.body is None:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.send_response_only(answer.status)
        if self.date:
            handler.send_header("Date", self.date)
        for name, value in answer.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)

    def __enter__(self) -> HttpServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


# -- the stream --------------------------------------------------------------------------------------------


class Peer(NamedTuple):
    """One client at the other end, and what it asked for."""

    connection: ServerConnection
    path: str
    messages: list[dict[str, Any]]


class StreamServer:
    """Takes WebSocket clients one after the other; the test plays the server through :meth:`accept`."""

    def __init__(self, ssl: Any = None) -> None:
        self.statuses: list[tuple[int, dict[str, str]]] = []
        self.paths: list[str] = []
        self._peers: queue.SimpleQueue[Peer] = queue.SimpleQueue()
        self._over = threading.Event()
        self._server = serve(
            self._serve, "127.0.0.1", 0, ssl=ssl, process_request=self._process, compression=None,
            ping_interval=None, close_timeout=0.1,
        )  # fmt: skip
        scheme = "wss" if ssl else "ws"
        self.root = f"{scheme}://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def accept(self) -> Peer:
        """Return the next client that has subscribed."""
        return self._peers.get(timeout=WAIT)

    def _process(self, connection, request):
        self.paths.append(request.path)
        if self.statuses:
            status, headers = self.statuses.pop(0)
            response = connection.respond(status, "no\n")
            for name, value in headers.items():
                response.headers[name] = value
            return response
        return None

    def _serve(self, connection: ServerConnection) -> None:
        try:
            messages = [json.loads(connection.recv(timeout=WAIT)) for _ in range(2)]
            self._peers.put(Peer(connection, connection.request.path, messages))
            while not self._over.is_set():
                connection.recv(timeout=WAIT)
        except (ConnectionClosed, TimeoutError):
            pass

    def __enter__(self) -> StreamServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()


@contextmanager
def tcp_server(handle: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """Listen, and give each connection to ``handle`` in turn."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(connection)
            with suppress(OSError):
                handle(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        thread.join()


def full_packet(price: float, volume: int, seconds: int, *, token: int = TOKEN, interest: int = 12) -> bytes:
    """Return a full packet of an NFO instrument."""
    hundredths = round(price * 100)
    quote = [token, hundredths, 65, hundredths, volume, 0, 0, 0, 0, 0, 0]
    fields = [*quote, seconds, interest, 0, 0, seconds]
    return struct.pack(">16I", *fields) + bytes(120)


def frame(*packets: bytes) -> bytes:
    return struct.pack(">H", len(packets)) + b"".join(struct.pack(">H", len(body)) + body for body in packets)
