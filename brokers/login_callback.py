"""A small server on this machine to which a broker's login page sends the browser back."""

from __future__ import annotations

import queue
import secrets as random_secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

from brokers.login_answer import belongs_to
from feeds.errors import BrokerError

__all__ = ["LoginCallback"]

_READ_SECONDS = 5.0
_DONE = "Logged in. You can close this page and go back to the terminal."
_WRONG = "This is not the login that was asked for. Start again from the address in the terminal."


class LoginCallback:
    """A small HTTP server on 127.0.0.1 that waits for the browser to come back. A context manager.

    Parameters
    ----------
    section : str
        The broker's section of the settings, such as ``broker.kite``, for messages.
    port : int
        As registered with the app, 0 for any free one.
    read : callable
        Given the address and the state, returns what the page has added; raises BrokerError where the login
        failed.

    Attributes
    ----------
    state : str
        A random word that the login page hands back: other pages cannot slip in a login of theirs.
    url : str
        Where the browser has to come back to.

    Raises
    ------
    BrokerError
        If the port is in use.
    """

    def __init__(self, section: str, port: int, read: Callable[[str, str], str]) -> None:
        self._read = read
        self.state = random_secrets.token_urlsafe(16)
        self._tokens: queue.SimpleQueue[str | BrokerError] = queue.SimpleQueue()
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise BrokerError(
                f"port {port} of this machine cannot be listened on ({error.strerror}), expected a free one; "
                f"set {section}.callback_port, and the redirect URL of your app with it"
            ) from error
        self._server.take = self._take
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="login-callback", daemon=True
        )

    def __enter__(self) -> LoginCallback:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self, timeout_seconds: float) -> str:
        """Return what the page has added.

        Raises
        ------
        BrokerError
            The login was not finished in that time, or the broker reports that it failed.
        """
        try:
            answer = self._tokens.get(timeout=timeout_seconds)
        except queue.Empty:
            raise BrokerError(
                f"no login came back within {timeout_seconds:.0f} seconds, expected the browser at "
                f"{self.url}; check that this is the redirect URL of your app, and start again"
            ) from None
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    def _take(self, address: str) -> tuple[int, str]:
        """Take what the browser asked for; return the HTTP status and the words to answer with."""
        if not urlsplit(address).query:
            return 404, "Nothing here."
        if not belongs_to(address, self.state):
            return 400, _WRONG
        try:
            self._tokens.put(self._read(address, self.state))
        except BrokerError as error:
            self._tokens.put(error)
            return 400, _WRONG
        return 200, _DONE


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the last answer
    take: Callable[[str], tuple[int, str]]


class _Handler(BaseHTTPRequestHandler):
    # A browser opens connections on suspicion and sends nothing.
    timeout = _READ_SECONDS
    server: _Server

    def do_GET(self) -> None:
        status, text = self.server.take(self.path)
        body = f"<!doctype html><meta charset=utf-8><title>Login</title><p>{text}</p>\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the address holds what a token is made of."""
