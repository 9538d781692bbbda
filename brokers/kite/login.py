"""The login: the user's browser, a callback on this machine, and the exchange for an access token.

Kite gives no token without its own page, password and second factor; none of them passes through here. The
page sends the browser back to ``http://127.0.0.1:PORT/`` with a request token that is good for one exchange.
"""

from __future__ import annotations

import datetime as dt
import queue
import secrets as random_secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from kiteconnect.exceptions import DataException, KiteException

from brokers.kite.connection import official_client
from brokers.kite.errors import CALL_ERRORS
from brokers.kite.session import token_store
from brokers.kite.settings import KiteSettings
from brokers.token_store import StoredToken
from feeds.clock import IST, Clock
from feeds.errors import BrokerError

__all__ = ["LoginCallback", "exchange", "login_address", "request_token_in"]

_STATE = "state"
_READ_SECONDS = 5.0
_DONE = "Logged in. You can close this page and go back to the terminal."
_WRONG = "This is not the login that was asked for. Start again from the address in the terminal."


class LoginCallback:
    """A small HTTP server on 127.0.0.1 that waits for the browser to come back. A context manager.

    Parameters
    ----------
    port : int
        As registered with the app, 0 for any free one.

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

    def __init__(self, port: int) -> None:
        self.state = random_secrets.token_urlsafe(16)
        self._tokens: queue.SimpleQueue[str | BrokerError] = queue.SimpleQueue()
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise BrokerError(
                f"port {port} of this machine cannot be listened on ({error.strerror}), expected a free one; "
                "set broker.kite.callback_port, and the redirect URL of your app with it"
            ) from error
        self._server.take = self._take
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="kite-login", daemon=True
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
        """Return the request token.

        Raises
        ------
        BrokerError
            The login was not finished in that time, or Kite reports that it failed.
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
        if not _belongs(address, self.state):
            return 400, _WRONG
        try:
            self._tokens.put(request_token_in(address, self.state))
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
        body = f"<!doctype html><meta charset=utf-8><title>Kite login</title><p>{text}</p>\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the address holds the request token."""


def login_address(settings: KiteSettings, api_key: str, state: str) -> str:
    """Return the address that the user has to open."""
    query = urlencode({"v": "3", "api_key": api_key}, quote_via=quote)
    # Kite wants the parameters it is to hand back as one value, itself a query.
    return f"{settings.login_page}?{query}&redirect_params={quote(urlencode({_STATE: state}), safe='')}"


def request_token_in(address: str, state: str) -> str:
    """Return the request token of the address that the login page sends the browser to.

    Raises
    ------
    BrokerError
        If the login failed, or this is not the one that was asked for. The message leaves the address out.
    """
    fields = _fields(address)
    if not _belongs(address, state):
        raise BrokerError(
            "the address does not belong to this login, expected the one that its page leads to; start again"
        )
    status = fields.get("status", "success")
    if status != "success":
        raise BrokerError(
            f"Kite reports that the login ended with status {status[:40]!r}, expected success; start again"
        )
    token = fields.get("request_token", "")
    if not token:
        raise BrokerError("the address holds no request_token, expected one; start again")
    return token


def _belongs(address: str, state: str) -> bool:
    return random_secrets.compare_digest(_fields(address).get(_STATE, "").encode(), state.encode())


def _fields(address: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(address.strip()).query).items()}


def exchange(
    settings: KiteSettings, *, api_key: str, api_secret: str, request_token: str, clock: Clock
) -> StoredToken:
    """Exchange a request token for the access token of the day, which ends every earlier one.

    Raises
    ------
    BrokerError
        If Kite refuses, or cannot be asked.
    """
    client = official_client(settings, api_key)
    try:
        answer = client.generate_session(request_token, api_secret)
        access_token, user_id = answer["access_token"], answer.get("user_id") or ""
        login_time = answer.get("login_time")
    except CALL_ERRORS as error:
        # An answer that could not be read may hold the token: neither its words nor its cause are shown.
        told = isinstance(error, KiteException) and not isinstance(error, DataException)
        words = str(error) if told else type(error).__name__
        raise BrokerError(
            f"the login could not be finished ({words}), expected an access token; check KITE_API_KEY and "
            "KITE_API_SECRET, and start again: a request token is good once and for a few minutes"
        ) from None
    finally:
        client.reqsession.close()
    if not isinstance(access_token, str) or not access_token:
        raise BrokerError("Kite's answer to the login holds no access token, expected one; start again")
    if not isinstance(login_time, dt.datetime):
        login_time = clock.now()
    elif login_time.tzinfo is None:
        login_time = login_time.replace(tzinfo=IST)
    ends = token_store(settings).end_of(login_time)
    return StoredToken(api_key, access_token, str(user_id), login_time, ends)
